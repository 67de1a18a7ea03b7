"""The memory in which a piece of a listed file may be, for as long as it takes to hash it.

Pages of their own, locked (mlock), kept out of core dumps and children, and overwritten when
the ``with`` ends. What is measured of them is measured where they are: no copy is made.
"""

import ctypes
import hashlib
import mmap
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from protech.errors import ConfigError
from protech.lists.locked import lock_pages

_MEMCHR = ctypes.CDLL(None).memchr
_MEMCHR.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
_MEMCHR.restype = ctypes.c_void_p


@contextmanager
def locked_buffer(size_bytes: int) -> Iterator[memoryview]:
    """Give ``size_bytes`` of locked memory, all zero; what is in it is gone afterwards.

    Raises:
        ConfigError: The system does not lock so much memory for this user.
    """
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    pages = mmap.mmap(-1, max(size_bytes, 1), flags)
    try:
        pages.madvise(mmap.MADV_DONTFORK)
        _lock(pages)
        try:
            with memoryview(pages) as whole, whole[:size_bytes] as memory:
                yield memory
        finally:
            _wipe(pages)
    finally:
        # A reader that was cancelled may hold a part of it still: wiped, it goes with that.
        with suppress(BufferError):
            pages.close()


def _lock(pages: mmap.mmap) -> None:
    try:
        lock_pages(pages, len(pages))
    except ConfigError as refused:
        raise ConfigError(
            f"A piece is held in memory that is never swapped, and {len(pages) // 1024} KiB of"
            " it cannot be locked for this user. Raise the limit (ulimit -l; LimitMEMLOCK= in a"
            " systemd unit), or have an operator observe without proving."
        ) from refused


def sha1_of(memory: memoryview) -> bytes:
    """Return the SHA-1 of what is in memory; BitTorrent's first version knows pieces by it."""
    return hashlib.sha1(memory, usedforsecurity=False).digest()


def sha256_of(memory: memoryview) -> bytes:
    """Return the SHA-256 of what is in memory."""
    return hashlib.sha256(memory).digest()


def distinct_bytes_of(memory: memoryview) -> int:
    """Return how many of the 256 values of a byte are in memory.

    NumPy would copy: it counts with wider integers. The C library looks for each value, and
    stops at the first of it. Cost: some 100 microseconds; for 16 MiB of one value, 0.2 s.
    """
    if not memory:
        return 0
    first = ctypes.c_char.from_buffer(memory)
    start = ctypes.addressof(first)
    return sum(_MEMCHR(start, value, len(memory)) is not None for value in range(256))


def _wipe(pages: mmap.mmap) -> None:
    start = ctypes.c_char.from_buffer(pages)
    ctypes.memset(ctypes.addressof(start), 0, len(pages))
    del start  # else the mapping could not be closed
