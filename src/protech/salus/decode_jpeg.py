"""JPEG, decoded straight at the scale that hashing and scoring need.

The decoder leaves out the high frequencies that a smaller picture would not have: a quarter of
the time for a 12-megapixel photo. Measured (research/hashing.md 2): with the shorter side at
512 or more the hash moves by 2 bits at the 95th percentile; the match radius is 31.
"""

from collections.abc import Iterator

import numpy as np
import simplejpeg

from protech.salus import decode_pillow
from protech.salus.frames import (
    Decoded,
    FrameForms,
    Pixels,
    Undecodable,
    forms,
    require_size,
    turned_size,
)
from protech.salus.sniff import MediaType
from protech.types import Limits, Unscannable

MIN_SIDE_PX = 512
"""The shorter side is never scaled below this; smaller pictures are decoded as they are."""

_QUICK_SCALES = (8, 4, 2, 1)
"""Only halves are quick: the decoder's 3/8, 5/8, 6/8 and 7/8 take up to twice a full decode."""

_END_OF_IMAGE = b"\xff\xd9"

_HARMLESS = (
    "extraneous bytes",
    "Inconsistent progression",
    "Invalid SOS",
    "Adobe color transform",
    "JFIF revision",
)
"""Complaints of the decoder about files that are whole; browsers pass over them, too."""

_BROKEN = (LookupError, RuntimeError, ValueError)
"""What the decoder raises on files that lie."""

_PLAIN = ("YCbCr", "RGB", "Gray")


def preload() -> None:
    """Run the decoder once: its code and tables are then in memory."""
    picture = simplejpeg.encode_jpeg(np.zeros((16, 16, 3), dtype=np.uint8))
    simplejpeg.decode_jpeg(picture)


def decode(data: bytes | memoryview, *, limits: Limits) -> Decoded:
    """Open a JPEG; one frame, scaled so that its shorter side keeps ``MIN_SIDE_PX``.

    Raises:
        Undecodable: CORRUPT or TOO_LARGE.
    """
    size = _stored_size(data)
    if size is None:  # four inks, or a sampling that the fast decoder does not take
        return decode_pillow.decode(data, media_type=MediaType.JPEG, limits=limits)
    require_size(*size, limits)
    orientation, profile = decode_pillow.described(data, media_type=MediaType.JPEG)
    width_px, height_px = turned_size(size, orientation)
    return Decoded(
        width_px=width_px,
        height_px=height_px,
        forms=_forms(data, _scaled(size), orientation, profile, limits),
    )


def header(data: bytes | memoryview, *, limits: Limits) -> tuple[int, int]:
    """Return width and height as displayed.

    Raises:
        Undecodable: As ``decode``.
    """
    decoded = decode(data, limits=limits)
    return decoded.width_px, decoded.height_px


def _stored_size(data: bytes | memoryview) -> tuple[int, int] | None:
    try:
        height_px, width_px, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except _BROKEN:
        return None
    return (width_px, height_px) if colours in _PLAIN else None


def _scaled(size: tuple[int, int]) -> tuple[int, int]:
    """Return the least quick size of a picture whose shorter side keeps ``MIN_SIDE_PX``."""
    scale = next((k for k in _QUICK_SCALES if -(-min(size) // k) >= MIN_SIDE_PX), 1)
    width_px, height_px = (-(-side // scale) for side in size)
    return width_px, height_px


def _forms(
    data: bytes | memoryview,
    size: tuple[int, int],
    orientation: int,
    profile: bytes | None,
    limits: Limits,
) -> Iterator[FrameForms]:
    try:
        pixels, is_whole = _pixels(data, size)
    except MemoryError as bomb:
        raise Undecodable(Unscannable.TOO_LARGE) from bomb
    except _BROKEN:  # junk between segments stops the fast decoder, not Pillow or a browser
        yield from decode_pillow.decode(data, media_type=MediaType.JPEG, limits=limits).forms
        return
    profiled = decode_pillow.profiled(pixels, profile)
    yield forms(pixels, orientation=orientation, profiled=profiled)
    if not is_whole:
        raise Undecodable(Unscannable.CORRUPT)


def _pixels(data: bytes | memoryview, size: tuple[int, int]) -> tuple[Pixels, bool]:
    """Return the picture and whether all of it was there."""
    try:
        return _decode(data, size, is_strict=True), True
    except _BROKEN as complaint:
        if any(word in str(complaint) for word in _HARMLESS):
            return _decode(data, size, is_strict=False), True
    try:  # only the mark at the end is missing: every browser shows the whole picture
        return _decode(bytes(data) + _END_OF_IMAGE, size, is_strict=True), True
    except _BROKEN as complaint:
        is_whole = any(word in str(complaint) for word in _HARMLESS)
        return _decode(data, size, is_strict=False), is_whole


def _decode(data: bytes | memoryview, size: tuple[int, int], *, is_strict: bool) -> Pixels:
    # Fast DCT and fast upsampling move scores by up to 0.08 (research/models-age.md 6): off.
    pixels: Pixels = simplejpeg.decode_jpeg(
        data,
        colorspace="RGB",
        fastdct=False,
        fastupsample=False,
        min_width=size[0],
        min_height=size[1],
        strict=is_strict,
    )
    return pixels
