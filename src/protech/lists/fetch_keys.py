"""What ``locate`` asks peer-to-peer networks for: a list that nothing else reads.

JSON lines: a header whose first key is the magic, then one key a line. With such a key anybody
could fetch a file, so there is no other format of it: no reader of ``lists.formats`` reads it,
no writer exports it, and only ``locate`` may import this module.
Sources: BEP 3 and BEP 52 (BitTorrent), the eD2k and AICH hashes of eMule.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from protech.errors import ListFormatError, TrustError
from protech.lists.entries import BadEntry, Category, ListHeader, Use
from protech.lists.formats import own

FORMAT_VERSION = 1

MAGIC = "protech_fetch_keys"
"""The header's first key; its value is the format's version."""

LINE_BYTES = 8 * 1024 * 1024
PIECES = 1 << 16
"""Pieces of one file: a terabyte in the pieces of 16 MiB that its torrent would have."""
PIECE_BYTES = 1 << 30
BLOCK_BYTES = 1 << 14
"""What a leaf of BitTorrent's second version is a digest of (BEP 52)."""
FILES = 1 << 24
SIZE_BYTES = 1 << 48


@dataclass(frozen=True, slots=True, kw_only=True)
class TorrentFile:
    """One file of a torrent of the first version: where it lies, and every piece it touches."""

    info_hash: bytes = field(repr=False)
    file_index: int
    first_byte: int
    size_bytes: int
    piece_bytes: int
    pieces: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TorrentTree:
    """One file of a torrent of the second version: its root, and the layer of its pieces.

    A file of one piece or less has no layer.
    """

    root: bytes = field(repr=False)
    size_bytes: int
    piece_bytes: int
    layer: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed2kFile:
    """One file of the eDonkey network: its MD4 of MD4s, and its AICH root."""

    md4: bytes = field(repr=False)
    aich: bytes = field(repr=False)
    size_bytes: int


FetchKey = TorrentFile | TorrentTree | Ed2kFile

_KINDS = {"torrent": TorrentFile, "torrent_v2": TorrentTree, "ed2k": Ed2kFile}


class _Bad(Exception):
    """Why a line is no key."""


def read_header(file: BinaryIO) -> ListHeader:
    """Return the header, leaving ``file`` at the first key.

    Raises:
        ListFormatError: It is no list of fetch keys.
        TrustError: It is not a list for locate alone, of an authority.
    """
    line = file.readline(LINE_BYTES + 1)
    if not line.startswith(b'{"' + MAGIC.encode() + b'":'):
        raise ListFormatError("The list does not begin with the header of a list for locate.")
    try:
        fields = _object(line)
    except _Bad as bad:
        raise ListFormatError(f"The list for locate cannot be read: {bad} (line 1).") from bad
    if fields.pop(MAGIC) != FORMAT_VERSION:
        raise ListFormatError(
            f"The list for locate is in another version than {FORMAT_VERSION}, which is read."
        )
    as_own = {own.MAGIC: own.FORMAT_VERSION, **fields}
    header = own.parse_header(json.dumps(as_own).encode())
    _check(header)
    return header


def read_keys(file: BinaryIO) -> Iterator[FetchKey | BadEntry]:
    """Yield what stands on each line after the header, the good and the bad."""
    number = 1
    while line := file.readline(LINE_BYTES + 1):
        number += 1
        try:
            if len(line) > LINE_BYTES and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = file.readline(LINE_BYTES)
                raise _Bad(f"the line is longer than {LINE_BYTES} bytes")
            yield _key(_object(line))
        except _Bad as bad:
            yield BadEntry(line=number, reason=str(bad))


class KeyWriter:
    """Writes a list key by key; the header is put right when it is finished."""

    def __init__(self, file: BinaryIO, header: ListHeader) -> None:
        """Begin a list in ``file``, which must be seekable; the count of ``header`` is ours.

        Raises:
            TrustError: The header is not of a list for locate alone, of an authority.
        """
        _check(header)
        self._file = file
        self._header = header
        self._start = file.tell()
        self.count = 0
        self._write_header()

    def write(self, key: FetchKey) -> None:
        """Append one key.

        Raises:
            ValueError: It does not hold together.
        """
        kind = next(name for name, one in _KINDS.items() if isinstance(key, one))
        fields = {name: _as_json(getattr(key, name)) for name in key.__dataclass_fields__}
        fields = {"kind": kind, **fields}
        try:
            _key(dict(fields))
        except _Bad as bad:
            raise ValueError(f"the fetch key does not hold together: {bad}") from bad
        self._file.write(_line(fields))
        self.count += 1

    def finish(self) -> None:
        """Write the count into the header."""
        end = self._file.tell()
        self._file.seek(self._start)
        self._write_header()
        self._file.seek(end)

    def _write_header(self) -> None:
        padding = b" " * (own.COUNT_DIGITS - len(str(self.count)))
        fields = own.header_fields(replace(self._header, count=self.count))
        del fields[own.MAGIC]
        line = _line({MAGIC: FORMAT_VERSION, **fields})
        self._file.write(line[:-1] + padding + b"\n")


