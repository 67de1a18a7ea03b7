"""The directory of a case: its key, its log, its papers, and what is remembered beside them.

    case.json   its name, and whether it is of a lab     papers/   what was signed (``filed``)
    key.json    its one key, wrapped                     log/      the records, and their tree
    log.key     signs checkpoints; sealed                stamps/   of checkpoints (RFC 3161)
    leases.db, courtesy.db   keyed names and times       archive/  sightings as sealed Parquet
    ledger.db   pieces that were asked for               seen      newest timestamp and lists

All but ``case.json`` and ``papers`` is under the case's key.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from protech.errors import ConfigError, TrustError
from protech.evidence import case_key
from protech.evidence.case_key import Wraps
from protech.evidence.ciphers import derive
from protech.evidence.log import Log
from protech.lists.logbook import read_file
from protech.locate.vault import Vault
from protech.settings import private_directory, write_private
from protech.signing import Key, write_new

FORMAT_VERSION = 1

ABOUT = "case.json"
ABOUT_BYTES = 64 * 1024
LOG = "log"
LOG_KEY = "log.key"
PAPERS = "papers"
STAMPS = "stamps"
ARCHIVE = "archive"
LEASES = "leases.db"
COURTESY = "courtesy.db"

SHARED = "shared"
"""Stands in the directory of a case that another vantage has joined."""

SEED_BYTES = 32
NAME_CHARACTERS = 200

VANTAGE = "/"
"""Stands in the name of a log between the case's and the vantage's; in neither of them."""

type Unwrap = Callable[[Wraps], bytes]
"""Opens a case's key: with a token, or an age identity of the authority."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case that is open."""

    folder: Path
    name: str
    is_lab: bool
    data_key: bytes = field(repr=False)

    @property
    def papers(self) -> Path:
        """Where what was signed stands."""
        return self.folder / PAPERS

    @property
    def pseudonym_key(self) -> bytes:
        """What peers are called by whom no record names."""
        return derive(self.data_key, purpose="protech locate pseudonyms")

    def vault(self, purpose: str) -> Vault:
        """Return what names and hides the contents of one store."""
        return Vault(self.data_key, purpose=purpose)

    def open_log(self, *, for_writing: bool = False) -> Log:
        """Open the log of records.

        Raises:
            SourceError, ConfigError, TrustError: As ``Log.open``.
        """
        signer = self._signer() if for_writing else None
        return Log.open(self.folder / LOG, signer=signer, data_key=self.data_key)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message by the log's key."""
        return self._signer().sign(message)

    def _signer(self) -> Key:
        sealed = read_file(self.folder / LOG_KEY, most=ABOUT_BYTES)
        if sealed is None:
            raise ConfigError(
                f"The case in {self.folder} has no {LOG_KEY} any more, so that nothing can be"
                " added to its log; put back its copy."
            )
        return Key.of_seed(self.vault(LOG_KEY).open_bytes(sealed, LOG_KEY.encode()))


def create_case(
    folder: Path,
    *,
    name: str,
    is_lab: bool,
    recipients: Sequence[str],
    tokens: Sequence[bytes] = (),
) -> Case:
    """Make the directory of a new case; ``case.json`` comes last, so a kill leaves none.

    Args:
        folder: Where; it must not be there, or hold nothing but papers.
        name: As the authorisation calls the case.
        is_lab: Whether it is of a lab, for good.
        recipients: The authority's age recipients, who can open the case.
        tokens: The public points of the operators' tokens, which can, too.

    Raises:
        ConfigError: Something is there already, or it cannot be written.
        TrustError: The name cannot be one, or a recipient is none.
    """
    if not name.isprintable() or not 0 < len(name) <= NAME_CHARACTERS:
        raise TrustError(
            f"The name of a case is 1 to {NAME_CHARACTERS} printable characters: what the"
            " authorisation says."
        )
    _require_empty(folder)
    data_key = case_key.create(folder, case=name, recipients=recipients, tokens=tokens)
    case = Case(folder=folder, name=name, is_lab=is_lab, data_key=data_key)
    _begin(case, origin=quote(name, safe=""))  # a signed note's name has no spaces
    return case


