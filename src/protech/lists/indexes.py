"""Where the indexes of known lists live.

An index stands in the user's cache under the SHA-256 of its list, so that a changed list is
another index. What is there can be deleted at any time; it is made again from the list.
"""

import fcntl
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from protech.errors import ConfigError, ListFormatError, TrustError
from protech.lists.batch import Batch
from protech.lists.entries import BadEntry, ListHeader
from protech.lists.formats.own import header_fields, require_count
from protech.lists.index import NEW, Index, build, build_parts
from protech.lists.parts import Lock
from protech.lists.reader import reading
from protech.lists.seals import MANIFEST
from protech.settings import Places, private_directory

INDEXES = "lists"
"""The directory of the cache that holds them."""

LOCK = "lock"

OF = "list"
"""Under this key an index names the digest of its list, as its directory's name does."""

UNUSED_FOR = timedelta(days=30)
"""An index that no one opened for so long is deleted: its list may be gone, too."""

BAD_SHOWN = 20
"""How many bad lines are named; all are counted."""


def index_of(
    descriptor: int,
    *,
    sha256: bytes,
    cache: Path | None = None,
    require_same: Callable[[], object] = lambda: None,
) -> Index:
    """Return the index of a list, made where there is none yet.

    Args:
        descriptor: The list's file.
        sha256: Of the list.
        cache: Where indexes live; None takes the user's cache directory.
        require_same: Raises where the list is not what ``sha256`` is of any more; asked once
            it was read, so that no index stands under the digest of another list.

    Raises:
        ListFormatError: It is no list, or was cut.
        SandboxError: The kernel does not let its reader be locked.
        ConfigError: The index cannot be written.
    """
    name = sha256.hex()
    with _directory(cache or Places.of_user().cache / INDEXES) as directory:
        return _find(directory / name) or _make(directory, name, descriptor, require_same)


def index_in_memory(descriptor: int, *, lock: Lock) -> Index:
    """Return the index of a list that no disk may hold in the clear.

    Raises:
        ListFormatError, SandboxError: As ``index_of``.
        ConfigError: So much memory cannot be locked.
    """
    with reading(descriptor) as (header, lines):
        kept = _Kept(header, lines, name="")
        return Index.of(build_parts(kept.batches(), about=kept.about, lock=lock))


def clear(cache: Path | None = None) -> None:
    """Delete all indexes, those of lists that are gone among them; the others are made again.

    Args:
        cache: Where indexes live; None takes the user's cache directory.
    """
    directory = cache or Places.of_user().cache / INDEXES
    if directory.exists() and _is_usable(directory):
        with _turn(directory):
            _sweep(directory, before_s=math.inf)


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
    """Return the index at ``place``; None where there is none, it is damaged or of another."""
    if not place.exists():
        return None
    try:
        index = Index.open(place)
        with suppress(OSError):
            os.utime(place / MANIFEST)
    except ListFormatError:
        return None
    return index if index.about.get(OF) == place.name else None


def _make(
    directory: Path, name: str, descriptor: int, require_same: Callable[[], object]
) -> Index:
    """Build an index, unless another process has done so while we waited for our turn."""
    try:
        with _turn(directory):
            found = _find(directory / name)
            if found is None:
                _sweep(directory, before_s=time.time() - UNUSED_FOR.total_seconds())
                _build(directory / name, descriptor, require_same)
                found = Index.open(directory / name)
    except OSError as refused:
        raise ConfigError(
            f"The index of a known list cannot be written to {directory}: {refused.strerror};"
            " make room."
        ) from refused
    return found


def _build(place: Path, descriptor: int, require_same: Callable[[], object]) -> None:
    with reading(descriptor) as (header, lines):
        kept = _Kept(header, lines, name=place.name)

        def about() -> Mapping[str, object]:
            require_same()
            return kept.about()

        build(kept.batches(), place, about=about)


class _Kept:
    """Entries on their way into an index, the bad ones counted on the way."""

    def __init__(
        self, header: ListHeader, lines: Iterator[Batch | BadEntry], *, name: str
    ) -> None:
        self._name = name
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
        require_count(self._header, self.total)

    def about(self) -> Mapping[str, object]:
        return {
            OF: self._name,
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