def _check(header: ListHeader) -> None:
    if header.uses != {Use.LOCATE} or header.category is not Category.CSAM:
        raise TrustError(
            "Fetch keys stand only in a list whose one use is locate and whose category is"
            " csam; its authority must publish it so."
        )


def _line(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _as_json(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    return [_as_json(one) for one in value] if isinstance(value, tuple) else value


def _object(line: bytes) -> dict[str, object]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise _Bad("the line is no JSON object in UTF-8")
    return fields


def _key(fields: dict[str, object]) -> FetchKey:
    kind = fields.pop("kind", None)
    match kind:
        case "torrent":
            return _torrent(fields)
        case "torrent_v2":
            return _tree(fields)
        case "ed2k":
            return Ed2kFile(
                md4=_hex(fields, "md4", 16),
                aich=_hex(fields, "aich", 20),
                size_bytes=_number(fields, "size_bytes", SIZE_BYTES),
            )
        case _:
            raise _Bad(f"'kind' is none of {', '.join(_KINDS)}")


def _torrent(fields: dict[str, object]) -> TorrentFile:
    key = TorrentFile(
        info_hash=_hex(fields, "info_hash", 20),
        file_index=_number(fields, "file_index", FILES),
        first_byte=_number(fields, "first_byte", SIZE_BYTES),
        size_bytes=_number(fields, "size_bytes", SIZE_BYTES, least=1),
        piece_bytes=_number(fields, "piece_bytes", PIECE_BYTES, least=1),
        pieces=_hashes(fields, "pieces", 20),
    )
    first = key.first_byte // key.piece_bytes
    last = (key.first_byte + key.size_bytes - 1) // key.piece_bytes
    if len(key.pieces) != last - first + 1:
        raise _Bad("'pieces' is not one hash for each piece that the file touches")
    return key


def _tree(fields: dict[str, object]) -> TorrentTree:
    key = TorrentTree(
        root=_hex(fields, "root", 32),
        size_bytes=_number(fields, "size_bytes", SIZE_BYTES, least=1),
        piece_bytes=_number(fields, "piece_bytes", PIECE_BYTES, least=BLOCK_BYTES),
        layer=_hashes(fields, "layer", 32),
    )
    if key.piece_bytes.bit_count() != 1:
        raise _Bad("'piece_bytes' is no power of two")
    pieces = -(-key.size_bytes // key.piece_bytes)
    if len(key.layer) != (pieces if pieces > 1 else 0):
        raise _Bad("'layer' is not one hash for each piece of a file of several")
    if key.layer and tree_root(key.layer, piece_bytes=key.piece_bytes) != key.root:
        raise _Bad("'layer' does not lead to 'root'")
    return key


def tree_root(layer: Sequence[bytes], *, piece_bytes: int) -> bytes:
    """Return the root over a layer of pieces, filled up with empty ones (BEP 52)."""
    empty = bytes(32)  # the leaf of a block that is not there
    for _ in range((piece_bytes // BLOCK_BYTES).bit_length() - 1):
        empty = hashlib.sha256(empty + empty).digest()
    level = list(layer)
    while len(level) > 1:
        if len(level) % 2:
            level.append(empty)
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [hashlib.sha256(left + right).digest() for left, right in pairs]
        empty = hashlib.sha256(empty + empty).digest()
    return level[0]


def _hashes(fields: dict[str, object], key: str, width: int) -> tuple[bytes, ...]:
    value = fields.pop(key, None)
    if not isinstance(value, list) or len(value) > PIECES:
        raise _Bad(f"'{key}' is no list of at most {PIECES} hashes")
    return tuple(_raw(key, one, width) for one in value)


def _hex(fields: dict[str, object], key: str, width: int) -> bytes:
    return _raw(key, fields.pop(key, None), width)


def _raw(key: str, value: object, width: int) -> bytes:
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != width or len(str(value)) != 2 * width:
        raise _Bad(f"'{key}' is not {2 * width} hex digits")
    return raw


def _number(fields: dict[str, object], key: str, most: int, *, least: int = 0) -> int:
    value = fields.pop(key, None)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _Bad(f"'{key}' is no whole number from {least} to {most}")
    return value
