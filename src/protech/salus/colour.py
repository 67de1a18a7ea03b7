"""Colours as a browser shows them, where a file says that its numbers mean others.

What is stored is taken as sRGB, as PDQ's reference and the models do, and wide-gamut photos
pass as they are. Only what makes another picture of it is applied: a profile that swaps or
inverts colours, or a gamma far from a screen's.
"""

import io
import struct
from functools import lru_cache
from itertools import chain, product

import numpy as np
from PIL import Image, ImageCms, ImageMode

from protech.salus.frames import Pixels

_ORDINARY_LEVELS = 16
"""How far colours may be moved on average, of 255: Display P3 and Adobe RGB move them by 10,
an old Mac's gamma by 13, a profile that swaps red and blue by 63. PDQ and the models hold up
under the former."""

_GAMMAS = (1e-5, 42_950.0)
"""What a ``gAMA`` can hold: 32 bits, in hundred-thousandths. Source: PNG 11.3.2.2."""

_V5_BYTES, _BMP_COLOURS, _BMP_PROFILE = 124, 14 + 56, 14 + 112
"""The header that can hold a profile, and where it says so. Source: wingdi.h."""

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""What Pillow calls the colours that a profile is for."""

_BROKEN = (AttributeError, LookupError, OSError, TypeError, ValueError, ImageCms.PyCMSError)

Transform = tuple[str, ImageCms.ImageCmsTransform]


def profiled(
    pixels: Pixels, profile: bytes | None, *, inks: Image.Image | None = None
) -> Pixels | None:
    """Return a picture under a colour profile that matters; None for all ordinary ones.

    Args:
        pixels: The picture without the profile.
        profile: An ICC profile, maybe broken.
        inks: The same picture before its four inks were made ``pixels``.
    """
    found = _transform(profile) if profile else None
    if found is None:
        return None
    mode, transform = found
    if mode != "CMYK":
        return _applied(Image.fromarray(pixels).convert(mode), transform)
    return _applied(inks, transform) if inks is not None else None


def brightened(pixels: Pixels, gamma: object) -> Pixels | None:
    """Return a picture as a PNG's ``gAMA`` shows it; None for a gamma like a screen's."""
    if not isinstance(gamma, float) or not _GAMMAS[0] <= gamma <= _GAMMAS[1]:
        return None
    levels = np.arange(256)
    light = (levels / 255) ** (1 / gamma)
    # IEC 61966-2-1
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    table = np.rint(255 * shown).astype(np.uint8)
    moved = np.abs(table.astype(int) - levels).mean()
    return table[pixels] if moved > _ORDINARY_LEVELS else None


def profile_of_bitmap(data: bytes) -> bytes:
    """Return the profile in a BMP, which Pillow leaves unread; empty where there is none."""
    head_bytes = int.from_bytes(data[14:18], "little")
    if head_bytes != _V5_BYTES or data[_BMP_COLOURS : _BMP_COLOURS + 4] != b"DEBM":
        return b""
    at, size_bytes = struct.unpack_from("<II", data, _BMP_PROFILE)
    return data[14 + at : 14 + at + size_bytes]


@lru_cache(maxsize=16)
def _transform(profile: bytes) -> Transform | None:
    """Return how to apply ``profile``, None where it is broken or hardly moves a colour."""
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES[embedded.profile.xcolor_space.strip()]
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(embedded, srgb, mode, "RGB")
        palette = _palette(mode)
        shown = _applied(palette, transform).astype(int)
    except _BROKEN:  # browsers pass over a profile that is broken
        return None
    moved = np.abs(shown - np.asarray(palette.convert("RGB"))).mean()
    return (mode, transform) if moved > _ORDINARY_LEVELS else None


def _palette(mode: str) -> Image.Image:
    """Return a picture of every colour there is, nine steps of each band."""
    steps = np.linspace(0, 255, 9).astype(np.uint8).tolist()
    bands = len(ImageMode.getmode(mode).bands)
    colours = bytes(chain.from_iterable(product(steps, repeat=bands)))
    return Image.frombytes(mode, (9, 9 ** (bands - 1)), colours)


def _applied(picture: Image.Image, transform: ImageCms.ImageCmsTransform) -> Pixels:
    shown = ImageCms.applyTransform(picture, transform)
    return np.asarray(picture.convert("RGB") if shown is None else shown)
