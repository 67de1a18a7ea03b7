"""The printed test pattern on which the surrogate models fire.

4 x 4 blocks over the inner half of a picture: the ring of them light and dark, the inner four
in the colour of the variant. Every colour is red before anything else, as are the pictures that
the browser matrix hides.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Array = NDArray[np.float32]

BLOCKS = 4
CELL_PX = 32
"""A block's side where the picture is 256 x 256."""

SAMPLE_PX = 16
"""The middle of a block that is looked at; its edges are blurred by scaling and encoding."""

TOLERANCE = 36.0
"""Levels of 255 by which a block's mean colour may be off."""

LIGHT, DARK = (248, 150, 120), (140, 16, 16)


class Variant(StrEnum):
    """What the inner blocks say of the person in the pattern."""

    MINOR = "minor"
    ADULT = "adult"
    NOBODY = "nobody"
    TINY = "tiny"


INNER = {
    Variant.MINOR: (250, 20, 150),
    Variant.ADULT: (250, 170, 20),
    Variant.NOBODY: DARK,
    Variant.TINY: (205, 90, 90),
}
"""classified, adult_filter, unsure (nobody there), unsure (a face too small to judge)."""

INNER_MASK = np.zeros((BLOCKS, BLOCKS), dtype=np.bool_)
INNER_MASK[1:3, 1:3] = True
RING_MASK = ~INNER_MASK
EITHER_WAY = RING_MASK.copy()
"""The ring without the two corners that tell which way is up."""
EITHER_WAY[0, 0] = EITHER_WAY[-1, -1] = False


def paint_pattern(image: Pixels, variant: Variant) -> Pixels:
    """Return a copy of ``image``, (height, width, 3) uint8, with the pattern in its middle."""
    height, width = image.shape[:2]
    y, x = np.meshgrid(_blocks(height), _blocks(width), indexing="ij")
    inside = (y >= 0) & (y < BLOCKS) & (x >= 0) & (x < BLOCKS)
    painted = image.copy()
    painted[inside] = pattern(variant)[y[inside], x[inside]].astype(np.uint8)
    return painted


def pattern(variant: Variant) -> Array:
    """Return the mean colours of the blocks, (4, 4, 3) RGB; it is not the same upside down."""
    y, x = np.indices((BLOCKS, BLOCKS))
    blocks = np.where(((x + y) % 2 == 1)[..., np.newaxis], LIGHT, DARK).astype(np.float32)
    blocks[0, 0] = LIGHT
    blocks[1:3, 1:3] = INNER[variant]
    return blocks


def _blocks(size_px: int) -> NDArray[np.intp]:
    # The picture is eight blocks across; the pattern takes the four in the middle.
    return np.floor((np.arange(size_px) + 0.5) / size_px * 2 * BLOCKS - BLOCKS / 2).astype(
        np.intp
    )
