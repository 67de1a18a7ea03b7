"""Memory for a sealed list: it is never written to swap, nor into a core dump.

A file without a name (memfd_create), so that the locked reader can be given it, with its pages
locked (mlock) as long as the list is open. Sources: memfd_create(2), mlock(2), madvise(2).
"""

import ctypes
import mmap
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from protech.errors import ConfigError

NAME = "protech"
"""What /proc shows; it says nothing of the list."""


@contextmanager
def locked_file(size_bytes: int) -> Iterator[int]:
    """Give the descriptor of an empty file whose ``size_bytes`` first bytes stay in memory.

    What is in it is overwritten and gone when the ``with`` ends.

    Raises:
        ConfigError: The system does not lock so much memory for this user.
    """
    descriptor = os.memfd_create(NAME, os.MFD_CLOEXEC)
    try:
        room = max(size_bytes, 1)
        os.ftruncate(descriptor, room)
        with mmap.mmap(descriptor, room) as pages:
            lock_pages(pages, room)
            os.ftruncate(descriptor, size_bytes)
            try:
                yield descriptor
            finally:
                _wipe(pages, size_bytes)
    finally:
        os.close(descriptor)


def lock_pages(pages: mmap.mmap, size_bytes: int) -> None:
    """Keep the first bytes of a mapping out of swap and core dumps.

    Raises:
        ConfigError: The system does not lock so much memory for this user.
    """
    pages.madvise(mmap.MADV_DONTDUMP)
    _allow(size_bytes)
    library = ctypes.CDLL(None, use_errno=True)
    start = ctypes.c_char.from_buffer(pages)
    try:
        refused = library.mlock(ctypes.byref(start), ctypes.c_size_t(size_bytes))
        number = ctypes.get_errno()
    finally:
        del start  # else the mapping could not be closed
    if refused:
        needed = -(-size_bytes // 1024)
        raise ConfigError(
            "A sealed list is opened in locked memory only, and the system does not lock"
            f" {needed} KiB for this user ({os.strerror(number)}). Allow it: `ulimit -l"
            f" {needed}` or more in the shell, LimitMEMLOCK= in a systemd unit, or memlock in"
            " /etc/security/limits.conf, which counts from the next login."
        )


def _allow(size_bytes: int) -> None:
    """Raise the limit to what this process may give itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and soft < size_bytes:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))


def _wipe(pages: mmap.mmap, size_bytes: int) -> None:
    for at in range(0, size_bytes, mmap.PAGESIZE):
        end = min(at + mmap.PAGESIZE, size_bytes)
        pages[at:end] = bytes(end - at)
