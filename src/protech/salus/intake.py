"""Where an item comes from: bytes, or a file opened read-only and watched for change."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from protech.errors import SourceError
from protech.salus.digest import digest, digest_descriptor
from protech.salus.sniff import SNIFF_BYTES
from protech.types import Digests, Kind, Media

Source = Media | bytes | bytearray | memoryview | str | os.PathLike[str]

OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
"""A named pipe or a device must not hold the caller; it is refused once it is open."""


@contextmanager
def opened(source: Source, *, claims: Kind | None = None) -> Iterator[Media]:
    """Give ``source`` as Media for the length of the ``with``.

    Raises:
        SourceError: The path does not exist or is not a regular file.
        OSError: The file exists and cannot be opened; the engine makes it a result.
    """
    if isinstance(source, Media):
        yield source
    elif isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source) if isinstance(source, bytearray) else source
        yield Media(content=content, size_bytes=memoryview(content).nbytes, claims=claims)
    else:
        with _descriptor(source) as descriptor:
            size_bytes = os.fstat(descriptor).st_size
            yield Media(descriptor=descriptor, size_bytes=size_bytes, claims=claims)


@contextmanager
def _descriptor(path: str | os.PathLike[str]) -> Iterator[int]:
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except FileNotFoundError as missing:
        raise SourceError("The file to inspect does not exist; check its path.") from missing
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SourceError("The path to inspect is not a regular file; name a file.")
        yield descriptor
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What must stay the same while a file is read; always the same for bytes in memory."""

    state: tuple[int, ...] = ()

    @classmethod
    def of(cls, media: Media) -> "Watch":
        """Note size, times and inode of ``media`` as they are now."""
        if media.descriptor is None:
            return cls()
        now = os.fstat(media.descriptor)
        return cls(state=(now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino))

    def has_changed(self, media: Media) -> bool:
        """Return whether ``media`` is no longer what it was, or not what it was said to be."""
        is_other_size = bool(self.state) and self.state[0] != media.size_bytes
        return is_other_size or Watch.of(media) != self


def head(media: Media) -> bytes:
    """Return the first bytes, as many as a sniff takes."""
    if media.descriptor is not None:
        return os.pread(media.descriptor, SNIFF_BYTES, 0)
    return bytes(memoryview(media.content or b"")[:SNIFF_BYTES])


def sha256_in_memory(media: Media) -> bytes | None:
    """Return the SHA-256 of bytes in memory; None for a file, which is read for all at once.

    Cost: a quarter of ``digests``, and all that a verdict that was given before needs.
    """
    if media.content is None:
        return None
    return hashlib.sha256(media.content).digest()


def digests(media: Media) -> Digests:
    """Return the three digests in one pass over the item."""
    if media.descriptor is not None:
        return digest_descriptor(media.descriptor, size_bytes=media.size_bytes)
    return digest(media.content or b"")
