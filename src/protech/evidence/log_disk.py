"""The file of a log on the disk: opened by one writer, extended as a whole or not at all."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from protech.errors import ConfigError, SourceError


def open_file(path: Path, *, for_writing: bool) -> int:
    """Return the descriptor of a log's file.

    Raises:
        SourceError: There is none, or it cannot be read.
        ConfigError: Another process appends to it, or it cannot be written.
    """
    flags = (os.O_RDWR if for_writing else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except OSError as refused:
        raise SourceError(
            f"There is no log that can be opened at {path.parent}: {refused.strerror}; name the"
            " directory of the case."
        ) from refused
    if for_writing:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as taken:
            os.close(descriptor)
            raise ConfigError(
                "Another process appends to this log; end that run, or wait for its end."
            ) from taken
    return descriptor


def cut(descriptor: int, size_bytes: int) -> None:
    """Remove what stands behind ``size_bytes``, for good.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        if os.fstat(descriptor).st_size > size_bytes:
            os.ftruncate(descriptor, size_bytes)
            os.fsync(descriptor)
    except OSError as refused:
        raise unwritten(refused) from refused


def extend(descriptor: int, content: bytes, *, at: int) -> None:
    """Write ``content`` at the end of a file, and return once it is on the disk.

    Raises:
        OSError: It could not be; the file is as long as before, if the disk lets it.
    """
    view = memoryview(content)
    try:
        offset = at
        while view:
            written = os.pwrite(descriptor, view, offset)
            offset += written
            view = view[written:]
        os.fdatasync(descriptor)
    except OSError:
        with suppress(OSError):  # opening cuts what stands there, too
            os.ftruncate(descriptor, at)
        raise


def unwritten(refused: OSError) -> ConfigError:
    """Return the error that a log cannot be written."""
    return ConfigError(
        f"The log cannot be written: {refused.strerror}; make room on the disk, or mend"
        " it. None of what was to be added is in the log."
    )


def unreadable(refused: OSError) -> ConfigError:
    """Return the error that a log cannot be read."""
    return ConfigError(f"The log cannot be read: {refused.strerror}; mend the disk.")
