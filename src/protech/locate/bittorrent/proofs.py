"""Whether what was delivered and measured is a piece of the listed file; pure.

Sources: BEP 3 (pieces), BEP 52 (trees over blocks of 16 KiB).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from protech.evidence.events import Measured
from protech.lists.fetch_key import BLOCK_BYTES, TorrentFile, TorrentTree
from protech.locate.adapter import Proof
from protech.locate.bittorrent.held import TorrentKey, piece_count

DISTINCT_BYTES = 64
"""Compressed media has nearly all 256 values of a byte in any block; filler, blank and runs of
text have fewer."""

Blocks = Mapping[tuple[int, int], tuple[int, bytes]]
"""What was delivered: length and SHA-256 by piece of the torrent and offset in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashes:
    """Hashes of a tree, as a peer gave them: leaves from ``index`` on, and uncles above."""

    index: int
    leaves: tuple[bytes, ...] = field(repr=False)
    uncles: tuple[bytes, ...] = field(repr=False)


def proof_of(
    key: TorrentKey,
    weak: AbstractSet[int],
    measured: Measured,
    *,
    blocks: Blocks,
    hashes: Iterable[Hashes],
) -> Proof | None:
    """Return what a measurement proves, together with what was delivered; None for nothing."""
    place = measured.piece - key.first_piece
    if not 0 <= place < piece_count(key) or place in weak:
        return None
    if isinstance(key, TorrentFile):
        return _of_piece(key, place, measured, blocks)
    if measured.offset_bytes is None:
        return _of_tree_piece(key, place, measured, blocks)
    return _of_block(key, place, measured, blocks, hashes)


def piece_length(key: TorrentKey, place: int) -> int:
    """Return how long a piece that the file touches is; of a tree, without what is no file."""
    if isinstance(key, TorrentFile):
        before = (key.first_piece + place) * key.piece_bytes
        return min(key.piece_bytes, key.torrent_bytes - before)
    return min(key.piece_bytes, key.size_bytes - place * key.piece_bytes)


def lies_inside(key: TorrentFile, place: int) -> bool:
    """Return whether a piece has no byte of another file."""
    first = (key.first_piece + place) * key.piece_bytes
    end = first + piece_length(key, place)
    return key.first_byte <= first and end <= key.first_byte + key.size_bytes


def tree_place(key: TorrentTree, place: int, offset: int) -> tuple[int, bytes, int]:
    """Return a block's number in its file, the listed hash above it, and how high that is."""
    leaf = (place * key.piece_bytes + offset) // BLOCK_BYTES
    if key.layer:
        return leaf, key.layer[place], (key.piece_bytes // BLOCK_BYTES).bit_length() - 1
    blocks = -(-key.size_bytes // BLOCK_BYTES)
    return leaf, key.root, (blocks - 1).bit_length()


def _of_piece(key: TorrentFile, place: int, measured: Measured, blocks: Blocks) -> Proof | None:
    length = piece_length(key, place)
    if (
        measured.offset_bytes is not None
        or measured.length_bytes != length
        or measured.sha1 != key.pieces[place]
        or not lies_inside(key, place)
    ):
        return None
    at = 0
    found = sorted(
        (begin, one) for (piece, begin), one in blocks.items() if piece == measured.piece
    )
    for begin, (size, _) in found:
        if begin != at:
            return None
        at += size
    if at != length or (len(found) == 1 and found[0][1][1] != measured.sha256):
        return None
    begins = measured.piece * key.piece_bytes - key.first_byte
    return _proof(measured, offset_bytes=begins, digest=key.pieces[place])


def _of_tree_piece(
    key: TorrentTree, place: int, measured: Measured, blocks: Blocks
) -> Proof | None:
    length = piece_length(key, place)
    found = {begin: one for (piece, begin), one in blocks.items() if piece == measured.piece}
    expected = {at: min(BLOCK_BYTES, length - at) for at in range(0, length, BLOCK_BYTES)}
    if measured.length_bytes != length or expected != {at: one[0] for at, one in found.items()}:
        return None
    leaves = [found[at][1] for at in expected]
    _, target, height = tree_place(key, place, 0)
    if len(leaves) == 1 and leaves[0] != measured.sha256:
        return None
    if _root(leaves + [bytes(32)] * ((1 << height) - len(leaves))) != target:
        return None
    return _proof(measured, offset_bytes=place * key.piece_bytes, digest=target)


def _of_block(
    key: TorrentTree, place: int, measured: Measured, blocks: Blocks, hashes: Iterable[Hashes]
) -> Proof | None:
    offset = measured.offset_bytes or 0
    length = piece_length(key, place)
    if offset % BLOCK_BYTES or offset >= length:
        return None
    delivered = blocks.get((measured.piece, offset))
    if measured.length_bytes != min(BLOCK_BYTES, length - offset):
        return None
    if delivered != (measured.length_bytes, measured.sha256):
        return None
    leaf, target, height = tree_place(key, place, offset)
    shown = (
        any(_leads(one, leaf, measured.sha256, target, height) for one in hashes)
        if height
        else measured.sha256 == target
    )
    if not shown:
        return None
    begins = place * key.piece_bytes + offset
    return _proof(measured, offset_bytes=begins, digest=measured.sha256)


def _leads(hashes: Hashes, leaf: int, digest: bytes, target: bytes, height: int) -> bool:
    """Return whether hashes show that a leaf lies under ``target``."""
    at = leaf - hashes.index
    if not 0 <= at < len(hashes.leaves) or hashes.leaves[at] != digest:
        return False
    level: Sequence[bytes] = hashes.leaves
    uncles = iter(hashes.uncles)
    one = digest
    for layer in range(height):
        if len(level) > 1:
            level = _above(level)
            at >>= 1
            one = level[at]
            continue
        uncle = next(uncles, None)
        if uncle is None:
            return False
        one = _pair(uncle, one) if leaf >> layer & 1 else _pair(one, uncle)
    return one == target


def _root(leaves: Sequence[bytes]) -> bytes:
    level = leaves
    while len(level) > 1:
        level = _above(level)
    return level[0]


def _above(level: Sequence[bytes]) -> list[bytes]:
    return [_pair(level[at], level[at + 1]) for at in range(0, len(level), 2)]


def _pair(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(left + right).digest()


def _proof(measured: Measured, *, offset_bytes: int, digest: bytes) -> Proof:
    return Proof(
        piece=measured.piece,
        offset_bytes=offset_bytes,
        length_bytes=measured.length_bytes,
        digest=digest,
        sha256=measured.sha256,
        distinct_bytes=measured.distinct_bytes,
    )
