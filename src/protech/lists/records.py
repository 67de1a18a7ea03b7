"""What a locked reader of lists answers: records of a fixed, length-capped layout.

Each is one byte for what it is, four for its length, and its body; all numbers little-endian.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import assert_never

from protech.errors import ListFormatError
from protech.lists.entries import (
    DIGESTS,
    PDQ_PER_ENTRY,
    VPDQ_PER_ENTRY,
    WIDTHS,
    BadEntry,
    Entry,
    ListHeader,
)
from protech.lists.formats.own import header_line, parse_header

BODY_BYTES = 512 * 1024
"""The longest body: ``VPDQ_PER_ENTRY`` frames take 256 KiB, all else 25."""

TEXT_BYTES = 0x7FFF

_HEAD = struct.Struct("<BI")
_ENTRY = struct.Struct("<BHH")  # which identifiers and whether a label, hashes, frames
_BAD = struct.Struct("<Q")  # line
_LENGTH = struct.Struct("<H")

_SINGLE = (*DIGESTS, "photodna")
_LABELLED = 1 << len(_SINGLE)


class What(IntEnum):
    """What a record is."""

    HEADER = 1
    ENTRY = 2
    BAD = 3
    END = 4
    NO_LIST = 5
    NO_SANDBOX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The whole list was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The reader goes no further; ``text`` says why, to a person."""

    is_sandbox: bool
    text: str


Record = ListHeader | Entry | BadEntry | End | Refusal


class RecordError(Exception):
    """What was received is no record."""


def record_bytes(record: Record) -> bytes:
    """Return a record as it travels."""
    match record:
        case ListHeader():
            what, body = What.HEADER, header_line(record)
        case Entry():
            what, body = What.ENTRY, _entry_body(record)
        case BadEntry():
            what, body = What.BAD, _BAD.pack(record.line) + _text(record.reason)
        case End():
            what, body = What.END, b""
        case Refusal():
            what = What.NO_SANDBOX if record.is_sandbox else What.NO_LIST
            body = _text(record.text)
        case _:
            assert_never(record)
    return _HEAD.pack(what, len(body)) + body


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
            case What.ENTRY:
                record = self._entry()
            case What.BAD:
                (line,) = self._numbers(_BAD)
                record = BadEntry(line=line, reason=self._text())
            case What.END:
                record = End()
            case What.NO_LIST | What.NO_SANDBOX:
                record = Refusal(is_sandbox=what is What.NO_SANDBOX, text=self._text())
            case _:
                assert_never(what)
        if self._at != len(self._body):
            raise RecordError
        return record

    def _entry(self) -> Entry:
        flags, hashes, frames = self._numbers(_ENTRY)
        if hashes > PDQ_PER_ENTRY or frames > VPDQ_PER_ENTRY:
            raise RecordError
        single = {
            name: self._bytes(WIDTHS[name])
            for place, name in enumerate(_SINGLE)
            if flags >> place & 1
        }
        return Entry(
            md5=single.get("md5"),
            sha1=single.get("sha1"),
            sha256=single.get("sha256"),
            photodna=single.get("photodna"),
            vpdq=tuple(self._bytes(WIDTHS["vpdq"]) for _ in range(frames)),
            pdq=tuple(self._bytes(WIDTHS["pdq"]) for _ in range(hashes)),
            label=self._text() if flags & _LABELLED else None,
        )

    def _numbers(self, layout: struct.Struct) -> tuple[int, ...]:
        return layout.unpack(self._bytes(layout.size))

    def _rest(self) -> bytes:
        return self._bytes(len(self._body) - self._at)

    def _text(self) -> str:
        (length,) = self._numbers(_LENGTH)
        return self._bytes(length).decode()

    def _bytes(self, count: int) -> bytes:
        start = self._at
        self._at += count
        if self._at > len(self._body):
            raise RecordError
        return self._body[start : self._at]


def _entry_body(entry: Entry) -> bytes:
    single = tuple(getattr(entry, name) for name in _SINGLE)
    flags = sum(1 << place for place, one in enumerate(single) if one is not None)
    if entry.label is None:
        label = b""
    else:
        flags |= _LABELLED
        label = _text(entry.label)
    held = b"".join(one for one in single if one is not None)
    hashes = b"".join(entry.vpdq) + b"".join(entry.pdq)
    return _ENTRY.pack(flags, len(entry.pdq), len(entry.vpdq)) + held + hashes + label


def _text(text: str) -> bytes:
    # A list may hold half of a surrogate pair in its escapes; it is shown as a question mark.
    cut = text.encode(errors="replace")[:TEXT_BYTES]
    encoded = cut.decode(errors="ignore").encode()
    return _LENGTH.pack(len(encoded)) + encoded
