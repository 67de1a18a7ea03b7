"""The plain list that an authority publishes: checked, canonical, and kept in private."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, assert_never

from protech.errors import ListFormatError, SourceError, TrustError
from protech.lists import fetch_keys
from protech.lists.canonical import canonical
from protech.lists.entries import BadEntry, Category, ListHeader, Use
from protech.lists.formats import exceptions
from protech.lists.publish.place import new_file, settle
from protech.lists.reader import reading
from protech.lists.trust import CATEGORIES, ListTarget, TargetKind, check_target

OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
BLOCK_BYTES = 1 << 20

EXCEPTIONS_USES = frozenset({Use.TRIAGE, Use.MESSAGING})
"""For operators and examiners, never on a guarded person's device."""

LEGAL_BASIS_CHARACTERS = 500

SILENCES = "silences"
"""Where a draft of exceptions says which lists they are exceptions to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A list that may be published: what it says of itself, and where it is read."""

    kind: TargetKind
    header: ListHeader
    source: BinaryIO

    @property
    def silences(self) -> frozenset[str]:
        """The lists that these are exceptions to, if they are."""
        found = self.header.others.get(SILENCES)
        return found if isinstance(found, frozenset) else frozenset()


@contextmanager
def drafted(path: Path, kind: TargetKind, *, version: int | None) -> Iterator[Draft]:
    """Give the list in a file, checked; ``version`` is the number that it gets instead.

    Raises:
        SourceError: It cannot be read.
        ListFormatError: It is none, or has entries that are none.
        TrustError: No authority may publish it.
    """
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except OSError as refused:
        raise SourceError(
            f"{path} cannot be opened: {refused.strerror}; check it."
        ) from refused
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceError(f"{path} is not a file; name the list itself.")
    with os.fdopen(descriptor, "rb") as source:
        header = _header(source, kind)
        if version is not None:
            header = _numbered(header, kind, version)
        _check_header(header, kind)
        source.seek(0)
        yield Draft(kind=kind, header=header, source=source)


def plain_name(target: ListTarget) -> str:
    """Return what the plain form of a target is called in private."""
    return target.path.removesuffix(".age")


def keep(draft: Draft, folder: Path) -> ListTarget:
    """Write a draft, canonically, into a directory of this user alone; return its target.

    Raises:
        ListFormatError: A line of it is too long or was cut.
        ConfigError: There is no room.
    """
    with new_file(folder) as (out, path):
        header = _write(draft, out, folder)
        settle(out)
        target = _target(draft.kind, header, path)
        path.replace(folder / plain_name(target))
    return target


def _write(draft: Draft, out: BinaryIO, folder: Path) -> ListHeader:
    if draft.kind is TargetKind.FULL:
        return canonical(draft.source, out, draft.header, spool=folder)
    while block := draft.source.read(BLOCK_BYTES):
        out.write(block)
    return draft.header


def _target(kind: TargetKind, header: ListHeader, path: Path) -> ListTarget:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    target = ListTarget(
        name=header.name,
        version=header.version,
        kind=kind,
        sha256=digest,
        size_bytes=path.stat().st_size,
        entries=header.count,
        category=header.category,
        uses=header.uses,
        issuer=header.issuer or "",
        legal_basis=header.legal_basis or "",
        legal_class=header.legal_class,
        quality_floor=header.quality_floor,
        is_sealed=header.is_sealed,
        expires_at=header.expires_at,
    )
    check_target(target)
    return target


def _header(source: BinaryIO, kind: TargetKind) -> ListHeader:
    match kind:
        case TargetKind.FULL:
            return _list_header(source)
        case TargetKind.FETCH_KEYS:
            return _checked(fetch_keys.read_header(source), fetch_keys.read_keys(source))
        case TargetKind.EXCEPTIONS:
            return _exceptions_header(source)
        case TargetKind.DELTA:
            raise TrustError("A delta is made of two versions; stage the list itself.")
        case _:
            assert_never(kind)


def _list_header(source: BinaryIO) -> ListHeader:
    with reading(source.fileno()) as (header, entries):
        return _checked(header, entries)


def _exceptions_header(source: BinaryIO) -> ListHeader:
    """Return what a target says of exceptions: for whom they are, and what they silence."""
    said, entries, bad = exceptions.read(source.read(exceptions.FILE_BYTES + 1))
    header = ListHeader(
        name=said.name,
        version=said.version,
        category=Category.CSAM,
        uses=EXCEPTIONS_USES,
        created_at=said.created_at,
        expires_at=said.expires_at,
        count=len(entries),
        issuer=said.author,
        legal_basis=f"Exceptions to {', '.join(sorted(said.lists))}"[:LEGAL_BASIS_CHARACTERS],
        others={SILENCES: said.lists},
    )
    return _checked(header, iter(bad))


def _checked(header: ListHeader, entries: Iterator[object]) -> ListHeader:
    """Return the header when all that follows are entries."""
    bad = [entry for entry in entries if isinstance(entry, BadEntry)]
    if bad:
        raise ListFormatError(
            f"The list has {len(bad)} entries that are none, the first on line {bad[0].line}:"
            f" {bad[0].reason}. Import it again; what is published has none."
        )
    return header


def _numbered(header: ListHeader, kind: TargetKind, version: int) -> ListHeader:
    if kind is not TargetKind.FULL:
        raise TrustError("Only a list can be given another version; write it into the file.")
    return replace(header, version=version)


def _check_header(header: ListHeader, kind: TargetKind) -> None:
    """Check that a list says what one that is published must say."""
    if header.category not in CATEGORIES:
        raise TrustError(
            f"A list of the category {header.category} is never published; import one that an"
            f" authority made, of {' or '.join(sorted(CATEGORIES))}."
        )
    wanted = {"issuer": header.issuer, "legal_basis": header.legal_basis}
    if header.category is Category.CSAM and kind is not TargetKind.EXCEPTIONS:
        wanted["legal_class"] = header.legal_class
    missing = [name for name, value in wanted.items() if value is None]
    if missing:
        raise TrustError(
            f"The list does not say its {', '.join(missing)}; import it again with all of them."
        )
