"""``protech lists``: make, import and look at known lists."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from protech.cli.device import add_device
from protech.cli.excepting import add_except
from protech.cli.grammar import Commands, new_command, workers
from protech.cli.officers import add_authority
from protech.cli.transfer import add_transfer
from protech.salus.walk import shown

EXAMPLE = """examples:
  protech lists make ~/Pictures/mine --out mine.list     a list of your own pictures
  protech lists show mine.list                           what a list says of itself
"""


def add_lists(commands: Commands) -> None:
    """Add ``protech lists`` and its actions."""
    lists = new_command(commands, "lists", help="make and look at known lists", epilog=EXAMPLE)
    actions = lists.add_subparsers(title="actions", metavar="ACTION", required=True)
    make = new_command(
        actions,
        "make",
        help="make a list of your own pictures and videos",
        description="Hash all pictures and videos below DIR into an own list; it is unsigned.",
        epilog=EXAMPLE,
    )
    make.add_argument("directory", type=Path, metavar="DIR")
    make.add_argument("--out", type=Path, required=True, metavar="LIST")
    make.add_argument("--name", help="what verdicts call it (default: the directory's name)")
    make.add_argument("--workers", type=workers, metavar="N", help="items at once")
    make.add_argument("--json", action="store_true", help="print the result as JSON")
    make.set_defaults(run=_make_list)
    show = new_command(
        actions,
        "show",
        help="what a list says of itself",
        description="Print name, version, uses and counts of a list; never its entries.",
        epilog=EXAMPLE,
    )
    show.add_argument("list", metavar="LIST", help="a file, or the name of a synced list")
    show.add_argument("--json", action="store_true", help="print it as JSON")
    show.set_defaults(run=_show_list)
    add_transfer(actions)
    add_authority(actions)
    add_device(actions)
    add_except(actions)


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
        sys.stderr.write("protech: no picture or video was found: this list matches nothing.\n")
    if made.skipped or made.others:
        sys.stderr.write(
            f"left out: {made.skipped:,} that cannot be judged, {made.others:,} that are"
            " neither picture nor video\n"
        )
    return 0


def _show_list(options: argparse.Namespace) -> int:
    from protech.lists.formats.own import header_fields
    from protech.lists.store import open_list
    from protech.sandbox import harden_process

    harden_process()
    known = open_list(options.list)
    fields = {
        **header_fields(known.header),
        "stale": known.ref.stale,
        "bad": known.reading.bad,
        "identifiers": {kind.value: count for kind, count in known.counts().items()},
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
