"""Every format but plain JPEG, decoded by Pillow and turned into forms to hash and to show.

Colours are taken as sRGB: an embedded profile is not applied, as PDQ's reference does not.
"""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from protech.salus.frames import Decoded, FrameForms, Pixels, Undecodable, require_size
from protech.salus.sniff import MediaType
from protech.types import Limits, Unscannable

_FORMATS = {
    MediaType.JPEG: ("JPEG",),
    MediaType.PNG: ("PNG",),
    MediaType.GIF: ("GIF",),
    MediaType.WEBP: ("WEBP",),
    MediaType.AVIF: ("AVIF",),
    MediaType.HEIC: ("HEIF",),
    MediaType.TIFF: ("TIFF",),
    MediaType.BMP: ("BMP",),
    MediaType.ICO: ("ICO", "CUR"),
    MediaType.JPEG_2000: ("JPEG2000",),
}

_BROKEN = (
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    UnidentifiedImageError,
    ValueError,
    struct.error,
)
"""What Pillow's readers raise on files that lie."""

_SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""


def preload() -> None:
    """Load every codec and run those that a browser shows once."""
    Image.init()
    pillow_heif.register_heif_opener()
    for name in ("PNG", "GIF", "WEBP", "AVIF"):
        packed = io.BytesIO()
        Image.new("RGB", (8, 8)).save(packed, name)
        Image.open(packed).load()


def decode(data: bytes | memoryview, *, media_type: MediaType, limits: Limits) -> Decoded:
    """Open an image of any format; frames are decoded as they are taken.

    Raises:
        Undecodable: CORRUPT or TOO_LARGE.
    """
    with _hostile():
        image = _open(data, media_type)
        require_size(*image.size, limits)
        turned = _orientation(image)
    width_px, height_px = turned_size(image.size, turned)
    return Decoded(width_px=width_px, height_px=height_px, forms=_forms(image, turned))


def header(
    data: bytes | memoryview, *, media_type: MediaType, limits: Limits
) -> tuple[int, int]:
    """Return width and height as displayed, without decoding pixels.

    Raises:
        Undecodable: As ``decode``.
    """
    decoded = decode(data, media_type=media_type, limits=limits)
    return decoded.width_px, decoded.height_px


def orientation(data: bytes | memoryview, *, media_type: MediaType) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where none can be read."""
    try:
        with _hostile():
            return _orientation(_open(data, media_type))
    except Undecodable:
        return 1


def turned_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return ``size`` as it is displayed under an EXIF orientation."""
    return size[::-1] if orientation in _SIDEWAYS else size


def frame_forms(pixels: Pixels, *, orientation: int) -> FrameForms:
    """Return the forms of an opaque frame."""
    shown = turned(pixels, orientation)
    return FrameForms(displayed=shown, hashed=(shown,) if shown is pixels else (shown, pixels))


def turned(pixels: Pixels, orientation: int) -> Pixels:
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


@contextmanager
def _hostile() -> Iterator[None]:
    """Make a result of whatever a reader raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Image.DecompressionBombError as bomb:
        raise Undecodable(Unscannable.TOO_LARGE) from bomb
    except _BROKEN as broken:
        raise Undecodable(Unscannable.CORRUPT) from broken


def _open(data: bytes | memoryview, media_type: MediaType) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(data), formats=_FORMATS[media_type])


def _orientation(image: ImageFile.ImageFile) -> int:
    packed = image.info.get("exif")
    if not isinstance(packed, bytes):
        return 1
    exif = Image.Exif()
    exif.load(packed)
    value = exif.get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1


def _forms(image: ImageFile.ImageFile, orientation: int) -> Iterator[FrameForms]:
    with _hostile():
        pixels = np.asarray(image.convert("RGB"))
    yield frame_forms(pixels, orientation=orientation)
