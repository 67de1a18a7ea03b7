"""JPEG, decoded straight at the scale that hashing and scoring need.

The decoder leaves out the high frequencies that a smaller picture would not have: a quarter of
the time for a 12-megapixel photo. With the shorter side at 512 or more, and filtered as all its
pixels would be, the hash of a photo moves by 2 bits at the 95th percentile; that of a fine
pattern by more. The match radius is 31.
"""

from collections.abc import Iterator

import numpy as np
import simplejpeg

from protech.salus import decode_pillow
from protech.salus.colour import profiled
from protech.salus.frames import (
    Decoded,
    FrameForms,
    Pixels,
    Undecodable,
    forms,
    require_size,
    turned_size,
)
from protech.salus.orientation import orientation, stated
from protech.salus.sniff import MediaType
from protech.types import Limits, Unscannable

MIN_SIDE_PX = 512
"""The shorter side is never scaled below this; smaller pictures are decoded as they are."""

_QUICK_SCALES = (8, 4, 2, 1)
"""Only halves are quick: the decoder's 3/8, 5/8, 6/8 and 7/8 take up to twice a full decode."""

_APP1, _APP2, _START_OF_SCAN, _FILL = 0xE1, 0xE2, 0xDA, 0xFF
_BARE = (0x00, 0x01, *range(0xD0, 0xDA))
"""Markers without a body. Source: ITU-T T.81, B.1.1.3."""

_EXIF = b"Exif\0"
"""One more byte follows, which should be zero and need not."""
_PROFILE = b"ICC_PROFILE\0"
"""The part's number and how many there are follow. Source: ICC.1:2022, B.4."""

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

Size = tuple[int, int]
"""Width and height in pixels."""


def preload() -> None:
    """Run the decoder once: its code and tables are then in memory."""
    picture = simplejpeg.encode_jpeg(np.zeros((16, 16, 3), dtype=np.uint8))
    simplejpeg.decode_jpeg(picture)


def decode(data: bytes | memoryview, *, limits: Limits, at_full_size: bool = False) -> Decoded:
    """Open a JPEG; one frame, scaled so that its shorter side keeps ``MIN_SIDE_PX``.

    Raises:
        Undecodable: CORRUPT or TOO_LARGE.
    """
    size = _stored_size(data)
    if size is None:  # four inks, or a sampling that the fast decoder does not take
        return decode_pillow.decode(data, media_type=MediaType.JPEG, limits=limits)
    require_size(*size, limits)
    exif, profile = _described(bytes(data))
    turn = orientation(next(iter(exif), None))
    others = stated(b"".join(exif))
    width_px, height_px = turned_size(size, turn)
    wanted = size if at_full_size else _scaled(size)
    return Decoded(
        width_px=width_px,
        height_px=height_px,
        is_scaled=wanted != size,
        forms=_forms(data, (size, wanted), (turn, *others), profile, limits),
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


def _described(data: bytes) -> tuple[list[bytes], bytes]:
    """Return every EXIF block and the colour profile, whatever stands beside them.

    Pillow gives neither where any part of the head is broken; a browser takes both.
    """
    exif: list[bytes] = []
    profile: dict[int, bytes] = {}
    for marker, body in _parts(data):
        if marker == _APP1 and body.startswith(_EXIF):
            exif.append(body[len(_EXIF) + 1 :])
        elif marker == _APP2 and body.startswith(_PROFILE) and len(body) > len(_PROFILE) + 2:
            profile[body[len(_PROFILE)]] = body[len(_PROFILE) + 2 :]
    return exif, b"".join(profile[place] for place in sorted(profile))


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and body of every part before the pixels; junk between is passed over."""
    at = data.find(b"\xff", 2)
    while 0 <= at < len(data) - 3 and data[at + 1] != _START_OF_SCAN:
        length = 0
        if data[at + 1] == _FILL:
            at += 1
            continue
        if data[at + 1] not in _BARE:
            length = int.from_bytes(data[at + 2 : at + 4])
            yield data[at + 1], data[at + 4 : at + 2 + length]
        at = data.find(b"\xff", at + 2 + length)


def _scaled(size: tuple[int, int]) -> tuple[int, int]:
    """Return the least quick size of a picture whose shorter side keeps ``MIN_SIDE_PX``."""
    scale = next((k for k in _QUICK_SCALES if -(-min(size) // k) >= MIN_SIDE_PX), 1)
    width_px, height_px = (-(-side // scale) for side in size)
    return width_px, height_px


def _forms(
    data: bytes | memoryview,
    sizes: tuple[Size, Size],
    turns: tuple[int, ...],
    profile: bytes,
    limits: Limits,
) -> Iterator[FrameForms]:
    """Yield the one frame; ``sizes`` are the stored one and the one to decode at."""
    stored, wanted = sizes
    try:
        pixels, is_whole = _pixels(data, wanted)
    except MemoryError as bomb:
        raise Undecodable(Unscannable.TOO_LARGE) from bomb
    except _BROKEN:  # junk between segments stops the fast decoder, not Pillow or a browser
        yield from decode_pillow.decode(data, media_type=MediaType.JPEG, limits=limits).forms
        return
    yield forms(
        pixels,
        orientation=turns[0],
        others=turns[1:],
        profiled=profiled(pixels, profile),
        full_size=None if stored == wanted else stored[::-1],
    )
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
