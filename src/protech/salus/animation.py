"""How many frames an animation has and where each begins, read without decoding any."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from protech.salus.frames import Undecodable
from protech.types import Unscannable

_GIF_HEADER_BYTES = 13
_GIF_EXTENSION, _GIF_IMAGE, _GIF_END = 0x21, 0x2C, 0x3B
_GIF_GRAPHIC_CONTROL = 0xF9

_PNG_SIGNATURE_BYTES = 8

_BIG_TIFF = 43


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One frame of a GIF: its place in the file, and whether it hides all before it.

    A frame that covers the canvas and lets nothing shine through can be decoded on its own.
    """

    begin: int
    end: int
    is_fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gif:
    """A GIF taken apart: the bytes before its first frame, and its frames."""

    prefix_bytes: int
    steps: tuple[Step, ...]

    def start_of(self, index: int) -> int:
        """Return the latest frame from which frame ``index`` can be built up."""
        return next((i for i in range(index, 0, -1) if self.steps[i].is_fresh), 0)

    def clip(self, data: bytes, first: int) -> bytes:
        """Return a GIF that begins with frame ``first``."""
        if first == 0:
            return data
        return data[: self.prefix_bytes] + data[self.steps[first].begin :]


def gif(data: bytes, *, most: int) -> Gif:
    """Find the frames of a GIF, ``most`` + 1 at most; what breaks off ends the last one.

    Raises:
        Undecodable: CORRUPT where not one frame begins.

    Cost: O(blocks of 255 bytes).
    """
    steps: list[Step] = []
    prefix_bytes = _GIF_HEADER_BYTES + _palette_bytes(data[10]) if len(data) > 10 else 0
    for step in _gif_steps(data, prefix_bytes):
        steps.append(step)
        if len(steps) > most:
            break
    if not steps:
        raise Undecodable(Unscannable.CORRUPT)
    return Gif(prefix_bytes=prefix_bytes, steps=tuple(steps))


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_steps(data: bytes, at: int) -> Iterator[Step]:
    size_bytes = len(data)
    canvas = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    begin, is_see_through = at, False
    while at + 1 < size_bytes and data[at] != _GIF_END:
        if data[at] == _GIF_EXTENSION:
            if data[at + 1] == _GIF_GRAPHIC_CONTROL and at + 3 < size_bytes:
                is_see_through = bool(data[at + 3] & 1)
            at = _after_blocks(data, at + 2)
        elif data[at] == _GIF_IMAGE:
            if at + 10 > size_bytes:
                return
            covers = _covers(data[at + 1 : at + 9], canvas)
            at = _after_blocks(data, at + 11 + _palette_bytes(data[at + 9]))
            yield Step(
                begin=begin, end=min(at, size_bytes), is_fresh=covers and not is_see_through
            )
            begin, is_see_through = at, False
        else:  # junk between blocks is passed over, as Pillow does
            at += 1


def _covers(placed: bytes, canvas: tuple[int, int]) -> bool:
    left, top, width, height = (
        int.from_bytes(placed[i : i + 2], "little") for i in range(0, 8, 2)
    )
    return left == 0 and top == 0 and width >= canvas[0] and height >= canvas[1]


def _after_blocks(data: bytes, at: int) -> int:
    size_bytes = len(data)
    while at < size_bytes and data[at]:
        at += data[at] + 1
    return at + 1


def png_frames(data: bytes, *, most: int) -> int:
    """Return how many frame headers (``fcTL``) a PNG has, ``most`` + 1 at most; 0 if still.

    The count that the file states could be too low and hide the rest.
    """
    at, frames = _PNG_SIGNATURE_BYTES, 0
    while at + 8 <= len(data) and frames <= most:
        name = data[at + 4 : at + 8]
        if name == b"IEND":
            break
        frames += name == b"fcTL"
        at += int.from_bytes(data[at : at + 4]) + 12
    return frames


def tiff_pages(data: bytes, *, most: int) -> int:
    """Return how many pages a TIFF chains, ``most`` + 1 at most; a loop ends the chain."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    is_big = int.from_bytes(data[2:4], order) == _BIG_TIFF
    count_bytes, entry_bytes, link_bytes = (8, 20, 8) if is_big else (2, 12, 4)

    def number(at: int, length: int) -> int:
        return int.from_bytes(data[at : at + length], order)

    at = number(8 if is_big else 4, link_bytes)
    pages: set[int] = set()
    while at and at not in pages and at < len(data) and len(pages) <= most:
        pages.add(at)
        at = number(at + count_bytes + entry_bytes * number(at, count_bytes), link_bytes)
    return len(pages)
