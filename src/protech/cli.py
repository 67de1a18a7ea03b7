"""The ``protech`` command: reads the command line, calls the part, says what went wrong."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from protech import __version__
from protech.errors import ConfigError, ProtechError
from protech.salus.walk import shown
from protech.streams import let_go_of_output, open_streams

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
BROKEN_PIPE = 141
"""128 + SIGPIPE."""

MOST_WORKERS = 256
"""Each is a process of some 60 MB, and all are started at once."""

SCAN_EXAMPLE = """examples:
  protech scan ~/Pictures --list mine.list         a line for each file
  protech scan /media/usb --jsonl rows.jsonl       the same as JSON, in a file
  protech scan photo.jpg --json                    as JSON on standard output

exit codes: 0 nothing blocked, 1 something blocked, 2 and up an error (docs/rows.md).
"""
LISTS_EXAMPLE = """examples:
  protech lists make ~/Pictures/mine --out mine.list     a list of your own pictures
  protech lists show mine.list                           what a list says of itself
"""
DOCTOR_EXAMPLE = """example:
  protech doctor           what works on this machine, and what to do about the rest
"""

type Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - no other name


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    open_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a name may have what the terminal has not
    try:
        options = parser(given).parse_args(given)
        code: int = options.run(options)
        sys.stdout.flush()
    except ProtechError as error:
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say("stopped")
        return INTERRUPTED
    except BrokenPipeError:
        let_go_of_output()
        return BROKEN_PIPE
    except OSError as refused:  # a traceback would end with 1, which means: blocked
        _say(f"the system refused: {refused.strerror}; mend that, or write somewhere else.")
        let_go_of_output()
        return ConfigError.exit_code
    return code


def _say(text: str) -> None:
    """Tell a person on one line; no name in it can steer a terminal."""
    with suppress(OSError):
        sys.stderr.write(f"protech: {shown(text)}\n")


def parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """Return the command line's grammar; the guard's own is read only where it is asked for."""
    top = argparse.ArgumentParser(
        prog="protech",
        description="Screen pictures for those who want not to see them or who must.",
        epilog="Each command explains itself: protech scan --help",
    )
    top.add_argument("--version", action="version", version=f"protech {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    if given[:1] == ["guard"]:
        _add_guard(commands)
    else:
        commands.add_parser("guard", help="hide what must not be seen, before it is displayed")
    _add_scan(commands)
    _add_lists(commands)
    _add_doctor(commands)
    return top


def _add_guard(commands: Commands) -> None:
    from protech.doctor import missing_for_guard

    missing = missing_for_guard()
    if missing:
        raise ConfigError(
            f"The guard needs packages that are not installed ({', '.join(missing)}); run:"
            " pip install 'protech[guard]'"
        )
    from protech.guard.command import add_command

    add_command(commands)


def _add_command(commands: Commands, name: str, **texts: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=texts["help"],
        description=texts.get("description"),
        epilog=texts["epilog"],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_scan(commands: Commands) -> None:
    scan = _add_command(
        commands,
        "scan",
        help="judge files and folders",
        description="Judge every file of the paths and print a row for each.",
        epilog=SCAN_EXAMPLE,
    )
    scan.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    scan.add_argument(
        "--list",
        dest="lists",
        action="append",
        default=[],
        type=Path,
        metavar="LIST",
        help="a known list, as `protech lists make` writes it; may be given more than once",
    )
    rows = scan.add_mutually_exclusive_group()
    rows.add_argument(
        "--jsonl", metavar="FILE", help="write rows as JSON lines to FILE, or - for here"
    )
    rows.add_argument(
        "--json", dest="jsonl", action="store_const", const="-", help="the same as --jsonl -"
    )
    scan.add_argument(
        "--models", type=Path, metavar="DIR", help="models of a directory, not the package's"
    )
    scan.add_argument("--workers", type=_workers, metavar="N", help="items judged at once")
    scan.add_argument("--fast", action="store_true", help="known lists alone, no classifier")
    scan.set_defaults(run=_scan)


def _add_lists(commands: Commands) -> None:
    lists = _add_command(
        commands, "lists", help="make and look at known lists", epilog=LISTS_EXAMPLE
    )
    actions = lists.add_subparsers(title="actions", metavar="ACTION", required=True)
    make = _add_command(
        actions,
        "make",
        help="make a list of your own pictures",
        description="Hash every picture below DIR into a list of your own; it is unsigned.",
        epilog=LISTS_EXAMPLE,
    )
    make.add_argument("directory", type=Path, metavar="DIR")
    make.add_argument("--out", type=Path, required=True, metavar="LIST")
    make.add_argument("--name", help="what verdicts call it (default: the directory's name)")
    make.add_argument("--workers", type=_workers, metavar="N", help="pictures at once")
    make.add_argument("--json", action="store_true", help="print the result as JSON")
    make.set_defaults(run=_make_list)
    show = _add_command(
        actions,
        "show",
        help="what a list says of itself",
        description="Print name, version, uses and counts of a list; never its entries.",
        epilog=LISTS_EXAMPLE,
    )
    show.add_argument("list", type=Path, metavar="LIST")
    show.add_argument("--json", action="store_true", help="print it as JSON")
    show.set_defaults(run=_show_list)


def _add_doctor(commands: Commands) -> None:
    doctor = _add_command(
        commands,
        "doctor",
        help="what works on this machine",
        description="Try what Protech needs, and say what to do about the rest.",
        epilog=DOCTOR_EXAMPLE,
    )
    doctor.add_argument("--json", action="store_true", help="print it as JSON")
    doctor.set_defaults(run=_doctor)


def _workers(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"give a number from 1 to {MOST_WORKERS}")
    return number


def _scan(options: argparse.Namespace) -> int:
    from protech.sandbox import harden_process
    from protech.triage.scan import Order, scan

    harden_process()
    order = Order(
        paths=options.paths,
        lists=options.lists,
        models=options.models,
        rows=options.jsonl,
        workers=options.workers,
        is_fast=options.fast,
    )
    return scan(order, out=sys.stdout, err=sys.stderr)


def _make_list(options: argparse.Namespace) -> int:
    from protech.salus.enlist import enlist
    from protech.sandbox import harden_process
    from protech.triage.show import Progress

    harden_process()
    progress = Progress(sys.stderr)

    def left_out(path: Path, why: str) -> None:
        progress.clear()
        sys.stderr.write(f"left out: {why}: {shown(path)}\n")

    made = enlist(
        options.directory,
        options.out,
        name=options.name,
        workers=options.workers,
        on_skip=left_out,
        on_item=lambda count: progress.show(f"{count:,} files"),
    )
    progress.clear()
    if options.json:
        print(json.dumps({"v": 1, **asdict(made)}))
    else:
        print(f"{shown(options.out)}: {made.name} {made.version}, {made.entries:,} entries")
    if not made.entries:
        sys.stderr.write("protech: no picture was found, so this list matches nothing.\n")
    if made.skipped or made.others:
        sys.stderr.write(
            f"left out: {made.skipped:,} that cannot be judged, {made.others:,} that are no"
            " pictures\n"
        )
    return 0


def _show_list(options: argparse.Namespace) -> int:
    from protech.lists.formats.own import (
        header_fields,
    )
    from protech.lists.store import open_list
    from protech.sandbox import harden_process
    from protech.types import MatchKind

    harden_process()
    known = open_list(options.list)
    kinds = (MatchKind.SHA256, MatchKind.SHA1, MatchKind.MD5, MatchKind.PDQ)
    fields = {
        **header_fields(known.header),
        "stale": known.ref.stale,
        "bad": known.reading.bad,
        "identifiers": {kind.value: known.index.count(kind) for kind in kinds},
    }
    if options.json:
        print(json.dumps({"v": 1, **fields}))
        return 0
    for name, value in fields.items():
        print(f"{name:<14} {_text(value)}")
    for bad in known.reading.first_bad:
        print(f"line {bad.line:<9} {bad.reason}")
    return 0


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    return ", ".join(value) if isinstance(value, list) else json.dumps(value).strip('"')


def _doctor(options: argparse.Namespace) -> int:
    from protech.doctor import examine

    return examine(is_json=options.json, out=sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
