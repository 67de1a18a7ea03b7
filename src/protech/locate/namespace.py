"""Whether this process is in a user namespace of its own, as the kernel says it and no file.

In one, anybody is root, and puts what he likes over ``/proc``: another text over ``uid_map``,
or a folder of his over all of it. So the file is opened as one of the kernel's own, and nothing
may lie over any part of its path. Sources: user_namespaces(7), openat2(2), statfs(2), proc(5).
"""

import ctypes
import os
import struct
from pathlib import Path

from protech.errors import AuthorityError

EVERY_USER = ["0", "0", str((1 << 32) - 1)]
"""The users of a process that is in no user namespace of its own."""

PROC = Path("/proc")
UID_MAP = "self/uid_map"
UID_MAP_BYTES = 4096

PROC_MAGIC = 0x9FA0
PROC_ROOT = 1
"""The number of its first folder, which no other folder of it has."""

STATFS_BYTES = 256
"""More than any ``struct statfs``, of which the kind of file system comes first."""

OPENAT2 = 437
"""On every architecture."""
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02

_LIBC = ctypes.CDLL(None, use_errno=True)


def require_first_users() -> None:
    """Return where this process is in no user namespace of its own.

    Raises:
        AuthorityError: It is in one, or the kernel does not say.
    """
    if uid_map(PROC).split() != EVERY_USER:
        raise AuthorityError(
            "This process is in a user namespace, in which anybody can play root; run outside"
            " of the lab is only possible in the machine's own."
        )


def uid_map(proc: Path) -> str:
    """Return which users this process has, as the kernel says.

    Raises:
        AuthorityError: What is at ``proc`` is not the kernel's, or something lies over it.
    """
    try:
        folder = os.open(proc, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _kind(folder) != PROC_MAGIC or os.fstat(folder).st_ino != PROC_ROOT:
                raise _covered()
            descriptor = _open_within(folder, UID_MAP)
        finally:
            os.close(folder)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(UID_MAP_BYTES).decode("ascii", "replace")
    except OSError as refused:
        raise _covered() from refused


def _kind(descriptor: int) -> int:
    found = ctypes.create_string_buffer(STATFS_BYTES)
    if _LIBC.fstatfs(descriptor, found):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(ctypes.c_ulong.from_buffer(found).value)


def _open_within(folder: int, path: str) -> int:
    """Open a file below a folder, where no other file system lies over any part of its path."""
    resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS
    how = struct.pack("QQQ", os.O_RDONLY | os.O_CLOEXEC, 0, resolve)
    number = ctypes.c_long(OPENAT2)
    size = ctypes.c_size_t(len(how))
    _LIBC.syscall.restype = ctypes.c_long
    opened = int(_LIBC.syscall(number, ctypes.c_int(folder), path.encode(), how, size))
    if opened < 0:
        fault = ctypes.get_errno()
        raise OSError(fault, os.strerror(fault))
    return opened


def _covered() -> AuthorityError:
    return AuthorityError(
        "The kernel does not say in /proc who this process is: something lies over it, or it is"
        " older than 5.6. Run outside of the lab is only possible where /proc is the kernel's."
    )
