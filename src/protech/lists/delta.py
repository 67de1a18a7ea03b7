"""Steps from one version of a list to the next: what to take out, and what to put in.

Works on canonical lists: the header's line, then entries sorted by their bytes, each once. A
delta is a header's line, the removed lines sorted, the added lines sorted; applying it gives
the new list byte for byte. Deltas are signed; they are read as if they were not, and what comes
out is never larger than what went in.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import SEEK_END
from pathlib import Path
from typing import BinaryIO

from protech.errors import ListFormatError
from protech.lists.entries import ListHeader
from protech.lists.formats.own import (
    LINE_BYTES,
    header_fields,
    header_line,
    parse_header,
)

FORMAT_VERSION = 1
MAGIC = "protech_delta"

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What a delta says of itself: from which version it leads where, in how many lines."""

    name: str
    base: int
    version: int
    removed: int
    added: int
    header: ListHeader


def make(old: BinaryIO, new: BinaryIO, out: BinaryIO, *, spool: Path | None = None) -> Delta:
    """Write the step from ``old`` to ``new``, and return what it says.

    Args:
        old: A canonical list.
        new: A later version of it, canonical.
        out: Where the delta is written.
        spool: A directory of this user alone, for lines on their way; None: the system's.

    Raises:
        ListFormatError: One is not canonical, or the second is no later version of the first.
    """
    before, after = _list_header(old, "The old list"), _list_header(new, "The new list")
    if before.name != after.name or before.version >= after.version:
        raise ListFormatError(
            "A delta leads to a later version of the same list; the second list is none of the"
            " first."
        )
    with (
        tempfile.TemporaryFile(dir=spool) as removed,
        tempfile.TemporaryFile(dir=spool) as added,
    ):
        counts = _differences(old, new, removed, added)
        delta = Delta(
            name=after.name,
            base=before.version,
            version=after.version,
            removed=counts[0],
            added=counts[1],
            header=after,
        )
        out.write(_line_of(delta))
        for part in (removed, added):
            part.seek(0)
            while block := part.read(BLOCK_BYTES):
                out.write(block)
    return delta


def apply(old: BinaryIO, delta: BinaryIO, out: BinaryIO) -> bytes:
    """Write the list that ``delta`` makes of ``old``, and return its SHA-256.

    Args:
        old: The canonical list that the delta starts from.
        delta: Seekable; it stands at its beginning.
        out: Counts only once this returns, and its digest is the one that was signed.

    Raises:
        ListFormatError: The delta is none, was cut, or does not fit this list.
    """
    said = parse_delta(delta.readline(LINE_BYTES + 1))
    before = parse_header(old.readline(LINE_BYTES + 1))
    if (before.name, before.version) != (said.name, said.base):
        raise _unfit("it starts from another list or version")
    writer = _Writer(out)
    writer.write(header_line(said.header))
    removals = _Section(delta, delta.tell(), said.removed)
    additions = _Section(delta, removals.end(), said.added)
    if additions.end() != delta.seek(0, SEEK_END):
        raise _unfit("there is more in it than it says")
    writer.entries(_patched(_sorted_lines(old, "The old list"), removals, additions))
    if writer.count != said.header.count:
        raise _unfit("its result has another number of entries than it says")
    return writer.digest()


def parse_delta(line: bytes) -> Delta:
    """Return what stands on the first line of a delta.

    Raises:
        ListFormatError: It is none, or of another version of the format.
    """
    try:
        fields = json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, Mapping) or fields.get(MAGIC) != FORMAT_VERSION:
        raise _unfit("it does not begin as one")
    numbers = [fields.get(key) for key in ("base", "version", "removed", "added")]
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers):
        raise _unfit("it does not say where it starts and what it changes")
    header = parse_header(json.dumps(fields.get("header")).encode())
    said = Delta(
        name=str(fields.get("list")),
        base=fields["base"],
        version=fields["version"],
        removed=fields["removed"],
        added=fields["added"],
        header=header,
    )
    if (said.name, said.version) != (header.name, header.version) or said.base >= said.version:
        raise _unfit("it leads to another list or version than it says")
    return said


