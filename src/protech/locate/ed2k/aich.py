"""AICH: the tree of SHA-1 hashes over blocks of 180 KiB, and what leads to its root; pure.

A file is cut in two, left and right, at whole parts of 9.28 MiB and below that at whole blocks;
a node's number says the way to it, one bit a step, 1 for left, and is 1 for the root.
Source: eMule's SHAHashSet; eMule Protocol Specification has no section on it.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from protech.lists.fetch_key import ED2K_BLOCK_BYTES
from protech.locate.ed2k.messages import AICH_BYTES, PART_BYTES
from protech.locate.ed2k.tags import Malformed

BLOCK_BYTES = ED2K_BLOCK_BYTES
HASHES = 512
"""A part has 53 blocks, and a file of 256 TiB 25 nodes above it: no answer has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of a file: where it begins, how long it is, and its place among the blocks."""

    start: int
    size: int
    place: int


def blocks_of(size_bytes: int, part: int) -> tuple[Block, ...]:
    """Return the blocks of one part of a file."""
    begin = part * PART_BYTES
    end = min(begin + PART_BYTES, size_bytes)
    before = part * -(-PART_BYTES // BLOCK_BYTES)
    return tuple(
        Block(start=start, size=min(BLOCK_BYTES, end - start), place=before + number)
        for number, start in enumerate(range(begin, end, BLOCK_BYTES))
    )


def parse_recovery(content: bytes) -> dict[int, bytes]:
    """Return the hashes that a peer gave, by their nodes' numbers.

    Raises:
        Malformed: They are in no form that is known.
    """
    found: dict[int, bytes] = {}
    at = 0
    for width, form in ((2, "<H"), (4, "<I")):
        if at == len(content) and found:
            break
        if len(content) - at < 2:
            raise Malformed("hashes end too early")
        (count,) = struct.unpack_from("<H", content, at)
        at += 2
        step = width + AICH_BYTES
        if count > HASHES or len(content) - at < count * step:
            raise Malformed("hashes end too early, or are too many")
        for _ in range(count):
            (node,) = struct.unpack_from(form, content, at)
            found[node] = content[at + width : at + step]
            at += step
    if at != len(content):
        raise Malformed("something follows the hashes")
    return found


def leads_to(
    root: bytes,
    block: Block,
    digest: bytes | None,
    *,
    size_bytes: int,
    given: Mapping[int, bytes],
) -> bool:
    """Return whether the SHA-1 of a block leads to the root of a file with hashes of a peer.

    Without a ``digest``, whether the one that the peer gives does: it may have the block.
    """
    whole = _Node(start=0, size=size_bytes, number=1)
    return _fold(whole, block, digest, given) == root


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    start: int
    size: int
    number: int

    @property
    def base(self) -> int:
        return PART_BYTES if self.size > PART_BYTES else BLOCK_BYTES

    def halves(self) -> "tuple[_Node, _Node]":
        base = self.base
        count = -(-self.size // base)
        is_left = self.number & 1
        left = (count + is_left) // 2 * base
        return (
            _Node(start=self.start, size=left, number=self.number << 1 | 1),
            _Node(start=self.start + left, size=self.size - left, number=self.number << 1),
        )


def _fold(
    node: _Node, block: Block, digest: bytes | None, given: Mapping[int, bytes]
) -> bytes | None:
    """Return the hash of a node: over the block's digest and, beside its way, what is given.

    What is given for nodes on the way is not looked at: it would prove itself.
    """
    if (node.start, node.size) == (block.start, block.size):
        return given.get(node.number) if digest is None else digest
    is_on_the_way = node.start <= block.start < node.start + node.size
    if not is_on_the_way and node.number in given:
        return given[node.number]
    # Beside the way nothing above a part is made of its own parts: that could take all day.
    is_searched = is_on_the_way or node.base == BLOCK_BYTES
    if node.size <= node.base or not is_searched:
        return None
    left, right = (_fold(half, block, digest, given) for half in node.halves())
    if left is None or right is None:
        return None
    return hashlib.sha1(left + right, usedforsecurity=False).digest()
