"""What decoding gives: frames in every form that is hashed, or why there are none."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from protech.types import Limits, Unscannable

Pixels = NDArray[np.uint8]
"""(height, width, 3) uint8 sRGB."""

Alpha = NDArray[np.uint8]
"""(height, width) uint8: 0 lets the page through, 255 hides it."""

_OPAQUE = 255

_SIDEWAYS = range(5, 9)
"""EXIF orientations that swap width and height."""


class Undecodable(Exception):
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

    ``displayed`` is turned as EXIF says, lies on white where it is see-through, and has the
    colours of its profile where that matters. ``hashed`` holds it first; then, where they
    differ, the frame as stored (not turned) on white, on black and without its alpha channel,
    and turned in every way that the file states anywhere. ``full_size`` is height and width of
    ``displayed`` before it was scaled; None where it was not.
    """

    hashed: tuple[Pixels, ...] = field(repr=False)
    displayed: Pixels = field(repr=False)
    full_size: tuple[int, int] | None = None

    def full_size_of(self, form: Pixels) -> tuple[int, int] | None:
        """Return ``full_size`` for one of ``hashed``, which may lie on its side."""
        if self.full_size is None or form.shape == self.displayed.shape:
            return self.full_size
        return self.full_size[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """An image that is open for decoding; its size is as displayed.

    ``count`` is how many frames ``forms`` gives, unless it breaks. ``is_scaled`` says that they
    have fewer pixels than the file.
    ``forms`` decodes one frame at a time and raises Undecodable where the rest is broken.
    """

    width_px: int
    height_px: int
    count: int = 1
    is_scaled: bool = False
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


def sampled(count: int, limits: Limits) -> list[int]:
    """Return which of ``count`` frames are judged: evenly spread, the first and the last too.

    Raises:
        Undecodable: CORRUPT without frames, TOO_LARGE beyond ``limits.frames``.
    """
    if count < 1:
        raise Undecodable(Unscannable.CORRUPT)
    if count > limits.frames:
        raise Undecodable(Unscannable.TOO_LARGE)
    return spread(count, limits.sampled_frames)


def spread(count: int, most: int) -> list[int]:
    """Return at most ``most`` of ``count``, evenly spread, the first and the last always."""
    most = max(2, most)
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def forms(
    pixels: Pixels,
    *,
    alpha: Alpha | None = None,
    orientation: int = 1,
    others: Iterable[int] = (),
    profiled: Pixels | None = None,
    full_size: tuple[int, int] | None = None,
) -> FrameForms:
    """Return the forms of one frame as stored, see-through where ``alpha`` is below 255.

    ``profiled`` is the frame under a colour profile that turns it into another picture; it is
    then what is displayed, and what is stored is hashed all the same. ``others`` are the
    orientations that another reader might find in the file. ``full_size`` is height and width
    before ``pixels`` were scaled, None where they were not.

    Nobody knows the colour of the page behind: a picture may show on white only, on black only,
    or in a viewer that drops the alpha channel. So all three are hashed.
    """
    stored = [pixels]
    if alpha is not None and not np.all(alpha == _OPAQUE):
        stored = [laid_on(255, pixels, alpha), laid_on(0, pixels, alpha), pixels]
    if profiled is not None:
        stored.insert(0, profiled if alpha is None else laid_on(255, profiled, alpha))
    displayed = turned(stored[0], orientation)
    every = (displayed, *stored, *(turned(stored[0], other) for other in others))
    distinct = [
        form
        for i, form in enumerate(every)
        if not any(np.array_equal(form, earlier) for earlier in every[:i])
    ]
    if full_size is not None:
        full_size = turned_size(full_size, orientation)
    return FrameForms(hashed=tuple(distinct), displayed=displayed, full_size=full_size)


def gray(levels: NDArray[np.integer | np.floating]) -> Pixels:
    """Return gray of any depth as 8 bits: of 16 the high byte, of 32 the range it has."""
    if levels.dtype.itemsize == 2:
        tones = (levels.astype(np.uint32) >> 8).astype(np.uint8)
    else:
        tones = _stretched(np.nan_to_num(levels.astype(np.float64), posinf=0, neginf=0))
    return np.repeat(tones[..., None], 3, axis=2)


def _stretched(levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    low, high = float(levels.min()), float(levels.max())
    if low >= 0 and high <= _OPAQUE:  # shares of white, or levels as they are
        low, high = 0.0, 1.0 if high <= 1 else _OPAQUE
    share = (levels - low) / max(high - low, 1e-9)
    return np.rint(share * _OPAQUE).astype(np.uint8)


def laid_on(level: int, pixels: Pixels, alpha: Alpha) -> Pixels:
    """Return ``pixels`` on a page of one gray ``level``, 0 black to 255 white."""
    share = alpha[..., None].astype(np.uint16)
    mixed = pixels * share + np.uint16(level) * (_OPAQUE - share)
    return ((mixed + _OPAQUE // 2) // _OPAQUE).astype(np.uint8)


def turned[Level: np.unsignedinteger](
    pixels: NDArray[Level], orientation: int
) -> NDArray[Level]:
    """Return ``pixels`` turned as EXIF says; the same array where there is nothing to turn."""
    match orientation:
        case 2:
            view = pixels[:, ::-1]
        case 3:
            view = pixels[::-1, ::-1]
        case 4:
            view = pixels[::-1]
        case 5:
            view = pixels.transpose(1, 0, 2)
        case 6:
            view = pixels.transpose(1, 0, 2)[:, ::-1]
        case 7:
            view = pixels.transpose(1, 0, 2)[::-1, ::-1]
        case 8:
            view = pixels.transpose(1, 0, 2)[::-1]
        case _:
            return pixels
    return np.ascontiguousarray(view)


def turned_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return width and height as displayed under an EXIF orientation."""
    return size[::-1] if orientation in _SIDEWAYS else size
