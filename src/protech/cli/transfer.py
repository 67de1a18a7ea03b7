"""``protech lists import|export``: lists in the formats of others."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from protech.cli.grammar import Commands, day, new_command
from protech.errors import ConfigError
from protech.lists.entries import OWN_USES, Category, LegalClass, ListHeader, Use
from protech.salus.walk import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from protech.lists.batch import Batch
    from protech.lists.convert import Converted
    from protech.lists.entries import BadEntry, Entry
    from protech.lists.formats.known import Format

EXAMPLE = """examples:
  protech lists import national.json --take 1,2 --out national.list \\
      --name national --issuer "Example Police" --legal-basis "Penal Code 227-23"
  protech lists import RDS_modern_minimal.db --category known_good --out nsrl.list
  protech lists export mine.list --format vics --out mine.json

docs/formats.md says what is read of each format, and what is left out.
"""

QUALITY_MOST = 100

REMEDY = "make room, or name another place with --out"


def add_transfer(actions: Commands) -> None:
    """Add ``import`` and ``export`` to ``protech lists``."""
    take = new_command(
        actions,
        "import",
        help="make a list of a file in another format",
        description="Read FILE in a locked process and write a list of it; it is unsigned.",
        epilog=EXAMPLE,
    )
    take.add_argument("file", type=Path, metavar="FILE")
    take.add_argument("--out", type=Path, required=True, metavar="LIST")
    take.add_argument("--format", help="its format (default: told by its beginning)")
    take.add_argument(
        "--take",
        type=lambda text: frozenset(text.split(",")),
        metavar="A,B",
        help="which of the file's own categories are listed; all takes every one",
    )
    _add_header(take)
    take.add_argument("--json", action="store_true", help="print the result as JSON")
    take.set_defaults(run=_import)
    give = new_command(
        actions,
        "export",
        help="write a list of your own in another format",
        description="Write LIST for other programs; an authority's list only where it says so.",
        epilog=EXAMPLE,
    )
    give.add_argument("list", type=Path, metavar="LIST")
    give.add_argument("--format", required=True, choices=("vics", "csv", "hma"))
    give.add_argument("--out", type=Path, required=True, metavar="FILE")
    give.add_argument("--json", action="store_true", help="print the result as JSON")
    give.set_defaults(run=_export)


def _add_header(take: argparse.ArgumentParser) -> None:
    take.add_argument("--name", help="what verdicts call it (default: the file's name)")
    take.add_argument(
        "--category", type=Category, default=Category.CSAM, choices=list(Category)
    )
    take.add_argument("--issuer", help="whose list it is")
    take.add_argument("--legal-basis", help="by which law it is kept and used")
    take.add_argument("--legal-class", type=LegalClass, choices=list(LegalClass))
    take.add_argument(
        "--use",
        dest="uses",
        type=Use,
        action="append",
        choices=sorted(OWN_USES),
        help=f"what it may be used for (default: {', '.join(sorted(OWN_USES))})",
    )
    take.add_argument("--expires", type=day, metavar="DATE", help="when it expires, in UTC")
    take.add_argument("--quality-floor", type=_quality, metavar="N", help="least PDQ quality")
    take.add_argument("--sealed", action="store_true", help="devices keep it encrypted")


def _quality(text: str) -> int:
    number = int(text) if text.isdecimal() else QUALITY_MOST + 1
    if number > QUALITY_MOST:
        raise argparse.ArgumentTypeError(f"give a number from 0 to {QUALITY_MOST}")
    return number


def _import(options: argparse.Namespace) -> int:
    from protech.lists.convert import converting
    from protech.lists.store import opened_file, version_at
    from protech.sandbox import harden_process
    from protech.triage.show import Progress

    harden_process()
    header = ListHeader(
        name=options.name or options.file.stem,
        version=version_at(options.out) + 1,
        category=options.category,
        uses=frozenset(options.uses or OWN_USES),
        created_at=datetime.now(UTC).replace(microsecond=0),
        expires_at=options.expires,
        issuer=options.issuer,
        legal_basis=options.legal_basis,
        legal_class=options.legal_class,
        quality_floor=options.quality_floor,
        is_sealed=options.sealed,
    )
    progress = Progress(sys.stderr)
    with opened_file(options.file) as descriptor:
        done = converting(
            descriptor,
            out=options.out,
            header=header,
            format=_format(options.format),
            take=options.take,
            on_entries=lambda count: progress.show(f"{count:,} entries"),
        )
    progress.clear()
    _tell(options, header, done)
    return 0


def _format(name: str | None) -> "Format | None":
    from protech.lists.formats.known import Format

    if name is None:
        return None
    if name not in set(Format):
        raise ConfigError(f"There is no format {name!r}; there are: {', '.join(Format)}.")
    return Format(name)


def _tell(options: argparse.Namespace, header: ListHeader, done: "Converted") -> None:
    if options.json:
        fields = {
            "v": 1,
            "name": header.name,
            "version": header.version,
            "format": done.format,
            "entries": done.entries,
            "bad": done.bad,
            "first_bad": [[bad.line, bad.reason] for bad in done.first_bad],
            "categories": dict(done.categories),
        }
        print(json.dumps(fields))
        return
    print(
        f"{shown(options.out)}: {shown(header.name)} {header.version},"
        f" {done.entries:,} entries of {done.format}"
    )
    for category, count in sorted(done.categories.items()):
        print(f"category {shown(category)}: {count:,} in the file")
    for bad in done.first_bad:
        sys.stderr.write(f"left out: {bad.line:,}: {bad.reason}\n")
    if done.bad:
        sys.stderr.write(f"left out: {done.bad:,} in all, by line or place in the file\n")


def _export(options: argparse.Namespace) -> int:
    from protech.lists.batch import entries_of
    from protech.lists.entries import BadEntry
    from protech.lists.formats.own import require_count
    from protech.lists.formats.writers import Export, check_exportable, write
    from protech.lists.reader import reading
    from protech.lists.store import opened_file
    from protech.sandbox import harden_process
    from protech.settings import replacing

    harden_process()
    _refuse_existing(options.out)
    bad = 0

    def entries(batches: "Iterator[Batch | BadEntry]") -> "Iterator[Entry]":
        nonlocal bad
        for batch in batches:
            if isinstance(batch, BadEntry):
                bad += 1
            else:
                yield from entries_of(batch)

    with (
        replacing(options.out, remedy=REMEDY) as file,  # last to end: a doubt leaves no file
        opened_file(options.list) as descriptor,
        reading(descriptor) as (header, batches),
    ):
        check_exportable(header)
        count = write(Export(options.format), header, entries(batches), file)
        require_count(header, count + bad)
    if options.json:
        print(json.dumps({"v": 1, "format": options.format, "entries": count, "bad": bad}))
    else:
        print(f"{shown(options.out)}: {count:,} entries")
    if bad:
        sys.stderr.write(f"left out: {bad:,} lines that are no entries\n")
    return 0


def _refuse_existing(out: Path) -> None:
    if out.exists() or out.is_symlink():
        raise ConfigError(
            f"{shown(out)} is there already, and would be lost; remove it first, or name"
            " another file with --out."
        )
