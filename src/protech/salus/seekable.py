"""A video read piece by piece, from memory or from a descriptor, never as a whole.

A decoder that looks twice at a file may see two different ones; the engine's ``Watch`` notices
that a file changed. Runs only inside a sandboxed worker.
"""

import io
import os
from collections.abc import Callable

from protech.salus.frames import Undecodable
from protech.types import Unscannable


class InMemory:
    """Bytes that came with the request."""

    def __init__(self, data: bytes | memoryview) -> None:
        """Take them as they are."""
        self._data = memoryview(data).cast("B")
        self.size_bytes = self._data.nbytes

    def at(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes from ``offset``, fewer at the end."""
        return bytes(self._data[offset : offset + count])


class OnDisk:
    """A file behind a descriptor that its owner keeps open."""

    def __init__(self, descriptor: int, *, size_bytes: int) -> None:
        """Take the descriptor and how long the file was when it was asked about.

        Raises:
            Undecodable: CHANGED or UNREADABLE.
        """
        self._descriptor = descriptor
        self.size_bytes = size_bytes
        if self._read(size_bytes, 1):
            raise Undecodable(Unscannable.CHANGED)

    def at(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes from ``offset``, fewer at the end.

        Raises:
            Undecodable: CHANGED where the file became shorter, UNREADABLE.
        """
        wanted = max(0, min(count, self.size_bytes - offset))
        data = self._read(offset, wanted) if wanted else b""
        while 0 < len(data) < wanted and (more := self._read(offset + len(data), wanted)):
            data = (data + more)[:wanted]
        if len(data) < wanted:
            raise Undecodable(Unscannable.CHANGED)
        return data

    def _read(self, offset: int, count: int) -> bytes:
        try:
            return os.pread(self._descriptor, count, offset)
        except OSError as refused:
            raise Undecodable(Unscannable.UNREADABLE) from refused


Seekable = InMemory | OnDisk


class Raw:
    """What a demuxer reads and seeks in; it has no name, no descriptor and no way to write.

    ``failure`` is why nothing more can be read, once that is so.
    """

    def __init__(self, source: Seekable, *, is_late: Callable[[], bool]) -> None:
        """Begin at the beginning."""
        self._source = source
        self._is_late = is_late
        self._at = 0
        self.failure: Unscannable | None = None

    def read(self, count: int) -> bytes:
        """Return at most ``count`` bytes; none at the end."""
        try:
            self.require()
            data = self._source.at(self._at, count)
        except Undecodable as undecodable:  # it must not pass through foreign code
            self.failure = undecodable.reason
            return b""
        self._at += len(data)
        return data

    def require(self) -> None:
        """Go on only while reading went well and there is time left.

        Raises:
            Undecodable: TIMED_OUT, or why reading failed.
        """
        if self.failure is None and self._is_late():
            self.failure = Unscannable.TIMED_OUT
        if self.failure is not None:
            raise Undecodable(self.failure)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to ``offset`` and return where that is."""
        begin = {io.SEEK_CUR: self._at, io.SEEK_END: self._source.size_bytes}.get(whence, 0)
        self._at = max(0, begin + offset)
        return self._at

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._at
