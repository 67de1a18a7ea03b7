"""Every format but plain JPEG, opened by Pillow and given frame by frame.

What is judged: all frames of an animation up to the sample, all pages of a TIFF, all sizes of
an icon. Of a JPEG with several pictures (MPO) the first, which is what a browser shows.

Every colour mode becomes 8-bit RGB. What is stored is taken as sRGB, as PDQ's reference and the
models do, and wide-gamut photos pass as they are; only a colour profile that makes another
picture of it (colours swapped, inverted, all black) is applied, as a browser applies it. Four
inks are turned by the plain formula, Adobe's inverted inks included (Pillow sees to these).
"""

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import pillow_heif
from PIL import AvifImagePlugin, ExifTags, IcoImagePlugin, Image, ImageCms, ImageFile

from protech.salus import animation
from protech.salus.frames import (
    Alpha,
    Decoded,
    FrameForms,
    Pixels,
    Undecodable,
    forms,
    gray,
    require_size,
    sampled,
    turned_size,
)
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

_NEVER_TURNED = ("TIFF", "WEBP")
"""Pillow has turned a TIFF itself; a WebP is shown as it is stored (seen in Chromium 156)."""

_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What Pillow's readers raise on files that lie."""

_ORDINARY_LEVELS = 16
"""How far a profile may move colours on average, of 255: Display P3 and Adobe RGB move them by
10, one that swaps red and blue by 63. PDQ and the models hold up under the former."""

_PLAYABLE = re.compile(rb"hdlr.{8}(?:vide|soun)", re.DOTALL)
"""The handler of a film or sound track (ISO 14496-12 8.4.3): a film that poses as a picture."""


def preload() -> None:
    """Load every codec and run it once: a locked worker can open and load nothing more."""
    Image.init()
    pillow_heif.register_heif_opener()
    pillow_heif.options.DECODE_THREADS = 1
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    for media_type in (MediaType.PNG, MediaType.GIF, MediaType.WEBP, MediaType.AVIF):
        for mode in ("RGB", "RGBA", "P"):
            packed = io.BytesIO()
            frame = Image.new(mode, (8, 8))
            frame.save(packed, media_type.name, save_all=True, append_images=[frame])
            list(decode(packed.getvalue(), media_type=media_type, limits=Limits()).forms)


def decode(data: bytes | memoryview, *, media_type: MediaType, limits: Limits) -> Decoded:
    """Open an image; see ``protech.salus.decode.decode``."""
    data = bytes(data)
    if media_type in (MediaType.AVIF, MediaType.HEIC) and _PLAYABLE.search(data):
        raise Undecodable(Unscannable.UNKNOWN_TYPE)
    with _hostile():
        image = _open(data, media_type)
        require_size(*image.size, limits)
        orientation = _orientation(image)
        count = _count(image, data, media_type, limits)
        judged = sampled(count, limits)
    width_px, height_px = turned_size(image.size, orientation)
    return Decoded(
        width_px=width_px,
        height_px=height_px,
        forms=_forms(_frames(image, data, media_type, judged, limits), orientation, limits),
    )


def header(
    data: bytes | memoryview, *, media_type: MediaType, limits: Limits
) -> tuple[int, int]:
    """Return width and height as displayed, without decoding pixels.

    Raises:
        Undecodable: CORRUPT or TOO_LARGE.
    """
    with _hostile():
        image = _open(bytes(data), media_type)
        require_size(*image.size, limits)
        return turned_size(image.size, _orientation(image))


def described(data: bytes | memoryview, *, media_type: MediaType) -> tuple[int, bytes | None]:
    """Return EXIF orientation and colour profile; 1 and None where none can be read."""
    try:
        with _hostile():
            image = _open(bytes(data), media_type)
            return _orientation(image), _profile(image)
    except Undecodable:
        return 1, None


def profiled(pixels: Pixels, profile: bytes | None) -> Pixels | None:
    """Return ``pixels`` under a colour profile that matters; None for all ordinary ones."""
    transform = _transform(profile) if profile else None
    return None if transform is None else _transformed(pixels, transform)