def _line_of(delta: Delta) -> bytes:
    fields = {
        MAGIC: FORMAT_VERSION,
        "list": delta.name,
        "base": delta.base,
        "version": delta.version,
        "removed": delta.removed,
        "added": delta.added,
        "header": header_fields(delta.header),
    }
    text = json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="replace") + b"\n"


def _list_header(file: BinaryIO, what: str) -> ListHeader:
    line = file.readline(LINE_BYTES + 1)
    header = parse_header(line)
    if header_line(header) != line:
        raise ListFormatError(f"{what} is not canonical: its header is written otherwise.")
    return header


def _differences(
    old: BinaryIO, new: BinaryIO, removed: BinaryIO, added: BinaryIO
) -> tuple[int, int]:
    """Write the lines of one list only, and return how many each list has alone."""
    gone = come = 0
    before, after = _sorted_lines(old, "The old list"), _sorted_lines(new, "The new list")
    left, right = next(before, None), next(after, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left < right):
            removed.write(left or b"")
            gone += 1
            left = next(before, None)
        elif left is None or right < left:
            added.write(right)
            come += 1
            right = next(after, None)
        else:
            left, right = next(before, None), next(after, None)
    return gone, come


def _sorted_lines(file: BinaryIO, what: str) -> Iterator[bytes]:
    """Yield whole lines, seeing to it that each is greater than the one before."""
    last = b""
    while line := file.readline(LINE_BYTES + 1):
        if not line.endswith(b"\n") or line <= last:
            raise ListFormatError(
                f"{what} is not canonical: a line was cut, is too long or stands in the wrong"
                " place. Take all of the list again."
            )
        yield line
        last = line


class _Section:
    """Sorted lines of a file from a place on, read without disturbing other readers of it."""

    def __init__(self, file: BinaryIO, start: int, count: int) -> None:
        self._file = file
        self._start = start
        self._count = count

    def end(self) -> int:
        """Return the place behind the last line; reads the section through."""
        return self._start + sum(map(len, self))

    def __iter__(self) -> Iterator[bytes]:
        last = b""
        lines = _lines_from(self._file, self._start)
        for _ in range(self._count):
            line = next(lines, b"")
            if line <= last or not line.endswith(b"\n"):
                raise _unfit("it was cut, or its lines are not in order")
            yield line
            last = line


def _lines_from(file: BinaryIO, place: int) -> Iterator[bytes]:
    rest = b""
    while True:
        file.seek(place)
        block = file.read(BLOCK_BYTES)
        if not block:
            return
        place += len(block)
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > LINE_BYTES:
            raise _unfit(f"a line is longer than {LINE_BYTES} bytes")
        yield from (line + b"\n" for line in lines)


def _patched(old: Iterator[bytes], removals: _Section, additions: _Section) -> Iterator[bytes]:
    """Yield the old lines without the removed ones and with the added ones, in order."""
    gone, come = iter(removals), iter(additions)
    out, into = next(gone, None), next(come, None)
    for line in old:
        while into is not None and into < line:
            yield into
            into = next(come, None)
        if into == line:
            raise _unfit("it adds what is there already")
        if out == line:
            out = next(gone, None)
        else:
            yield line
    if out is not None:
        raise _unfit("it takes out what is not there")
    while into is not None:
        yield into
        into = next(come, None)


class _Writer:
    """Writes lines in order, counting and hashing them on the way."""

    def __init__(self, out: BinaryIO) -> None:
        self._write: Callable[[bytes], int] = out.write
        self._digest = sha256()
        self.count = 0

    def write(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._write(piece)

    def entries(self, lines: Iterator[bytes]) -> None:
        for line in lines:
            self.write(line)
            self.count += 1

    def digest(self) -> bytes:
        return self._digest.digest()


def _unfit(why: str) -> ListFormatError:
    return ListFormatError(
        f"The delta of a list cannot be used: {why}. Take all of the list instead."
    )
