"""What decoding gives: frames as arrays of pixels, or the reason why there are none."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from protech.types import Limits, Unscannable

Pixels = NDArray[np.uint8]
"""(height, width, 3) uint8 sRGB, C-contiguous."""


class Undecodable(Exception):  # noqa: N818 - carries a result, not an error
    """Carries why hostile media could not be decoded to the worker, which makes it a result.

    It holds the reason and nothing of the media; it never leaves the worker.
    """

    def __init__(self, reason: Unscannable) -> None:
        """Keep the reason."""
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameForms:
    """One frame: the forms that are hashed, distinct, and the one that a person would see.

    ``displayed`` is turned as EXIF says and lies on white where it is see-through. ``hashed``
    holds it first, then the frame as stored (not turned) and without its alpha channel, where
    these differ from it.
    """

    hashed: tuple[Pixels, ...] = field(repr=False)
    displayed: Pixels = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """An image that is open for decoding; its size is as displayed.

    ``forms`` decodes one frame at a time and raises Undecodable where the rest is broken.
    """

    width_px: int
    height_px: int
    forms: Iterator[FrameForms] = field(repr=False)


def require_size(width_px: int, height_px: int, limits: Limits) -> None:
    """Refuse a frame without pixels or with too many, before anything is allocated.

    Raises:
        Undecodable: CORRUPT for an empty frame, TOO_LARGE beyond ``limits.pixels``.
    """
    if width_px <= 0 or height_px <= 0:
        raise Undecodable(Unscannable.CORRUPT)
    if width_px * height_px > limits.pixels:
        raise Undecodable(Unscannable.TOO_LARGE)
