"""Bars of one colour around a picture, as a player or a screenshot adds them.

They move a perceptual hash far away, so a picture is hashed without them, too, where the
person asks for it.
"""

import numpy as np
from numpy.typing import NDArray

from protech.salus.frames import Pixels

TOLERANCE_LEVELS = 15
"""How far a pixel of a border may be from its colour, in any channel; JPEG blurs an edge.

Source: threatexchange/cli/hash_cmd.py, ``--black-threshold``.
"""

MIN_INNER_PX = 64
"""A picture with a shorter side says too little: PDQ looks at 64 points along each."""

_BLACK, _WHITE = 0, 255


def inner(pixels: Pixels) -> Pixels | None:
    """Return the picture without its borders; None where it has none, or little is left.

    A border is the lines from an edge on whose every pixel has the colour of that edge. Each of
    the four edges has its own; bars above and below go first. What is black is found as
    threatexchange's ``unletterbox`` finds it.

    Args:
        pixels: (height, width, 3) uint8 sRGB.

    Cost: the lines that are a border and up to 64 more on each side are read once.
    """
    top, bottom = _kept(pixels)
    left, right = _kept(pixels[top:bottom].transpose(1, 0, 2))
    within = pixels[top:bottom, left:right]
    if within.shape == pixels.shape or min(within.shape[:2]) < MIN_INNER_PX:
        return None
    return np.ascontiguousarray(within)


def _kept(lines: Pixels) -> tuple[int, int]:
    """Return where the lines that are no border begin and end, (n, m, 3) to two places."""
    top = _depth(lines)
    return top, max(top, len(lines) - _depth(lines[::-1]))


def _depth(lines: Pixels) -> int:
    """Return how many lines from the first on are a border."""
    if not lines.size:
        return 0
    colour = _colour(lines[0])
    chunk = MIN_INNER_PX
    for begin in range(0, len(lines), chunk):
        off = np.abs(lines[begin : begin + chunk].astype(np.int16) - colour)
        is_border = (off <= TOLERANCE_LEVELS).all(axis=(1, 2))
        if not is_border.all():
            return begin + int(is_border.argmin())
    return len(lines)


def _colour(line: Pixels) -> NDArray[np.int16]:
    """Return the colour of an edge, (m, 3) to (3,); black and white where it is nearly so."""
    colour = np.median(line, axis=0)
    for pure in (_BLACK, _WHITE):
        if (np.abs(colour - pure) <= TOLERANCE_LEVELS).all():
            return np.full(3, pure, dtype=np.int16)
    middle: NDArray[np.int16] = colour.astype(np.int16)
    return middle
