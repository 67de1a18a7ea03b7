"""What a locked reader of lists answers: records of a fixed, length-capped layout.

Each is one byte for what it is, four for its length, and its body; all numbers little-endian.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from protech.errors import ListFormatError
from protech.lists.batch import COLUMNS, Batch
from protech.lists.entries import WIDTHS, BadEntry, ListHeader
from protech.lists.formats.own import header_line, parse_header

BODY_BYTES = 2 << 20
"""The longest body: a batch of ``BATCH_BYTES``, its rows and its last entry."""

BATCH_MOST = 1 << 16
"""Entries of one batch."""

TEXT_BYTES = 0x7FFF

_HEAD = struct.Struct("<BI")
_BATCH = struct.Struct(f"<IB{len(COLUMNS)}I")  # entries, whether labels, identifiers of each
_NUMBER = struct.Struct("<Q")
_LENGTH = struct.Struct("<H")


class What(IntEnum):
    """What a record is."""

    HEADER = 1
    BATCH = 2
    BAD = 3
    END = 4
    NO_LIST = 5
    NO_SANDBOX = 6
    LINES = 7
    TALLY = 8
    FORMAT = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Entries as they stand in the file of an own list, each with its line's end."""

    count: int
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many entries of a foreign list are of one of its own categories."""

    category: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The whole list was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The reader goes no further; ``text`` says why, to a person."""

    is_sandbox: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """In which format a foreign list is, by its word."""

    format: str


Record = ListHeader | Batch | Lines | BadEntry | Tally | Told | End | Refusal


class RecordError(Exception):
    """What was received is no record."""


def record_bytes(record: Record) -> bytes:
    """Return a record as it travels."""
    match record:
        case ListHeader():
            what, body = What.HEADER, header_line(record)
        case Batch():
            what, body = What.BATCH, _batch_body(record)
        case Lines():
            what, body = What.LINES, _NUMBER.pack(record.count) + record.content
        case BadEntry():
            what, body = What.BAD, _NUMBER.pack(record.line) + _text(record.reason)
        case Tally():
            what, body = What.TALLY, _NUMBER.pack(record.count) + _text(record.category)
        case Told() | Refusal():
            what, body = _said(record)
        case End():
            what, body = What.END, b""
        case _:
            assert_never(record)
    return _HEAD.pack(what, len(body)) + body


def _said(record: Told | Refusal) -> tuple[What, bytes]:
    if isinstance(record, Told):
        return What.FORMAT, _text(record.format)
    return (What.NO_SANDBOX if record.is_sandbox else What.NO_LIST), _text(record.text)


def records(buffer: bytearray) -> Iterator[Record]:
    """Take every complete record from the front of ``buffer``.

    Raises:
        RecordError: There is something else.
    """
    at = 0
    try:
        while len(buffer) - at >= _HEAD.size:
            what, length = _HEAD.unpack_from(buffer, at)
            if length > BODY_BYTES:
                raise RecordError
            end = at + _HEAD.size + length
            if len(buffer) < end:
                return
            body = _Body(bytes(buffer[at + _HEAD.size : end]))
            at = end
            yield body.record(What(what))
    except (struct.error, ValueError, OverflowError, ListFormatError) as wrong:
        raise RecordError from wrong
    finally:
        del buffer[:at]


class _Body:
    """A record's body, read from front to end; what is missing or left over is an error."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def record(self, what: What) -> Record:
        match what:
            case What.HEADER:
                record: Record = parse_header(self._rest())
            case What.BATCH:
                record = self._batch()
            case What.LINES:
                record = self._lines()
            case What.BAD | What.TALLY:
                record = self._numbered(what)
            case What.END:
                record = End()
            case What.FORMAT | What.NO_LIST | What.NO_SANDBOX:
                record = self._said(what)
            case _:
                assert_never(what)
        if self._at != len(self._body):
            raise RecordError
        return record

    def _numbered(self, what: What) -> BadEntry | Tally:
        number, text = self._number(), self._text()
        if what is What.BAD:
            return BadEntry(line=number, reason=text)
        return Tally(count=number, category=text)

    def _said(self, what: What) -> Told | Refusal:
        text = self._text()
        if what is What.FORMAT:
            return Told(format=text)
        return Refusal(is_sandbox=what is What.NO_SANDBOX, text=text)

    def _batch(self) -> Batch:
        count, has_labels, *held = _BATCH.unpack(self._bytes(_BATCH.size))
        if not 0 < count <= BATCH_MOST or has_labels > 1:
            raise RecordError
        counts = dict(zip(COLUMNS, held, strict=True))
        return Batch(
            count=count,
            rows={kind: self._rows(counts[kind], below=count) for kind in COLUMNS},
            raw={kind: self._raw(kind, counts[kind]) for kind in COLUMNS},
            labels=self._labels(count) if has_labels else (),
        )

    def _rows(self, count: int, *, below: int) -> NDArray[np.uint32]:
        rows = np.frombuffer(self._bytes(4 * count), "<u4")
        if count and (rows[-1] >= below or (rows[1:] < rows[:-1]).any()):
            raise RecordError
        return rows

    def _raw(self, kind: str, count: int) -> NDArray[np.uint8]:
        raw = np.frombuffer(self._bytes(WIDTHS[kind] * count), np.uint8)
        return raw.reshape(-1, WIDTHS[kind])

    def _labels(self, count: int) -> tuple[str | None, ...]:
        lengths = np.frombuffer(self._bytes(4 * count), "<u4").tolist()
        return tuple(self._bytes(one - 1).decode() if one else None for one in lengths)

    def _lines(self) -> Lines:
        lines = Lines(count=self._number(), content=self._rest())
        whole = not lines.content or lines.content.endswith(b"\n")
        if not whole or lines.content.count(b"\n") != lines.count:
            raise RecordError
        return lines

    def _number(self) -> int:
        number: int = _NUMBER.unpack(self._bytes(_NUMBER.size))[0]
        return number

    def _rest(self) -> bytes:
        return self._bytes(len(self._body) - self._at)

    def _text(self) -> str:
        (length,) = _LENGTH.unpack(self._bytes(_LENGTH.size))
        return self._bytes(length).decode()

    def _bytes(self, count: int) -> bytes:
        start = self._at
        self._at += count
        if self._at > len(self._body):
            raise RecordError
        return self._body[start : self._at]


def _batch_body(batch: Batch) -> bytes:
    counts = (len(batch.rows[kind]) for kind in COLUMNS)
    parts = [_BATCH.pack(batch.count, bool(batch.labels), *counts)]
    parts += [batch.rows[kind].astype("<u4").tobytes() for kind in COLUMNS]
    parts += [batch.raw[kind].tobytes() for kind in COLUMNS]
    # A list may hold half of a surrogate pair in its escapes; it is shown as a question mark.
    texts = [None if one is None else one.encode(errors="replace") for one in batch.labels]
    lengths = [0 if text is None else len(text) + 1 for text in texts]
    parts.append(np.array(lengths, "<u4").tobytes())
    parts += [text for text in texts if text]
    return b"".join(parts)


def _text(text: str) -> bytes:
    cut = text.encode(errors="replace")[:TEXT_BYTES]
    encoded = cut.decode(errors="ignore").encode()
    return _LENGTH.pack(len(encoded)) + encoded
