"""The one form of a list that is published: its header, then its entries sorted by their bytes.

Two people who have the same entries make the same bytes, so each can check what they sign, and
versions differ where their entries do. In bounded memory: lines are sorted run by run, and the
runs are merged.
"""

import heapq
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import IO, BinaryIO

from protech.errors import ListFormatError
from protech.lists.entries import ListHeader
from protech.lists.formats.own import LINE_BYTES, header_line

RUN_BYTES = 256 * 1024 * 1024
"""About as much again is taken by Python's own list of the lines."""

BLOCK_BYTES = 1 << 20


def canonical(
    source: BinaryIO, out: BinaryIO, header: ListHeader, *, spool: Path | None = None
) -> ListHeader:
    """Write the list in ``source`` canonically, under another header; return that, counted.

    Args:
        source: A list in its own format, at its beginning; only its lines are looked at.
        out: Where the canonical list is written.
        header: What is to be said of it; ``count`` is put right.
        spool: A directory of this user alone, for lines on their way; None: the system's.

    Raises:
        ListFormatError: A line is too long, or the last one was cut.
    """
    source.readline(LINE_BYTES + 1)
    count = 0
    with ExitStack() as stack:

        def spooled() -> IO[bytes]:
            return stack.enter_context(tempfile.TemporaryFile(dir=spool))

        runs = [_run(spooled(), lines) for lines in _sorted_runs(source)]
        body = spooled()
        for line, _ in groupby(heapq.merge(*runs)):
            body.write(line)
            count += 1
        counted = replace(header, count=count)
        out.write(header_line(counted))
        body.seek(0)
        while block := body.read(BLOCK_BYTES):
            out.write(block)
    return counted


def _sorted_runs(source: BinaryIO) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    size = 0
    while line := source.readline(LINE_BYTES + 1):
        if not line.endswith(b"\n"):
            raise ListFormatError(
                "The list cannot be published: a line is too long, or its last one was cut."
                " Import it again."
            )
        lines.append(line)
        size += len(line)
        if size >= RUN_BYTES:
            lines.sort()
            yield lines
            lines, size = [], 0
    lines.sort()
    yield lines


def _run(file: IO[bytes], lines: list[bytes]) -> IO[bytes]:
    file.writelines(lines)
    file.seek(0)
    return file
