"""``protech locate report`` and ``destroy``."""

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from protech.errors import ConfigError
from protech.evidence import case_key
from protech.locate.case import Case, open_case
from protech.locate.command_key import unwrap_of
from protech.locate.command_say import on_one_line
from protech.locate.command_verify import stamps_of

if TYPE_CHECKING:
    from protech.locate.report.write import Asked


def write_report(options: argparse.Namespace) -> int:
    """Write the report of a case, its bundle, and packs for the defence."""
    from protech.locate.report.gather import delivered, of_log, packs_of
    from protech.locate.report.self_test import shipped
    from protech.locate.report.words import Language
    from protech.locate.report.write import compose, save

    case = open_case(options.case, unwrap_of(options))
    stamps = stamps_of(case)
    at = datetime.now(UTC).replace(microsecond=0)
    with case.open_log() as log:
        made = of_log(log, stamps, at=at, self_test=shipped())
        wanted = options.pack if options.pack is not None else delivered(log)
        files = compose(
            made,
            language=Language(options.lang),
            sheets=_sheets(options),
            packs=packs_of(log, stamps, wanted),
        )
        written = save(files, options.out)
    print(f"{options.out}: {len(written)} files, the report in report-{options.lang}.pdf")
    return 0


def destroy_case(options: argparse.Namespace) -> int:
    """Destroy the key of a case: nothing of it can be read again, by anybody."""
    case = open_case(options.case, unwrap_of(options))
    if not options.yes and not _is_meant(case):
        raise ConfigError("Nothing was destroyed: the name of the case was not typed.")
    with case.open_log(for_writing=True) as log:
        note = case_key.destroy(
            case.folder,
            reason=options.reason,
            now=datetime.now(UTC),
            key=log.about.key,
            sign=case.sign,
        )
    print(note.decode())
    sys.stderr.write(
        "The key is gone from this directory. Each vantage that joined the case, and each"
        " copy of the directory, still has it: destroy it there, too, and close open pages.\n"
    )
    return 0


def _is_meant(case: Case) -> bool:
    name = on_one_line(case.name)
    sys.stderr.write(f"This cannot be undone. Type the name of the case ({name}): ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == case.name


def _sheets(options: argparse.Namespace) -> "list[Asked]":
    from protech.locate.report.sheets import Basis, Sheet
    from protech.locate.report.write import Asked

    if options.sheet is None:
        return []
    if options.peer is None:
        raise ConfigError("A field sheet is about one peer: name it with --peer.")
    basis = None if options.basis is None else Basis(options.basis)
    return [Asked(peer=options.peer, sheet=Sheet(options.sheet), basis=basis)]