@lru_cache(maxsize=16)
def _transform(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """Return how to apply ``profile``, None where it is broken or hardly moves a colour."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(embedded, srgb, "RGB", "RGB")
        moved = np.abs(_transformed(colours, transform).astype(int) - colours).mean()
    except (ImageCms.PyCMSError, *_BROKEN):  # browsers pass over a profile that is broken
        return None
    return transform if moved > _ORDINARY_LEVELS else None


def _transformed(pixels: Pixels, transform: ImageCms.ImageCmsTransform) -> Pixels:
    applied = ImageCms.applyTransform(Image.fromarray(pixels), transform)
    return pixels if applied is None else np.asarray(applied)


def _profile(image: Image.Image) -> bytes | None:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) else None


@contextmanager
def _hostile() -> Iterator[None]:
    """Make a result of whatever a reader raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (Image.DecompressionBombError, MemoryError) as bomb:
        raise Undecodable(Unscannable.TOO_LARGE) from bomb
    except _BROKEN as broken:
        raise Undecodable(Unscannable.CORRUPT) from broken


def _open(data: bytes, media_type: MediaType) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(data), formats=_FORMATS[media_type])


def _orientation(image: ImageFile.ImageFile) -> int:
    packed = image.info.get("exif")
    if not isinstance(packed, bytes) or image.format in _NEVER_TURNED:
        return 1
    exif = Image.Exif()
    exif.load(packed)
    value = exif.get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1


def _count(
    image: ImageFile.ImageFile, data: bytes, media_type: MediaType, limits: Limits
) -> int:
    """Return how many frames there are; a count beyond ``limits.frames`` may be cut short."""
    match media_type:
        case MediaType.GIF:
            return len(animation.gif(data, most=limits.frames).steps)
        case MediaType.ICO if isinstance(image, IcoImagePlugin.IcoImageFile):
            return len(image.ico.entry)
        case MediaType.TIFF:
            return animation.tiff_pages(data, most=limits.frames)
        case MediaType.PNG:
            return max(_stated(image), animation.png_frames(data, most=limits.frames))
        case MediaType.WEBP | MediaType.AVIF | MediaType.HEIC:
            return _stated(image)
        case _:
            return 1


def _stated(image: ImageFile.ImageFile) -> int:
    return int(getattr(image, "n_frames", 1))


def _frames(
    image: ImageFile.ImageFile,
    data: bytes,
    media_type: MediaType,
    judged: list[int],
    limits: Limits,
) -> Iterator[Image.Image]:
    if media_type is MediaType.GIF:
        yield from _gif_frames(data, judged, limits)
    elif isinstance(image, IcoImagePlugin.IcoImageFile):
        for index in judged:
            yield image.ico.frame(index)
    else:
        for index in judged:
            image.seek(index)
            yield image


def _gif_frames(data: bytes, judged: list[int], limits: Limits) -> Iterator[Image.Image]:
    """Build up each judged frame from the latest one that hides all before it.

    So the last of many frames costs what changed since then, not the whole film.
    """
    film = animation.gif(data, most=limits.frames)
    first = film.start_of(judged[0])
    clip = _open(film.clip(data, first), MediaType.GIF)
    for index in judged:
        start = film.start_of(index)
        if start > first:
            first = start
            clip = _open(film.clip(data, first), MediaType.GIF)
        clip.seek(index - first)
        yield clip


def _forms(
    frames: Iterator[Image.Image], orientation: int, limits: Limits
) -> Iterator[FrameForms]:
    while True:
        with _hostile():
            frame = next(frames, None)
            if frame is None:
                return
            require_size(*frame.size, limits)
            pixels, alpha = _pixels_and_alpha(frame)
            decoded = forms(
                pixels,
                alpha=alpha,
                orientation=orientation,
                profiled=profiled(pixels, _profile(frame)),
            )
        yield decoded


def _pixels_and_alpha(frame: Image.Image) -> tuple[Pixels, Alpha | None]:
    """Return the pixels of ``frame`` and its alpha channel, None where it has none."""
    match frame.mode:
        case "I" | "F" | "I;16" | "I;16L" | "I;16B" | "I;16N":
            return gray(np.asarray(frame)), None
        case "LAB":
            return np.asarray(_from_lab(frame)), None
        case "La":  # premultiplied; turned into colours by way of the plain form only
            frame = frame.convert("LA")
        case _:
            pass
    if not frame.has_transparency_data:
        return np.asarray(frame.convert("RGB")), None
    levels = np.asarray(frame.convert("RGBA"))
    return np.ascontiguousarray(levels[..., :3]), np.ascontiguousarray(levels[..., 3])


def _from_lab(frame: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    turned = ImageCms.profileToProfile(frame, lab, srgb, outputMode="RGB")
    return frame.convert("RGB") if turned is None else turned
