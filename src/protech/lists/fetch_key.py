"""The keys under which peer-to-peer networks know a listed file, and what makes one whole.

With such a key anybody could fetch a file: see ``lists.fetch_keys``, the only list of them.
Sources: BEP 3 and BEP 52 (BitTorrent), the eD2k and AICH hashes of eMule.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from protech.lists.entries import WIDTHS

PIECES = 1 << 16
"""Pieces of one file: a terabyte in the pieces of 16 MiB that its torrent would have."""
PIECE_BYTES = 1 << 30
BLOCK_BYTES = 1 << 14
"""What a leaf of BitTorrent's second version is a digest of (BEP 52)."""
FILES = 1 << 24
SIZE_BYTES = 1 << 48
TORRENT_PIECES = 1 << 24
TRACKERS = 64
ED2K_BLOCK_BYTES = 180 * 1024
"""What a leaf of the AICH tree is a digest of (eMule)."""
SERVER = re.compile(r"(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]{2,45}\]):[1-9]\d{0,4}")
TRACKER = re.compile(r"(udp|https?)://[!-~]{1,1000}")

SHA1_BYTES = WIDTHS["sha1"]
SHA256_BYTES = WIDTHS["sha256"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TorrentFile:
    """One file of a torrent of the first version: where it lies, and every piece it touches.

    ``torrent_bytes`` is the size of all its files together. ``weak`` are the places in
    ``pieces`` of those that prove nothing: of low entropy, or in other files, too.
    ``trackers`` are the only ones that are asked. ``twin`` are 20 bytes of a hybrid torrent's
    other info-hash: it has the same pieces, so that a peer may answer with either (BEP 52).
    """

    info_hash: bytes = field(repr=False)
    file_index: int
    first_byte: int
    size_bytes: int
    piece_bytes: int
    torrent_bytes: int
    pieces: tuple[bytes, ...] = field(repr=False)
    weak: tuple[int, ...] = ()
    trackers: tuple[str, ...] = field(default=(), repr=False)
    twin: bytes | None = field(default=None, repr=False)

    @property
    def first_piece(self) -> int:
        """The first piece of the torrent that the file touches."""
        return self.first_byte // self.piece_bytes

    @property
    def torrent_pieces(self) -> int:
        """How many pieces the torrent has."""
        return -(-self.torrent_bytes // self.piece_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TorrentTree:
    """One file of a torrent of the second version: its root, and the layer of its pieces.

    A file of one piece or less has no layer. ``first_piece`` and ``torrent_pieces`` count
    pieces of the torrent, in which each file begins with a piece of its own. ``weak`` are
    places in the file's pieces; ``trackers`` and ``twin`` are as in ``TorrentFile``.
    """

    info_hash: bytes = field(repr=False)
    file_index: int
    first_piece: int
    torrent_pieces: int
    root: bytes = field(repr=False)
    size_bytes: int
    piece_bytes: int
    layer: tuple[bytes, ...] = field(default=(), repr=False)
    weak: tuple[int, ...] = ()
    trackers: tuple[str, ...] = field(default=(), repr=False)
    twin: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed2kFile:
    """One file of the eDonkey network: its MD4 of MD4s, and its AICH root.

    ``weak`` are the places of blocks of 180 KiB that prove nothing, counted in the file;
    ``servers`` the only ones that are asked, as ``192.0.2.1:4661``.
    """

    md4: bytes = field(repr=False)
    aich: bytes = field(repr=False)
    size_bytes: int
    weak: tuple[int, ...] = ()
    servers: tuple[str, ...] = field(default=(), repr=False)


FetchKey = TorrentFile | TorrentTree | Ed2kFile

KINDS = {"torrent": TorrentFile, "torrent_v2": TorrentTree, "ed2k": Ed2kFile}


class NoFetchKey(Exception):
    """Why an object is no key; it quotes nothing of it."""


def parse_key(fields: dict[str, object]) -> FetchKey:
    """Return the key in a line of a list; what it has besides is left alone.

    Raises:
        NoFetchKey: It does not hold together.
    """
    kind = fields.pop("kind", None)
    match kind:
        case "torrent":
            return _torrent(fields)
        case "torrent_v2":
            return _tree(fields)
        case "ed2k":
            return _ed2k(fields)
        case _:
            raise NoFetchKey(f"'kind' is none of {', '.join(KINDS)}")


def _torrent(fields: dict[str, object]) -> TorrentFile:
    key = TorrentFile(
        info_hash=_hex(fields, "info_hash", 20),
        file_index=_number(fields, "file_index", FILES),
        first_byte=_number(fields, "first_byte", SIZE_BYTES),
        size_bytes=_number(fields, "size_bytes", SIZE_BYTES, least=1),
        piece_bytes=_number(fields, "piece_bytes", PIECE_BYTES, least=1),
        torrent_bytes=_number(fields, "torrent_bytes", SIZE_BYTES, least=1),
        pieces=_hashes(fields, "pieces", 20),
        weak=_weak(fields),
        trackers=_addresses(fields, "trackers", TRACKER),
        twin=_twin(fields),
    )
    end = key.first_byte + key.size_bytes
    if len(key.pieces) != (end - 1) // key.piece_bytes - key.first_piece + 1:
        raise NoFetchKey("'pieces' is not one hash for each piece that the file touches")
    if end > key.torrent_bytes or key.torrent_pieces > TORRENT_PIECES:
        raise NoFetchKey("'torrent_bytes' is no size of a torrent that holds the file")
    _require_places(key.weak, len(key.pieces))
    return key


def _tree(fields: dict[str, object]) -> TorrentTree:
    key = TorrentTree(
        info_hash=_hex(fields, "info_hash", 32),
        file_index=_number(fields, "file_index", FILES),
        first_piece=_number(fields, "first_piece", TORRENT_PIECES),
        torrent_pieces=_number(fields, "torrent_pieces", TORRENT_PIECES, least=1),
        root=_hex(fields, "root", 32),
        size_bytes=_number(fields, "size_bytes", SIZE_BYTES, least=1),
        piece_bytes=_number(fields, "piece_bytes", PIECE_BYTES, least=BLOCK_BYTES),
        layer=_hashes(fields, "layer", 32),
        weak=_weak(fields),
        trackers=_addresses(fields, "trackers", TRACKER),
        twin=_twin(fields),
    )
    if key.piece_bytes.bit_count() != 1:
        raise NoFetchKey("'piece_bytes' is no power of two")
    pieces = -(-key.size_bytes // key.piece_bytes)
    if len(key.layer) != (pieces if pieces > 1 else 0):
        raise NoFetchKey("'layer' is not one hash for each piece of a file of several")
    if key.layer and tree_root(key.layer, piece_bytes=key.piece_bytes) != key.root:
        raise NoFetchKey("'layer' does not lead to 'root'")
    if key.first_piece + pieces > key.torrent_pieces:
        raise NoFetchKey("'torrent_pieces' is fewer than the file's pieces and those before")
    _require_places(key.weak, pieces)
    return key


def _ed2k(fields: dict[str, object]) -> Ed2kFile:
    key = Ed2kFile(
        md4=_hex(fields, "md4", 16),
        aich=_hex(fields, "aich", 20),
        size_bytes=_number(fields, "size_bytes", SIZE_BYTES, least=1),
        weak=_weak(fields),
        servers=_addresses(fields, "servers", SERVER),
    )
    _require_places(key.weak, -(-key.size_bytes // ED2K_BLOCK_BYTES))
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


def _weak(fields: dict[str, object]) -> tuple[int, ...]:
    value = fields.pop("weak", [])
    if not isinstance(value, list) or len(value) > PIECES:
        raise NoFetchKey(f"'weak' is no list of at most {PIECES} places")
    found = tuple(_number({"weak": one}, "weak", PIECES) for one in value)
    if list(found) != sorted(set(found)):
        raise NoFetchKey("'weak' does not rise")
    return found


def _require_places(weak: Sequence[int], pieces: int) -> None:
    if weak and weak[-1] >= pieces:
        raise NoFetchKey("'weak' names a piece that the file has not")


def _addresses(fields: dict[str, object], key: str, form: re.Pattern[str]) -> tuple[str, ...]:
    value = fields.pop(key, [])
    if not isinstance(value, list) or len(value) > TRACKERS:
        raise NoFetchKey(f"'{key}' is no list of at most {TRACKERS} addresses")
    if not all(isinstance(one, str) and form.fullmatch(one) for one in value):
        raise NoFetchKey(f"'{key}' has what is no address of one")
    return tuple(value)


def _hashes(fields: dict[str, object], key: str, width: int) -> tuple[bytes, ...]:
    value = fields.pop(key, None)
    if not isinstance(value, list) or len(value) > PIECES:
        raise NoFetchKey(f"'{key}' is no list of at most {PIECES} hashes")
    return tuple(_raw(key, one, width) for one in value)


def _twin(fields: dict[str, object]) -> bytes | None:
    return _hex(fields, "twin", 20) if "twin" in fields else None


def _hex(fields: dict[str, object], key: str, width: int) -> bytes:
    return _raw(key, fields.pop(key, None), width)


def _raw(key: str, value: object, width: int) -> bytes:
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != width or len(str(value)) != 2 * width:
        raise NoFetchKey(f"'{key}' is not {2 * width} hex digits")
    return raw


def _number(fields: dict[str, object], key: str, most: int, *, least: int = 0) -> int:
    value = fields.pop(key, None)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise NoFetchKey(f"'{key}' is no whole number from {least} to {most}")
    return value
