"""The file of an own list: JSON lines, a header first, then one entry a line.

The only reader and the only writer of this format. A list that has no signature is hostile
until shown otherwise: ``lists.reader`` runs this reader inside a locked process.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import BinaryIO

from protech.errors import ListFormatError
from protech.lists.entries import (
    LABEL_CHARACTERS,
    PDQ_PER_ENTRY,
    VPDQ_PER_ENTRY,
    WIDTHS,
    BadEntry,
    Category,
    Entry,
    LegalClass,
    ListHeader,
    Use,
)
from protech.lists.formats.lines import refuse_fetch_keys
from protech.lists.formats.own_lines import SINGLE, EntryLines, line

FORMAT_VERSION = 1

MAGIC = "protech_list"
"""The header's first key; its value is the format's version."""

LINE_BYTES = 1024 * 1024
"""The frames of a video of two hours take 550 KiB, all hashes of an animation 17."""

COUNT_DIGITS = 12
"""Room for the count in a header that is written before the entries are counted."""


class _Bad(Exception):
    """Why a line is no entry."""


def read_header(file: BinaryIO) -> ListHeader:
    """Return the header, leaving ``file`` at the first entry.

    Raises:
        ListFormatError: The file is no list, or of another version.
    """
    return parse_header(file.readline(LINE_BYTES + 1))


def parse_header(line: bytes) -> ListHeader:
    """Return the header that stands on ``line``.

    Raises:
        ListFormatError: It is none, or of another version, or for locate.
    """
    refuse_fetch_keys(line)
    try:
        fields = _object(line)
        version = fields.pop(MAGIC, None)
        if version is None:
            raise _Bad("it does not begin with the header of a list")
        if version != FORMAT_VERSION:
            raise _Bad(
                f"it is in another version of the format than {FORMAT_VERSION}, the one that"
                " this Protech reads"
            )
        return _header(fields)
    except _Bad as bad:
        raise ListFormatError(
            f"The known list cannot be read: {bad} (line 1). Make it again with"
            " `protech lists make`, or get it again from where it came."
        ) from bad


def read_entries(file: BinaryIO) -> Iterator[Entry | BadEntry]:
    """Yield what stands on each line after the header, the good and the bad."""
    number = 1
    while content := file.readline(LINE_BYTES + 1):
        number += 1
        if len(content) > LINE_BYTES and not content.endswith(b"\n"):
            _skip_line(file)
        yield read_entry(content, number=number)


def read_entry(content: bytes, *, number: int) -> Entry | BadEntry:
    """Return the entry that stands on a line, or why it is none."""
    try:
        if len(content) > LINE_BYTES and not content.endswith(b"\n"):
            raise _Bad(f"the line is longer than {LINE_BYTES} bytes")
        return _entry(_object(content))
    except _Bad as bad:
        return BadEntry(line=number, reason=str(bad))


def require_count(header: ListHeader, found: int) -> None:
    """See to it that a list is whole.

    Args:
        header: Of the list.
        found: How many lines follow it, entries or not.

    Raises:
        ListFormatError: There are more or fewer than the header says.
    """
    if found != header.count:
        raise ListFormatError(
            f"The known list says that it has {header.count} entries, and has {found}: it was"
            " cut or added to. Get it again from where it came."
        )


def header_fields(header: ListHeader) -> dict[str, object]:
    """Return a header as its JSON object."""
    return {
        MAGIC: FORMAT_VERSION,
        "name": header.name,
        "version": header.version,
        "category": header.category,
        "uses": sorted(header.uses),
        "created_at": header.created_at.astimezone(UTC).isoformat(),
        "expires_at": header.expires_at and header.expires_at.astimezone(UTC).isoformat(),
        "issuer": header.issuer,
        "legal_basis": header.legal_basis,
        "legal_class": header.legal_class,
        "quality_floor": header.quality_floor,
        "sealed": header.is_sealed,
        **header.others,
        "count": header.count,
    }


def header_line(header: ListHeader) -> bytes:
    """Return a header as it stands in a file."""
    return line(header_fields(header))


class ListWriter:
    """Writes a list entry by entry; the header is put right when it is closed."""

    def __init__(self, file: BinaryIO, header: ListHeader) -> None:
        """Begin a list in ``file``, which must be seekable; the count of ``header`` is ours."""
        self._file = file
        self._header = header
        self._lines = EntryLines()
        self._start = file.tell()
        self.count = 0
        self._write_header()

    def write(self, entry: Entry) -> None:
        """Append one entry."""
        self.write_lines(self._lines.line(entry), count=1)

    def write_lines(self, content: bytes, *, count: int) -> None:
        """Append ``count`` entries that are lines already."""
        self._file.write(content)
        self.count += count

    def finish(self) -> None:
        """Write the count into the header."""
        end = self._file.tell()
        self._file.seek(self._start)
        self._write_header()
        self._file.seek(end)

    def _write_header(self) -> None:
        padding = b" " * (COUNT_DIGITS - len(str(self.count)))
        header = header_line(replace(self._header, count=self.count))
        self._file.write(header[:-1] + padding + b"\n")


def _skip_line(file: BinaryIO) -> None:
    while piece := file.readline(LINE_BYTES):
        if piece.endswith(b"\n"):
            return


def _object(line: bytes) -> dict[str, object]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise _Bad("the line is no JSON object in UTF-8") from None
    if not isinstance(fields, dict):
        raise _Bad("the line is no JSON object in UTF-8")
    return fields


def _header(fields: dict[str, object]) -> ListHeader:
    expires_at = fields.pop("expires_at", None)
    return ListHeader(
        name=_text(fields, "name", longest=200),
        version=_number(fields, "version"),
        category=_choice(fields, "category", of=Category),
        uses=_uses(fields),
        created_at=_moment("created_at", fields.pop("created_at", None)),
        expires_at=None if expires_at is None else _moment("expires_at", expires_at),
        count=_number(fields, "count"),
        issuer=_optional(fields, "issuer", partial(_text, longest=200)),
        legal_basis=_optional(fields, "legal_basis", partial(_text, longest=500)),
        legal_class=_optional(fields, "legal_class", partial(_choice, of=LegalClass)),
        quality_floor=_optional(fields, "quality_floor", _number),
        is_sealed=_flag(fields, "sealed"),
        others=fields,
    )


def _optional[T](
    fields: dict[str, object], key: str, read: Callable[[dict[str, object], str], T]
) -> T | None:
    if fields.get(key) is None:
        fields.pop(key, None)
        return None
    return read(fields, key)


def _choice[T: StrEnum](fields: dict[str, object], key: str, *, of: type[T]) -> T:
    value = fields.pop(key, None)
    if not isinstance(value, str) or value not in set(of):
        raise _Bad(f"'{key}' is none of {', '.join(of)}")
    return of(value)


def _text(fields: dict[str, object], key: str, *, longest: int) -> str:
    value = fields.pop(key, None)
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise _Bad(f"'{key}' is no text of 1 to {longest} printable characters")
    return value


def _number(fields: dict[str, object], key: str) -> int:
    value = fields.pop(key, None)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 32:
        raise _Bad(f"'{key}' is no whole number from 0 to {(1 << 32) - 1}")
    return value


def _flag(fields: dict[str, object], key: str) -> bool:
    value = fields.pop(key, False)
    if not isinstance(value, bool):
        raise _Bad(f"'{key}' is neither true nor false")
    return value


def _uses(fields: dict[str, object]) -> frozenset[Use]:
    value = fields.pop("uses", None)
    known = ", ".join(Use)
    if not isinstance(value, list) or not value or not set(map(str, value)) <= set(Use):
        raise _Bad(f"'uses' is no list of one or more of {known}")
    return frozenset(Use(use) for use in value)


def _moment(key: str, value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        in_utc = moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        in_utc = None
    if in_utc is None:
        raise _Bad(f"'{key}' is no date and time with its zone (ISO 8601)")
    return in_utc


def _entry(fields: dict[str, object]) -> Entry:
    label = fields.pop("label", None)
    if label is not None and (not isinstance(label, str) or len(label) > LABEL_CHARACTERS):
        raise _Bad(f"'label' is no text of at most {LABEL_CHARACTERS} characters")
    entry = Entry(
        label=label,
        **{name: _hex(name, fields.pop(name)) for name in SINGLE if name in fields},
        pdq=_hashes(fields, "pdq", most=PDQ_PER_ENTRY),
        vpdq=_hashes(fields, "vpdq", most=VPDQ_PER_ENTRY),
        others=fields,
    )
    if not any((entry.md5, entry.sha1, entry.sha256, entry.pdq, entry.vpdq, entry.photodna)):
        raise _Bad(f"the entry has none of {', '.join(WIDTHS)}")
    return entry


def _hashes(fields: dict[str, object], key: str, *, most: int) -> tuple[bytes, ...]:
    value = fields.pop(key, [])
    hashes = value if isinstance(value, list) else [value]
    if len(hashes) > most:
        raise _Bad(f"'{key}' has more than {most} hashes")
    return tuple(_hex(key, one) for one in hashes)


def _hex(key: str, value: object) -> bytes:
    width = WIDTHS[key]
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != width or len(str(value)) != 2 * width:
        raise _Bad(f"'{key}' is not {2 * width} hex digits")
    return raw
