"""The ``protech`` command: reads the command line, calls the part, says what went wrong."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from protech import __version__
from protech.cli.grammar import Commands, new_command, workers
from protech.cli.lists import add_lists
from protech.errors import ConfigError, ProtechError
from protech.salus.walk import shown
from protech.streams import let_go_of_output, open_streams

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
BROKEN_PIPE = 141
"""128 + SIGPIPE."""

SCAN_EXAMPLE = """examples:
  protech scan ~/Pictures --list mine.list         a line for each file
  protech scan /media/usb --jsonl rows.jsonl       the same as JSON, in a file
  protech scan photo.jpg --json                    as JSON on standard output

exit codes: 0 nothing blocked, 1 something blocked, 2 and up an error (docs/rows.md).
"""
DOCTOR_EXAMPLE = """example:
  protech doctor           what works on this machine, and what to do about the rest
"""


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
    add_lists(commands)
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


def _add_scan(commands: Commands) -> None:
    scan = new_command(
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
        metavar="LIST",
        help="a known list: a file, or the name of a synced one; may be given more than once"
        " (default: every synced list that is for triage)",
    )
    scan.add_argument(
        "--exceptions",
        action="append",
        default=[],
        metavar="LIST",
        help="a signed exception list: a file, or the name of a synced one",
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
    scan.add_argument("--workers", type=workers, metavar="N", help="items judged at once")
    scan.add_argument("--fast", action="store_true", help="known lists alone, no classifier")
    scan.add_argument(
        "--borders", action="store_true", help="find listed pictures with bars around them, too"
    )
    scan.add_argument(
        "--mirrored", action="store_true", help="find mirrored and turned ones, too"
    )
    scan.set_defaults(run=_scan)


def _add_doctor(commands: Commands) -> None:
    doctor = new_command(
        commands,
        "doctor",
        help="what works on this machine",
        description="Try what Protech needs, and say what to do about the rest.",
        epilog=DOCTOR_EXAMPLE,
    )
    doctor.add_argument("--json", action="store_true", help="print it as JSON")
    doctor.set_defaults(run=_doctor)


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
        exceptions=options.exceptions,
        is_fast=options.fast,
        borders=options.borders,
        mirrored=options.mirrored,
    )
    return scan(order, out=sys.stdout, err=sys.stderr)


def _doctor(options: argparse.Namespace) -> int:
    from protech.doctor import examine

    return examine(is_json=options.json, out=sys.stdout)
