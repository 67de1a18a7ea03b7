"""Entries of an own list read by column: thousands of lines at a time, where they are alike.

Lines of one length that differ in nothing but hex digits are read as one array; ``formats.own``
reads one of them for all, and every line that is like no other. What comes out is the same.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from protech.lists.batch import COLUMNS, Batch, BatchMaker
from protech.lists.entries import WIDTHS, BadEntry, Entry
from protech.lists.formats.own import LINE_BYTES, read_entry

BLOCK_BYTES = 1 << 19
"""What is read at a time; it stays in the processor's cache."""

SHAPES = 6
"""So many different shapes are looked for among lines of one length."""

LEAST = 4
"""Fewer lines of one length are read singly."""

NEWLINE = 10

_HEX = "[0-9a-fA-F]"
_FIELDS = (
    "".join(
        rf'(?:"{kind}":"{_HEX}{{{2 * WIDTHS[kind]}}}",?)?'
        for kind in ("md5", "sha1", "sha256", "photodna")
    )
    + r'(?:"pdq":\[[^\]{}]*\],?)?'
)
_CARRIED = r'(?:"vics":\{"category":(?:\d+|"none")(?:,"[a-z_]+":true)*\})?'
_SHAPE = re.compile(rf"\{{{_FIELDS}{_CARRIED}\}}".encode())
_FIELD = re.compile(rf'"(\w+)":(?:"({_HEX}+)"|\[([^\]]*)\])'.encode())
_ONE = re.compile(rf"{_HEX}+".encode())

