"""PDQ, the 256-bit perceptual hash, as a few small matrix products.

The reference filters the whole picture twice in both directions, keeps 64 x 64 points, takes
16 x 16 frequencies of them and asks which lie above their median. All before the median is
linear and separable: one 64 x n matrix for each side does filter and choice of points at once.
Source: ThreatExchange, hashing/hashing.pdf, and pdq/cpp; the oracle is the package ``pdqhash``.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from protech.salus.frames import Pixels
from protech.types import PdqHash

GRID = 64
"""Points along each side of the picture that the frequencies are taken from."""

MIN_SIDE_PX = 5
"""The reference gives a shorter side no hash: all zeros, quality 0 (pdqhashing.cpp)."""

_FREQUENCIES = 16
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_NO_HASH = PdqHash(bits=bytes(32), quality=0)

Floats = NDArray[np.float32]


def pdq(pixels: Pixels) -> PdqHash:
    """Return the PDQ hash of a frame, equal to the reference's on the same pixels.

    Args:
        pixels: (height, width, 3) uint8 sRGB.

    Cost: O(pixels).
    """
    height_px, width_px = pixels.shape[:2]
    if min(height_px, width_px) < MIN_SIDE_PX:
        return _NO_HASH
    luma = pixels.astype(np.float32) @ _LUMA
    grid: Floats = _sampling(height_px) @ luma @ _sampling(width_px).T
    waves: Floats = _DCT @ grid @ _DCT.T
    return PdqHash(bits=_bits(waves), quality=_quality(grid))


def _bits(waves: Floats) -> bytes:
    # Printed, the last frequency comes first; the median is the lower of the middle two.
    middle = np.partition(waves, 127, axis=None)[127]
    return np.packbits((waves > middle).ravel()[::-1]).tobytes()


def _quality(grid: Floats) -> int:
    """Return how much there is to see, 0 to 100, from the larger steps between points."""
    steps = (np.diff(grid, axis=axis) * np.float32(100) / np.float32(255) for axis in (0, 1))
    total = sum(int(np.abs(step.astype(np.int32)).sum()) for step in steps)
    return min(total // 90, 100)


@lru_cache(maxsize=64)
def _sampling(side_px: int) -> Floats:
    """Return the (64, side_px) matrix of two box filters and the choice of 64 points."""
    if side_px == GRID:  # the reference takes a picture of 64 x 64 as it is
        return np.eye(GRID, dtype=np.float32)
    once = _box(side_px)
    points = ((np.arange(GRID) + 0.5) * side_px / GRID).astype(int)
    matrix = np.zeros((GRID, side_px))
    starts, stops = once
    for row, point in enumerate(points):
        near = range(starts[point], stops[point])
        for middle in near:
            reach = slice(starts[middle], stops[middle])
            matrix[row, reach] += 1 / (len(near) * (stops[middle] - starts[middle]))
    return matrix.astype(np.float32)


def _box(side_px: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where the window of the box filter begins and ends for each position."""
    window = -(-side_px // (2 * GRID))
    ahead = (window + 2) // 2
    at = np.arange(side_px)
    return np.maximum(at + ahead - window, 0), np.minimum(at + ahead, side_px)


def _dct() -> Floats:
    wave = np.arange(1, _FREQUENCIES + 1)[:, None]
    point = np.arange(GRID)[None, :]
    matrix: Floats = np.float32(np.sqrt(2 / GRID)) * np.cos(
        np.pi / (2 * GRID) * wave * (2 * point + 1)
    ).astype(np.float32)
    return matrix


_DCT = _dct()
