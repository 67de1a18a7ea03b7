"""The file of an own list: JSON lines, a header first, then one entry a line.

The only reader and the only writer of this format. A list that has no signature is hostile
until shown otherwise: ``lists.reader`` runs this reader inside a locked process.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import BinaryIO

from protech.errors import ListFormatError

FORMAT_VERSION = 1

MAGIC = "protech_list"
"""The header's first key; its value is the format's version."""

OWN = "own"
"""The category of a list made by ``protech lists make``; only its labels are ever printed."""

LINE_BYTES = 64 * 1024
"""One entry with every hash of an animation takes about 4 KiB."""

PDQ_PER_ENTRY = 256
LABEL_CHARACTERS = 4096
"""The longest path of Linux, PATH_MAX."""

WIDTHS = {"md5": 16, "sha1": 20, "sha256": 32, "pdq": 32}
"""Bytes of each identifier."""

DIGESTS = ("md5", "sha1", "sha256")

COUNT_DIGITS = 12
"""Room for the count in a header that is written before the entries are counted."""


class Use(StrEnum):
    """What a list may be used for; any other use of it is refused."""

    GUARD = "guard"
    TRIAGE = "triage"
    MESSAGING = "messaging"
    LOCATE = "locate"


OWN_USES = frozenset({Use.GUARD, Use.TRIAGE, Use.MESSAGING})
"""An unsigned list is never used to look at other people's traffic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListHeader:
    """What a list says of itself; ``count`` is of its entries, ``others`` keys unknown here."""

    name: str
    version: int
    category: str
    uses: frozenset[Use]
    created_at: datetime
    expires_at: datetime | None = None
    count: int = 0
    is_known_good: bool = False
    others: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item of a list: raw digests, and the PDQ hashes of its frames in all their forms."""

    label: str | None = field(default=None, repr=False)
    md5: bytes | None = field(default=None, repr=False)
    sha1: bytes | None = field(default=None, repr=False)
    sha256: bytes | None = field(default=None, repr=False)
    pdq: tuple[bytes, ...] = field(default=(), repr=False)
    others: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadEntry:
    """A line, counted from 1, that is no entry, and why; it quotes nothing of the line."""

    line: int
    reason: str


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
        ListFormatError: It is none, or of another version.
    """
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
    while line := file.readline(LINE_BYTES + 1):
        number += 1
        try:
            if len(line) > LINE_BYTES and not line.endswith(b"\n"):
                _skip_line(file)
                raise _Bad(f"the line is longer than {LINE_BYTES} bytes")
            yield _entry(_object(line))
        except _Bad as bad:
            yield BadEntry(line=number, reason=str(bad))


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
        "known_good": header.is_known_good,
        **header.others,
        "count": header.count,
    }


class ListWriter:
    """Writes a list entry by entry; the header is put right when it is closed."""

    def __init__(self, file: BinaryIO, header: ListHeader) -> None:
        """Begin a list in ``file``, which must be seekable; the count of ``header`` is ours."""
        self._file = file
        self._header = header
        self._start = file.tell()
        self.count = 0
        self._write_header()

    def write(self, entry: Entry) -> None:
        """Append one entry."""
        fields: dict[str, object] = {} if entry.label is None else {"label": entry.label}
        for name in DIGESTS:
            digest = getattr(entry, name)
            if digest is not None:
                fields[name] = digest.hex()
        if entry.pdq:
            fields["pdq"] = [hash_.hex() for hash_ in entry.pdq]
        self._file.write(_line({**fields, **entry.others}))
        self.count += 1

    def finish(self) -> None:
        """Write the count into the header."""
        end = self._file.tell()
        self._file.seek(self._start)
        self._write_header()
        self._file.seek(end)

    def _write_header(self) -> None:
        fields = header_fields(replace(self._header, count=self.count))
        padding = b" " * (COUNT_DIGITS - len(str(self.count)))
        self._file.write(_line(fields)[:-1] + padding + b"\n")


def _line(fields: Mapping[str, object]) -> bytes:
    text = json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate stands for a byte of a name that was not UTF-8.
    return text.encode(errors="replace") + b"\n"


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
        category=_text(fields, "category", longest=100),
        uses=_uses(fields),
        created_at=_moment("created_at", fields.pop("created_at", None)),
        expires_at=None if expires_at is None else _moment("expires_at", expires_at),
        count=_number(fields, "count"),
        is_known_good=_flag(fields, "known_good"),
        others=fields,
    )


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
        **{name: _hex(name, fields.pop(name)) for name in DIGESTS if name in fields},
        pdq=_pdq(fields),
        others=fields,
    )
    if not (entry.md5 or entry.sha1 or entry.sha256 or entry.pdq):
        raise _Bad("the entry has none of md5, sha1, sha256 and pdq")
    return entry


def _pdq(fields: dict[str, object]) -> tuple[bytes, ...]:
    value = fields.pop("pdq", [])
    hashes = value if isinstance(value, list) else [value]
    if len(hashes) > PDQ_PER_ENTRY:
        raise _Bad(f"'pdq' has more than {PDQ_PER_ENTRY} hashes")
    return tuple(_hex("pdq", one) for one in hashes)


def _hex(key: str, value: object) -> bytes:
    width = WIDTHS[key]
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != width or len(str(value)) != 2 * width:
        raise _Bad(f"'{key}' is not {2 * width} hex digits")
    return raw
