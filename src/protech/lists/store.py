"""Where the indexes of known lists live, and known lists opened for use.

An index stands in the user's cache under the SHA-256 of its list, so that a changed list is
another index. What is there can be deleted at any time; it is made again from the list.
"""

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from protech.errors import ConfigError, ListFormatError, SourceError, TrustError
from protech.lists.batch import Batch
from protech.lists.entries import BadEntry, Category, ListHeader
from protech.lists.formats.own import (
    header_fields,
    parse_header,
)
from protech.lists.index import NEW, RADIUS_BITS, Hit, Index, build
from protech.lists.reader import reading
from protech.lists.seals import MANIFEST
from protech.settings import Places, private_directory
from protech.types import Digests, ListRef, Match, PdqHash

INDEXES = "lists"
"""The directory of the cache that holds them."""

LOCK = "lock"

UNUSED_FOR = timedelta(days=30)
"""An index that no one opened for so long is deleted: its list may be gone, too."""

BAD_SHOWN = 20
"""How many bad lines are named; all are counted."""

CHUNK_BYTES = 1 << 20

OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What came of reading a list: entries kept, lines that are none, the first of them."""

    entries: int
    bad: int
    first_bad: tuple[BadEntry, ...] = ()


class KnownList:
    """A known list in use; safe between threads."""

    def __init__(
        self, *, header: ListHeader, index: Index, reading: Reading, clock: Clock
    ) -> None:
        """Take the parts; ``open_list`` makes them from a file."""
        self.header = header
        self.index = index
        self.reading = reading
        self._clock = clock

    @property
    def ref(self) -> ListRef:
        """Name, version, and whether it has expired by now."""
        expires_at = self.header.expires_at
        is_stale = expires_at is not None and self._clock() >= expires_at
        return ListRef(name=self.header.name, version=self.header.version, stale=is_stale)

    def exact(self, digests: Digests) -> list[Match]:
        """Return a match for each of the three digests that is listed."""
        return self._matches(self.index.exact(digests))

    def near(self, hashes: Sequence[PdqHash], *, radius_bits: int = RADIUS_BITS) -> list[Match]:
        """Return the nearest entries within ``radius_bits``, as ``Index.near`` does.

        A list of harmless files has none: what looks like one of them may be anything.
        """
        if self.header.is_known_good:
            return []
        return self._matches(self.index.near(hashes, radius_bits=radius_bits))

    def _matches(self, hits: Sequence[Hit]) -> list[Match]:
        is_own = self.header.category == Category.OWN
        source = self.ref
        return [
            Match(
                source=source,
                kind=hit.kind,
                entry=self.index.label(hit.row) if is_own else None,
                distance_bits=hit.distance_bits,
                quality=hit.quality,
                is_known_good=self.header.is_known_good,
            )
            for hit in hits
        ]


def open_list(
    path: Path, *, use: str | None = None, cache: Path | None = None, clock: Clock = utc_now
) -> KnownList:
    """Open the known list in a file, indexing it where that has not been done.

    Args:
        path: A list as ``protech lists make`` writes it.
        use: What it is to be used for; None only to look at it.
        cache: Where indexes live; None takes the user's cache directory.
        clock: Tells whether it has expired.

    Raises:
        SourceError: There is no such file, or it cannot be read.
        ListFormatError: It is no list, or was cut.
        TrustError: It does not allow this use.
        SandboxError: The kernel does not let its reader be locked.
    """
    with _opened(path) as descriptor:
        name = _sha256(descriptor)
        with _directory(cache or Places.of_user().cache / INDEXES) as directory:
            index = _find(directory / name) or _make(directory, name, descriptor, path)
    header = parse_header(json.dumps(index.about["header"]).encode())
    if use is not None and use not in header.uses:
        raise TrustError(
            f"The known list {path} is for {', '.join(sorted(header.uses))}, not for {use};"
            " leave it out, or ask its maker for one that allows this use."
        )
    return KnownList(header=header, index=index, reading=_reading(index), clock=clock)


def _reading(index: Index) -> Reading:
    about = index.about
    first_bad = (BadEntry(line=line, reason=reason) for line, reason in about["first_bad"])
    return Reading(entries=about["entries"], bad=about["bad"], first_bad=tuple(first_bad))


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Give a descriptor of a list, and see to it that it stayed the same meanwhile."""
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except OSError as refused:
        raise SourceError(
            f"The known list {path} cannot be opened: {refused.strerror}; check its path."
        ) from refused
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise SourceError(f"The known list {path} is not a file; name the list itself.")
        yield descriptor
        after = os.fstat(descriptor)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise ListFormatError(
                f"The known list {path} changed while it was read; try again."
            )
    finally:
        os.close(descriptor)


