"""The file of an exception list: JSON lines, a header first, then one exception a line.

The only reader and the only writer of this format. Its bytes are verified before this reads
them (``lists.exceptions``).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from protech.errors import ListFormatError
from protech.lists.entries import DIGESTS, PDQ_PER_ENTRY, WIDTHS, BadEntry

FORMAT_VERSION = 1

MAGIC = "protech_exceptions"
"""The header's first key; its value is the format's version."""

FILE_BYTES = 64 * 1024 * 1024
ENTRIES = 100_000
LINE_BYTES = 64 * 1024
"""All hashes of an animation take 17 KB."""

RADIUS_BITS = 10
"""How far a picture may be from an excepted PDQ hash at most.

As much as decoding at a smaller scale moves a hash; PDQ's own radius is 31.
"""

LISTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionHeader:
    """What an exception list says of itself; ``lists`` are all that it may silence."""

    name: str
    version: int
    author: str
    created_at: datetime
    expires_at: datetime
    lists: frozenset[str]
    others: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionEntry:
    """An item that is no match of the named lists, why, and who says so.

    It is the file that has all of these digests, and any picture that is at most
    ``radius_bits`` from one of the PDQ hashes. MD5 and SHA-1 alone except only what matched by
    them: two files can be made that share them, but not a SHA-256.
    Without ``expires_at`` it holds as long as its list.
    """

    sha256: bytes | None = field(default=None, repr=False)
    md5: bytes | None = field(default=None, repr=False)
    sha1: bytes | None = field(default=None, repr=False)
    pdq: tuple[bytes, ...] = field(default=(), repr=False)
    radius_bits: int = 0
    lists: frozenset[str]
    reason: str
    author: str
    expires_at: datetime | None = None
    others: Mapping[str, object] = field(default_factory=dict, repr=False)


class _Bad(Exception):
    """Why a line is no exception."""


def read(
    content: bytes,
) -> tuple[ExceptionHeader, tuple[ExceptionEntry, ...], tuple[BadEntry, ...]]:
    """Return the header, the exceptions, and the lines that are none.

    Raises:
        ListFormatError: It is no exception list, of another version, or larger than one may be.
    """
    lines = content.removesuffix(b"\n").split(b"\n", ENTRIES + 1)
    try:
        if len(content) > FILE_BYTES or len(lines) > ENTRIES + 1:
            raise _Bad(f"it is larger than {FILE_BYTES} bytes or {ENTRIES} exceptions")
        header = _header(_object(lines[0]))
    except _Bad as bad:
        raise ListFormatError(
            f"The exception list cannot be read: {bad}. Get it again from its author."
        ) from bad
    entries: list[ExceptionEntry] = []
    wrong: list[BadEntry] = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            entries.append(_entry(_object(line), header))
        except _Bad as bad:
            wrong.append(BadEntry(line=number, reason=str(bad)))
    return header, tuple(entries), tuple(wrong)


def content_of(header: ExceptionHeader, entries: Iterable[ExceptionEntry]) -> bytes:
    """Return an exception list as it is written, then signed.

    Raises:
        ListFormatError: An exception is none that could be read back.
    """
    lines = [_line(_header_fields(header)), *(_line(_entry_fields(one)) for one in entries)]
    content = b"".join(lines)
    _, _, wrong = read(content)
    if wrong:
        raise ListFormatError(
            f"The exception list cannot be written: {wrong[0].reason} (exception"
            f" {wrong[0].line - 1}). Mend that one."
        )
    return content


def _header_fields(header: ExceptionHeader) -> dict[str, object]:
    return {
        MAGIC: FORMAT_VERSION,
        "name": header.name,
        "version": header.version,
        "author": header.author,
        "created_at": header.created_at.astimezone(UTC).isoformat(),
        "expires_at": header.expires_at.astimezone(UTC).isoformat(),
        "lists": sorted(header.lists),
        **header.others,
    }


def _entry_fields(entry: ExceptionEntry) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name in DIGESTS:
        if (digest := getattr(entry, name)) is not None:
            fields[name] = digest.hex()
    if entry.pdq:
        fields["pdq"] = [one.hex() for one in entry.pdq]
        fields["radius_bits"] = entry.radius_bits
    fields |= {
        "lists": sorted(entry.lists),
        "reason": entry.reason,
        "author": entry.author,
    }
    if entry.expires_at is not None:
        fields["expires_at"] = entry.expires_at.astimezone(UTC).isoformat()
    return {**fields, **entry.others}


def _line(fields: Mapping[str, object]) -> bytes:
    text = json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="surrogatepass") + b"\n"  # ``read`` refuses what is no UTF-8


def _object(line: bytes) -> dict[str, object]:
    try:
        fields = json.loads(line) if len(line) <= LINE_BYTES else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise _Bad(f"the line is no JSON object in UTF-8 of at most {LINE_BYTES} bytes")
    return fields


def _header(fields: dict[str, object]) -> ExceptionHeader:
    version = fields.pop(MAGIC, None)
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise _Bad(f"it does not begin with a header of version {FORMAT_VERSION}")
    return ExceptionHeader(
        name=_text(fields, "name", longest=200),
        version=_number(fields, "version", most=(1 << 32) - 1),
        author=_text(fields, "author", longest=200),
        created_at=_moment(fields, "created_at"),
        expires_at=_moment(fields, "expires_at"),
        lists=_lists(fields),
        others=fields,
    )


def _entry(fields: dict[str, object], header: ExceptionHeader) -> ExceptionEntry:
    lists = _lists(fields)
    if not lists <= header.lists:
        raise _Bad("'lists' names one that the header does not allow to be silenced")
    pdq = _hashes(fields)
    if not pdq and "radius_bits" in fields:
        raise _Bad("'radius_bits' stands without 'pdq'")
    digests = {name: _hex(name, fields.pop(name)) for name in DIGESTS if name in fields}
    if not digests and not pdq:
        raise _Bad(f"it has none of {', '.join(DIGESTS)}, pdq")
    return ExceptionEntry(
        **digests,
        pdq=pdq,
        radius_bits=_number(fields, "radius_bits", most=RADIUS_BITS) if pdq else 0,
        lists=lists,
        reason=_text(fields, "reason", longest=1000),
        author=_text(fields, "author", longest=200),
        expires_at=_moment(fields, "expires_at") if "expires_at" in fields else None,
        others=fields,
    )


def _text(fields: dict[str, object], key: str, *, longest: int) -> str:
    value = fields.pop(key, None)
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise _Bad(f"'{key}' is no text of 1 to {longest} printable characters")
    return value


def _number(fields: dict[str, object], key: str, *, most: int) -> int:
    value = fields.pop(key, None)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise _Bad(f"'{key}' is no whole number from 0 to {most}")
    return value


def _moment(fields: dict[str, object], key: str) -> datetime:
    value = fields.pop(key, None)
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        in_utc = moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        in_utc = None
    if in_utc is None:
        raise _Bad(f"'{key}' is no date and time with its zone (ISO 8601)")
    return in_utc


def _lists(fields: dict[str, object]) -> frozenset[str]:
    value = fields.pop("lists", None)
    if not isinstance(value, list) or not 0 < len(value) <= LISTS:
        raise _Bad(f"'lists' does not name 1 to {LISTS} lists")
    return frozenset(_text({"lists": one}, "lists", longest=200) for one in value)


def _hashes(fields: dict[str, object]) -> tuple[bytes, ...]:
    value = fields.pop("pdq", [])
    hashes = value if isinstance(value, list) else [value]
    if len(hashes) > PDQ_PER_ENTRY:
        raise _Bad(f"'pdq' has more than {PDQ_PER_ENTRY} hashes")
    return tuple(_hex("pdq", one) for one in hashes)


def _hex(key: str, value: object) -> bytes:
    digits = 2 * WIDTHS[key]
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if not isinstance(value, str) or 2 * len(raw) != len(value) or len(value) != digits:
        raise _Bad(f"'{key}' is not {digits} hex digits")
    return raw
