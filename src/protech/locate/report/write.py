"""Writes what a case says into files: report, CASE/UCO, verifier, a word to the defence.

The files hold addresses in clear: who writes them decides where, and for whom.
"""

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from importlib import resources
from pathlib import Path

from protech import __version__
from protech.errors import ConfigError
from protech.evidence.bundle import bundle
from protech.evidence.report import render
from protech.locate.report.compose import BUNDLE_NAME, document
from protech.locate.report.material import Material
from protech.locate.report.peers import peers_of
from protech.locate.report.reading import Record, read
from protech.locate.report.self_test import SelfTest
from protech.locate.report.sheets import Basis, Sheet, peer_of, sheet
from protech.locate.report.stamps import Checkpoint
from protech.locate.report.words import Language, load

VERIFIER_NAME = "verify.py"
ED2K_NAME = "verify_ed2k.py"
"""What ``verify.py`` replays conversations of eDonkey with; it lies beside it."""
OF_ED2K = rb"\"network\":\"ed2k\""
NOTES = ("README-defence.txt", "LISEZMOI-defense.txt")

FILE_MODE = stat.S_IRUSR | stat.S_IWUSR


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A field sheet that somebody asked for: about which peer, and for which request."""

    peer: str = field(repr=False)
    sheet: Sheet
    basis: Basis | None = None


def material(
    records: Sequence[tuple[int, Record]],
    checkpoints: Sequence[Checkpoint],
    *,
    at: datetime,
    self_test: SelfTest | None = None,
    verifier: str | None = None,
    log_key: str = "",
) -> Material:
    """Return what a report of these records is made from.

    Args:
        records: All records of the case's log, each with its index, in order.
        checkpoints: The signed states of that log, with their stamps.
        at: The date of the report.
        self_test: The certificate of the build; ``self_test.shipped()`` gives the one that came
            with this one.
        verifier: The source of ``verify.py``; None: that of this version.
        log_key: The public key of the log, as signed notes write it.

    Raises:
        SourceError: A record is not as this version reads it, or there is no run.
    """
    case = read(records)
    return Material(
        case=case,
        peers=peers_of(case.seen),
        log_key=log_key,
        checkpoints=tuple(checkpoints),
        self_test=self_test,
        bundle=bundle(records),
        verifier=_verifier() if verifier is None else verifier,
        version=__version__,
        at=at,
    )


def compose(
    made: Material,
    *,
    language: Language,
    sheets: Sequence[Asked] = (),
    packs: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Return the files of a report by their names; the same ones for the same material.

    Args:
        made: What ``material`` gives.
        language: Of the report, and of an EPOC sheet.
        sheets: The field sheets that were asked for.
        packs: Disclosure packs by file name, put beside the report as they are.

    Raises:
        AuthorityError: A sheet is asked for of a peer that carries no subscriber request.
        SourceError: A sheet is asked for of a peer that the report does not name.
        ConfigError: The report cannot be made with the Typst that is installed.
    """
    words = load(language)
    given = dict(packs or {})
    if any(OF_ED2K in pack for pack in given.values()):
        given[ED2K_NAME] = resources.files("protech.evidence").joinpath(ED2K_NAME).read_bytes()
    beside = {name: sha256(content).hexdigest() for name, content in given.items()}
    made = replace(made, packs=beside)
    drafts = {
        f"{one.sheet}-{peer.number}.pdf": render(
            sheet(made, words, peer, one.sheet, basis=one.basis)
        )
        for one in sheets
        for peer in (peer_of(made, one.peer),)
    }
    files = {f"report-{language}.pdf": render(document(made, words))}
    files |= drafts
    files[BUNDLE_NAME] = made.bundle.encode()
    if made.verifier:
        files[VERIFIER_NAME] = made.verifier.encode()
    files |= {name: _packaged(name) for name in NOTES}
    return files | given


def save(files: Mapping[str, bytes], directory: Path) -> list[Path]:
    """Write files into a directory of this user alone, over nothing; return their paths.

    Raises:
        ConfigError: One of them is there already, or cannot be written.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        paths = {directory / Path(name).name: content for name, content in files.items()}
        if taken := sum(path.exists() for path in paths):
            raise ConfigError(
                f"The report was not written: the directory holds {taken} of its files already."
                " Name a new directory."
            )
        for path, content in paths.items():
            path.touch(mode=FILE_MODE, exist_ok=False)
            path.write_bytes(content)
    except OSError as cause:
        raise ConfigError(
            "The report could not be written: there is no such directory, or it takes no more"
            " files. Free some room, or name another one."
        ) from cause
    return list(paths)


def _verifier() -> str:
    """Return the stand-alone verifier of this version; nothing where there is none."""
    file = resources.files("protech.evidence").joinpath(VERIFIER_NAME)
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _packaged(name: str) -> bytes:
    return resources.files("protech.locate.report").joinpath("templates", name).read_bytes()
