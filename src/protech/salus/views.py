"""From a frame to what a model is shown: resized, cropped, turned, cut out, made a tensor."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from protech.models.card import Channels, Input, Layout
from protech.salus.frames import Pixels

Array = NDArray[np.float32]
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A rectangle of a frame in its pixels, seen upright or turned by 180 degrees."""

    left: float
    top: float
    width: float
    height: float
    is_turned: bool = False

    def to_frame(self, points: Points) -> Points:
        """Return points of this view, (n, 2) x, y as shares of its sides, in frame pixels."""
        shares = 1.0 - points if self.is_turned else points
        return shares * (self.width, self.height) + (self.left, self.top)


class Picture:
    """A frame that views are cut from; holds the pixels once, in Pillow's own layout."""

    def __init__(self, image: Image.Image) -> None:
        """Take an RGB image; ``of`` makes one from pixels."""
        self._image = image

    @classmethod
    def of(cls, pixels: Pixels) -> Self:
        """Return the picture of ``pixels``, (height, width, 3) uint8 sRGB."""
        return cls(Image.fromarray(pixels))

    @property
    def whole(self) -> View:
        """The view of all of it, upright."""
        return View(left=0.0, top=0.0, width=self._image.width, height=self._image.height)

    def seen(self, view: View, size_px: int) -> Pixels:
        """Return ``view`` stretched to a square, (size_px, size_px, 3) uint8.

        What lies outside of the frame is black.
        """
        left, top = max(view.left, 0.0), max(view.top, 0.0)
        right = min(view.left + view.width, self._image.width)
        bottom = min(view.top + view.height, self._image.height)
        across, down = size_px / view.width, size_px / view.height
        size = max(1, round((right - left) * across)), max(1, round((bottom - top) * down))
        box = (left, top, right, bottom)
        square = self._image.resize(size, Image.Resampling.BILINEAR, box=box)
        if size != (size_px, size_px):
            inside, square = square, Image.new("RGB", (size_px, size_px))
            place = round((left - view.left) * across), round((top - view.top) * down)
            square.paste(inside, place)
        pixels = np.asarray(square)
        return pixels[::-1, ::-1] if view.is_turned else pixels

    def chip(self, eyes: Points, *, onto: Points, size_px: int) -> Pixels | None:
        """Return the square in which ``eyes`` come to stand at ``onto``: turned and scaled.

        Args:
            eyes: (2, 2) x, y in frame pixels.
            onto: (2, 2) x, y as shares of the square's side.
            size_px: Side of the square; what lies outside the frame is black.

        Returns:
            (size_px, size_px, 3) uint8, or None where the eyes span no square.
        """
        # A turn, scale and shift in the plane is z -> factor * z + shift in complex numbers.
        first, second = (complex(*eye) for eye in eyes)
        to_first, to_second = (complex(*place) * size_px for place in onto)
        factor = (second - first) / (to_second - to_first)
        shift = first - factor * to_first
        if (
            not np.isfinite([factor, shift]).all()
            or not CHIP_SCALES[0] < abs(factor) < CHIP_SCALES[1]
        ):
            return None
        corners = [factor * size_px * corner + shift for corner in (0, 1, 1j, 1 + 1j)]
        part, origin, reduction = self._reduced(corners, reduction=max(1.0, abs(factor)))
        if part is None:
            return None
        factor, shift = factor / reduction, (shift - origin) / reduction
        matrix = (factor.real, -factor.imag, shift.real, factor.imag, factor.real, shift.imag)
        square = part.transform(
            (size_px, size_px), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
        )
        return np.asarray(square)

    def _reduced(
        self, corners: list[complex], *, reduction: float
    ) -> tuple[Image.Image | None, complex, float]:
        """Cut out the rectangle around ``corners``, shrunk so that no pixel is skipped."""
        left = max(0.0, min(corner.real for corner in corners) - 1)
        top = max(0.0, min(corner.imag for corner in corners) - 1)
        right = min(float(self._image.width), max(corner.real for corner in corners) + 1)
        bottom = min(float(self._image.height), max(corner.imag for corner in corners) + 1)
        size = int((right - left) / reduction), int((bottom - top) / reduction)
        if min(size) < 1:
            return None, 0j, 1.0
        box = (left, top, left + size[0] * reduction, top + size[1] * reduction)
        part = self._image.resize(size, Image.Resampling.BILINEAR, box=box)
        return part, complex(left, top), reduction


CHIP_SCALES = (1 / 64, 1024.0)
"""Frame pixels for one of a chip; outside of it the eyes are one point or no eyes."""


def tensor(square: Pixels, spec: Input) -> Array:
    """Return ``square``, (resize_px, resize_px, 3) RGB, as the input that ``spec`` describes.

    The centre square of size_px is taken; the batch is 1.
    """
    start = (spec.resize_px - spec.size_px) // 2
    part = square[start : start + spec.size_px, start : start + spec.size_px]
    if spec.channels is Channels.BGR:
        part = part[..., ::-1]
    mean = np.array(spec.mean, dtype=np.float32)
    values = (part.astype(np.float32) - mean) * np.float32(spec.scale)
    if spec.layout is Layout.NCHW:
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values[np.newaxis])