def _sha256(descriptor: int) -> str:
    digest = hashlib.sha256()
    at = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, at):
        digest.update(chunk)
        at += len(chunk)
    return digest.hexdigest()


@contextmanager
def _directory(wanted: Path) -> Iterator[Path]:
    """Give the directory of indexes; one that goes at once where none can be kept.

    What is mapped stays readable after its file is gone.
    """
    if _is_usable(wanted):
        yield wanted
    else:
        with tempfile.TemporaryDirectory(prefix="protech-") as passing:
            yield Path(passing)


def _is_usable(directory: Path) -> bool:
    """Return whether indexes may be kept here; `protech doctor` says why they may not."""
    try:
        private_directory(directory)
    except (ConfigError, TrustError):
        return False
    return os.access(directory, os.W_OK)


def _find(place: Path) -> Index | None:
    """Return the index at ``place``; None where there is none, or it is damaged."""
    if not place.exists():
        return None
    try:
        index = Index.open(place)
        with suppress(OSError):
            os.utime(place / MANIFEST)
    except ListFormatError:
        return None
    return index


def _make(directory: Path, name: str, descriptor: int, path: Path) -> Index:
    """Build an index, unless another process has done so while we waited for our turn."""
    try:
        with _turn(directory):
            found = _find(directory / name)
            if found is None:
                _sweep(directory, before_s=time.time() - UNUSED_FOR.total_seconds())
                _build(directory / name, descriptor)
                found = Index.open(directory / name)
    except OSError as refused:
        raise ConfigError(
            f"The index of the known list {path} cannot be written to {directory}:"
            f" {refused.strerror}; make room."
        ) from refused
    return found


def _build(place: Path, descriptor: int) -> None:
    with reading(descriptor) as (header, lines):
        kept = _Kept(header, lines)
        build(kept.batches(), place, about=kept.about)


class _Kept:
    """Entries on their way into an index, the bad ones counted on the way."""

    def __init__(self, header: ListHeader, lines: Iterator[Batch | BadEntry]) -> None:
        self._header = header
        self._lines = lines
        self._bad: list[BadEntry] = []
        self._bad_count = 0
        self.total = 0

    def batches(self) -> Iterator[Batch]:
        for line in self._lines:
            if isinstance(line, Batch):
                self.total += line.count
                yield line
                continue
            self.total += 1
            self._bad_count += 1
            if self._bad_count <= BAD_SHOWN:
                self._bad.append(line)
        if self.total != self._header.count:
            raise ListFormatError(
                f"The known list says that it has {self._header.count} entries, and has"
                f" {self.total}: it was cut or added to. Get it again from where it came."
            )

    def about(self) -> Mapping[str, object]:
        return {
            "header": header_fields(self._header),
            "entries": self.total - self._bad_count,
            "bad": self._bad_count,
            "first_bad": [[bad.line, bad.reason] for bad in self._bad],
        }


@contextmanager
def _turn(directory: Path) -> Iterator[None]:
    """Wait until no other process builds here."""
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep(directory: Path, *, before_s: float) -> None:
    """Delete what a killed process left half-built, and indexes last opened before a time."""
    for place in directory.iterdir():
        if place.name.startswith(NEW) or _last_opened_s(place) < before_s:
            shutil.rmtree(place, ignore_errors=True)


def _last_opened_s(place: Path) -> float:
    try:
        return (place / MANIFEST).stat().st_mtime
    except OSError:
        return time.time()
