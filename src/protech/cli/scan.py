"""``protech scan``: judge files and folders."""

import argparse
import sys
from pathlib import Path

from protech.cli.grammar import Commands, new_command, workers

EXAMPLE = """examples:
  protech scan ~/Pictures --list mine.list         a line for each file
  protech scan /media/usb --jsonl rows.jsonl       the same as JSON, in a file
  protech scan photo.jpg --json                    as JSON on standard output

exit codes: 0 nothing blocked, 1 something blocked, 2 and up an error (docs/rows.md).
"""


def add_scan(commands: Commands) -> None:
    """Add ``protech scan``."""
    scan = new_command(
        commands,
        "scan",
        help="judge files and folders",
        description="Judge every file of the paths and print a row for each.",
        epilog=EXAMPLE,
    )
    scan.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    _add_lists(scan)
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
    _add_looks(scan)
    scan.set_defaults(run=_scan)


def _add_looks(scan: argparse.ArgumentParser) -> None:
    scan.add_argument(
        "--borders", action="store_true", help="find listed pictures with bars around them, too"
    )
    scan.add_argument(
        "--mirrored", action="store_true", help="find mirrored and turned ones, too"
    )


def _add_lists(scan: argparse.ArgumentParser) -> None:
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
