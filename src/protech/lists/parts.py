"""The files that an index is made of, on the disk or in memory only."""

import mmap
import os
from collections.abc import Buffer, Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

BUFFER_BYTES = 1 << 20

Lock = Callable[[mmap.mmap, int], object]
"""Sees to it that so many first bytes of a mapping are never swapped out."""


class File(Protocol):
    """What is written from its start to its end, and then read."""

    def write(self, content: Buffer, /) -> object:
        """Append ``content``."""
        ...

    def read_at(self, at: int, size_bytes: int) -> NDArray[np.uint8]:
        """Return a copy of ``size_bytes`` bytes, ``at`` bytes from the start."""
        ...

    def view(self) -> NDArray[np.uint8]:
        """Return all that has been written, for reading; nothing is written any more."""
        ...

    def close(self) -> None:
        """Write out what is held back; what ``view`` gave stays valid."""
        ...


class DiskFile:
    """A new file that only this user can read."""

    def __init__(self, path: Path, *, is_passing: bool = False) -> None:
        """Create ``path``; a passing file has no name, so that nothing can leave it behind."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        self._file = os.fdopen(descriptor, "w+b", buffering=BUFFER_BYTES)
        if is_passing:
            path.unlink()

    def write(self, content: Buffer, /) -> object:
        """Append ``content``."""
        return self._file.write(content)

    def read_at(self, at: int, size_bytes: int) -> NDArray[np.uint8]:
        """Return a copy of ``size_bytes`` bytes, ``at`` bytes from the start."""
        self._file.flush()
        return np.frombuffer(os.pread(self._file.fileno(), size_bytes, at), np.uint8)

    def view(self) -> NDArray[np.uint8]:
        """Return all that has been written, for reading; nothing is written any more."""
        self._file.flush()
        return mapped(self._file.fileno())

    def close(self) -> None:
        """Write out what is held back; what ``view`` gave stays valid."""
        self._file.close()


def mapped(descriptor: int) -> NDArray[np.uint8]:
    """Return the content of a file, mapped; it outlives the descriptor."""
    size = os.fstat(descriptor).st_size
    if size == 0:  # nothing cannot be mapped
        return np.zeros(0, np.uint8)
    return np.frombuffer(mmap.mmap(descriptor, size, access=mmap.ACCESS_READ), np.uint8)


class MemoryFile:
    """A file that no disk ever sees, as far as ``lock`` sees to it."""

    def __init__(self, lock: Lock | None) -> None:
        """Take what locks a mapping; None locks nothing."""
        self._lock = lock
        self._pages = self._new_pages(mmap.PAGESIZE)  # few may be locked, so begin with one
        self._size_bytes = 0

    def write(self, content: Buffer, /) -> object:
        """Append ``content``."""
        view = memoryview(content).cast("B")
        end = self._size_bytes + len(view)
        if end > len(self._pages):
            self._grow(max(end, 2 * len(self._pages)))
        self._pages[self._size_bytes : end] = view
        self._size_bytes = end
        return len(view)

    def read_at(self, at: int, size_bytes: int) -> NDArray[np.uint8]:
        """Return a copy of ``size_bytes`` bytes, ``at`` bytes from the start."""
        return np.frombuffer(self._pages[at : at + size_bytes], np.uint8)

    def view(self) -> NDArray[np.uint8]:
        """Return all that has been written, for reading; nothing is written any more."""
        return np.frombuffer(memoryview(self._pages).toreadonly()[: self._size_bytes], np.uint8)

    def close(self) -> None:
        """Do nothing: it stays as long as it is looked at."""

    def _grow(self, size_bytes: int) -> None:
        pages = self._new_pages(size_bytes)
        with memoryview(self._pages) as old:
            pages[: self._size_bytes] = old[: self._size_bytes]
        self._pages.close()
        self._pages = pages

    def _new_pages(self, size_bytes: int) -> mmap.mmap:
        """Return pages that are locked before anything is in them."""
        pages = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        pages.madvise(mmap.MADV_DONTDUMP)
        if self._lock is not None:
            self._lock(pages, size_bytes)
        return pages