_NIBBLES = np.full(256, 16, np.uint8)
_NIBBLES[np.frombuffer(b"0123456789", np.uint8)] = np.arange(10)
_NIBBLES[np.frombuffer(b"abcdef", np.uint8)] = np.arange(10, 16)
_NIBBLES[np.frombuffer(b"ABCDEF", np.uint8)] = np.arange(10, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """Where the hex digits of one identifier stand on a line."""

    kind: str
    start: int
    end: int


class _Found:
    """What a block's lines hold: of each identifier its line, counted from 0, and its bytes."""

    def __init__(self) -> None:
        self.lines: dict[str, list[NDArray[np.intp]]] = {kind: [] for kind in COLUMNS}
        self.raw: dict[str, list[NDArray[np.uint8]]] = {kind: [] for kind in COLUMNS}

    def add(self, kind: str, lines: NDArray[np.intp], raw: NDArray[np.uint8]) -> None:
        self.lines[kind].append(lines)
        self.raw[kind].append(raw)


def read_batches(file: BinaryIO) -> Iterator[Batch | BadEntry]:
    """Yield what stands on the lines after the header, as ``own.read_entries`` reads them.

    A bad entry comes before the batch of the lines around it.
    """
    number = 2
    for block in _blocks(file):
        if block.endswith(b"\n"):
            yield from _read(block, number)
            number += block.count(b"\n")
        else:
            yield from _read_one(block, number)
            number += 1


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield whole lines, many at a time; a line that is too long or has no end, alone."""
    rest = b""
    while piece := file.read(BLOCK_BYTES):
        whole, newline, rest = (rest + piece).rpartition(b"\n")
        if newline:
            yield whole + newline
        if len(rest) > LINE_BYTES:
            yield rest[: LINE_BYTES + 1]
            rest = _after_line(file)
    whole, newline, rest = rest.rpartition(b"\n")
    yield from filter(None, (whole + newline, rest))


def _after_line(file: BinaryIO) -> bytes:
    """Pass over the rest of a line and return what was read behind it."""
    while piece := file.read(BLOCK_BYTES):
        _, newline, after = piece.partition(b"\n")
        if newline:
            return after
    return b""


def _read_one(content: bytes, number: int) -> Iterator[Batch | BadEntry]:
    entry = read_entry(content, number=number)
    if isinstance(entry, BadEntry):
        yield entry
        return
    maker = BatchMaker()
    maker.append(entry)
    yield maker.take()


def _read(block: bytes, number: int) -> Iterator[Batch | BadEntry]:
    """Yield the entries on whole lines, of which the first is line ``number`` of the file."""
    characters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(characters == NEWLINE)
    starts = np.concatenate(([0], ends[:-1] + 1))
    found = _Found()
    is_left = _read_alike(characters, starts, ends - starts, found)
    maker = BatchMaker()
    is_entry = np.ones(len(ends), np.bool_)
    singly = []
    for line in np.flatnonzero(is_left).tolist():
        content = block[starts[line] : min(ends[line], starts[line] + LINE_BYTES) + 1]
        entry = read_entry(content, number=number + line)
        if isinstance(entry, Entry):
            maker.append(entry)
            singly.append(line)
        else:
            is_entry[line] = False
            yield entry
    if is_entry.any():
        yield _batch(found, maker.take(), np.array(singly, np.intp), is_entry)


def _batch(
    found: _Found, read_singly: Batch, singly: NDArray[np.intp], is_entry: NDArray[np.bool_]
) -> Batch:
    """Return all entries of a block in the order of their lines."""
    row_of_line = np.cumsum(is_entry, dtype=np.uint32) - np.uint32(1)
    rows, raw = {}, {}
    for kind in COLUMNS:
        found.add(kind, singly[read_singly.rows[kind]], read_singly.raw[kind])
        lines = np.concatenate(found.lines[kind])
        order = np.argsort(lines, kind="stable")
        rows[kind] = row_of_line[lines[order]]
        raw[kind] = np.concatenate(found.raw[kind])[order]
    labels: list[str | None] = []
    if read_singly.labels:
        labels = [None] * int(is_entry.sum())
        for line, label in zip(singly.tolist(), read_singly.labels, strict=True):
            labels[int(row_of_line[line])] = label
    return Batch(count=int(is_entry.sum()), rows=rows, raw=raw, labels=tuple(labels))


def _read_alike(
    characters: NDArray[np.uint8],
    starts: NDArray[np.intp],
    lengths: NDArray[np.intp],
    found: _Found,
) -> NDArray[np.bool_]:
    """Read lines that are alike into ``found``; return which lines are left."""
    is_left = np.ones(len(starts), np.bool_)
    for length in set(lengths.tolist()):  # np.unique would import when locked
        lines = np.flatnonzero(lengths == length)
        if len(lines) < LEAST or length > LINE_BYTES:
            continue
        grid = sliding_window_view(characters, length)[starts[lines]]
        for _ in range(SHAPES):
            if not len(lines):
                break
            alike = _alike(grid, lines, found)
            is_left[lines[alike]] = False
            alike[0] = True  # where it is like no other, it is read singly
            lines, grid = lines[~alike], grid[~alike]
    return is_left


def _alike(
    grid: NDArray[np.uint8], lines: NDArray[np.intp], found: _Found
) -> NDArray[np.bool_]:
    """Read the first line of a grid, and those like it; return which these are."""
    first = grid[0].tobytes()
    spans = _spans(first)
    if not spans:
        return np.zeros(len(grid), np.bool_)
    alike = np.ones(len(grid), np.bool_)
    at = 0
    for span in (*spans, _Span(kind="", start=len(first), end=len(first))):
        alike &= (grid[:, at : span.start] == grid[0, at : span.start]).all(axis=1)
        alike &= (_NIBBLES[grid[:, span.start : span.end]] < 16).all(axis=1)
        at = span.end
    chosen, which = grid[alike], lines[alike]
    for kind in COLUMNS:
        of_kind = [span for span in spans if span.kind == kind]
        if of_kind:
            raw = np.stack([_raw(chosen[:, one.start : one.end]) for one in of_kind], axis=1)
            found.add(kind, which.repeat(len(of_kind)), raw.reshape(-1, WIDTHS[kind]))
    return alike


def _raw(digits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the bytes of hex digits, (n, 2 w) to (n, w)."""
    nibbles = _NIBBLES[digits]
    raw: NDArray[np.uint8] = np.bitwise_or(nibbles[:, ::2] << 4, nibbles[:, 1::2])
    return raw


def _spans(content: bytes) -> tuple[_Span, ...]:
    """Return where the hex digits of an entry stand; nothing where its shape is another one."""
    if not _SHAPE.fullmatch(content) or not isinstance(read_entry(content, number=0), Entry):
        return ()
    return tuple(
        _Span(kind=each[1].decode(), start=one.start(), end=one.end())
        for each in _FIELD.finditer(content)
        for one in _ONE.finditer(content, *each.span(2 if each[2] else 3))
    )