def join_case(folder: Path, case: Case, *, vantage: str) -> Case:
    """Make the directory of one more vantage of a case: the same key, a log of its own.

    Args:
        folder: Where; it must not be there, or hold nothing but papers.
        case: The case, open.
        vantage: What this one is called in its log's checkpoints; no other may be called so.

    Raises:
        ConfigError: Something is there already, or it cannot be written.
        TrustError: It cannot be called so.
    """
    if not vantage.isprintable() or not 0 < len(vantage) <= NAME_CHARACTERS:
        raise TrustError(f"A vantage's name is 1 to {NAME_CHARACTERS} printable characters.")
    _require_empty(folder)
    wraps = read_file(case.folder / case_key.KEY, most=case_key.FILE_BYTES)
    if wraps is None:
        raise ConfigError(
            f"The case in {case.folder} has no key any more; nothing can join it."
        )
    write_private(case.folder / SHARED, b"")
    write_new(folder / case_key.KEY, wraps)
    joined = replace(case, folder=folder)
    _begin(joined, origin=f"{quote(case.name, safe='')}{VANTAGE}{quote(vantage, safe='')}")
    return joined


def _require_empty(folder: Path) -> None:
    private_directory(folder)
    if any(one.name != PAPERS for one in folder.iterdir()):
        raise ConfigError(
            f"There is something in {folder} already, and it is no case; name a new directory,"
            " or remove what a case that was never whole left there."
        )


def _begin(case: Case, *, origin: str) -> None:
    """Make the log of a case, and say last that the case is whole."""
    seed = os.urandom(SEED_BYTES)
    sealed = case.vault(LOG_KEY).seal_bytes(seed, LOG_KEY.encode())
    write_new(case.folder / LOG_KEY, sealed)
    signer = Key.of_seed(seed)
    log = Log.create(case.folder / LOG, origin=origin, signer=signer, data_key=case.data_key)
    log.close()
    about = {"v": FORMAT_VERSION, "name": case.name, "lab": case.is_lab}
    write_private(case.folder / ABOUT, json.dumps(about).encode() + b"\n")


def open_case(folder: Path, unwrap: Unwrap) -> Case:
    """Open the case in a directory.

    Raises:
        ConfigError: There is none, or its key was destroyed.
        TrustError: It was changed, or ``unwrap`` does not open it.
    """
    about = _about(folder)
    wraps = case_key.read_wraps(folder)
    name, is_lab = about.get("name"), about.get("lab")
    if wraps.case != name or not isinstance(is_lab, bool) or not isinstance(name, str):
        raise TrustError(
            f"The case in {folder} and its key have different names: one of them was put there"
            " from elsewhere. Put back its copy."
        )
    return Case(folder=folder, name=name, is_lab=is_lab, data_key=unwrap(wraps))


def has_other_vantages(folder: Path, origin: str) -> bool:
    """Return whether the vantage of a log of that name is one of several of its case."""
    return VANTAGE in origin or (folder / SHARED).exists()


def is_case(folder: Path) -> bool:
    """Return whether a whole case is in a directory."""
    return (folder / ABOUT).exists()


def _about(folder: Path) -> dict[str, object]:
    try:
        with (folder / ABOUT).open("rb") as file:
            about = json.loads(file.read(ABOUT_BYTES))
    except OSError as refused:
        raise ConfigError(
            f"There is no case in {folder}: {refused.strerror}. `protech locate run` begins"
            " one."
        ) from refused
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict) or about.get("v") != FORMAT_VERSION:
        raise TrustError(
            f"What {folder} says of its case was changed, or is of another version; put back"
            " its copy."
        )
    return about
