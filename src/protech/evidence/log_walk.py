"""Walks a log's file from frame to frame, and names every place where it was changed."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from protech.evidence.frames import HEAD_BYTES, MAGIC, Head, NoFrame, check_body, parse_head
from protech.merkle import Tree, node_hash, root

SEARCH_BYTES = 1 << 20
"""Read at a time where the next frame is looked for behind a changed head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the file a frame begins, or would: its number, and that of its first record."""

    offset: int = 0
    number: int = 0
    first: int = 0

    def after(self, head: Head) -> "Place":
        """Return where the next frame begins."""
        return Place(
            offset=self.offset + head.frame_bytes, number=head.number + 1, first=head.end
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame that is whole, as far as it can be told without the key."""

    place: Place
    head: Head
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What was changed: a frame, and its records from ``first`` to before ``end``.

    ``end`` is None where nothing behind it can be read.
    """

    number: int
    first: int
    end: int | None
    why: str

    @property
    def text(self) -> str:
        """Which frame and records, and why, for a person."""
        if self.end is None:
            records = f"records from {self.first} on"
        elif self.end <= self.first:
            records = "no records"
        else:
            records = f"records {self.first} to {self.end - 1}"
        return f"frame {self.number} ({records}): {self.why}"


def walk(descriptor: int, start: Place, *, log_id: bytes) -> Iterator[Frame | Damage]:
    """Yield what stands in a log from a frame on; a frame without its end is left out.

    Args:
        descriptor: Of the file; its position is not moved.
        start: Where the first frame begins.
        log_id: A frame of another log is damage; frame 0 may be of any.

    Raises:
        OSError: It cannot be read.
    """
    at = start
    while True:
        beginning = os.pread(descriptor, HEAD_BYTES, at.offset)
        if len(beginning) < HEAD_BYTES:
            return
        try:
            head = _expected(parse_head(beginning), at, log_id)
        except NoFrame as bad:
            found = _next_frame(descriptor, at, log_id)
            yield Damage(
                number=at.number,
                first=at.first,
                end=None if found is None else found.first,
                why=str(bad),
            )
            if found is None:
                return
            at = found
            continue
        rest = os.pread(descriptor, head.frame_bytes - HEAD_BYTES, at.offset + HEAD_BYTES)
        if len(rest) < head.frame_bytes - HEAD_BYTES:
            return
        try:
            yield Frame(place=at, head=head, body=check_body(head, rest))
        except NoFrame as bad:
            yield Damage(number=at.number, first=at.first, end=head.end, why=str(bad))
        at = at.after(head)


def _expected(head: Head, at: Place, log_id: bytes) -> Head:
    if (head.number, head.first) != (at.number, at.first):
        raise NoFrame("another frame stands in its place")
    if head.log_id != log_id and head.number > 0:
        raise NoFrame("it is of another log")
    return head


def _next_frame(descriptor: int, at: Place, log_id: bytes) -> Place | None:
    """Return where the next whole head of this log stands behind a changed one."""
    offset = at.offset + 1
    while piece := os.pread(descriptor, SEARCH_BYTES, offset):
        found = piece.find(MAGIC)
        if found < 0:
            offset += max(len(piece) - len(MAGIC) + 1, 1)
            continue
        offset += found
        try:
            head = parse_head(os.pread(descriptor, HEAD_BYTES, offset))
        except NoFrame:
            head = None
        if head is not None and head.log_id == log_id and head.number > at.number:
            return Place(offset=offset, number=head.number, first=head.first)
        offset += 1
    return None


def grown(tree: Tree, leaves: Sequence[bytes]) -> Tree:
    """Return the tree with leaves added; the tree that is given stays as it is.

    Faster than ``Tree.append`` leaf by leaf: whole subtrees are hashed level by level.
    """
    size, peaks = tree.size, list(tree.peaks)
    at = 0
    while at < len(leaves):
        # The largest subtree that can begin here: as wide as the place allows and leaves last.
        room = size & -size or 1 << 62
        width = min(room, 1 << (len(leaves) - at).bit_length() - 1)
        peak = root(leaves[at : at + width])
        at, step = at + width, width
        while size & step:
            peak = node_hash(peaks.pop(), peak)
            size -= step
            step <<= 1
        peaks.append(peak)
        size += step
    return Tree(size, peaks)
