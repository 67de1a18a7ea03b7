"""Every format but plain JPEG, opened by Pillow and given frame by frame.

What is judged: all frames of an animation up to the sample, all pages of a TIFF, all sizes of
an icon. Of a JPEG with several pictures (MPO) the first, which is what a browser shows.

Every colour mode becomes 8-bit RGB; ``salus.colour`` says when a profile counts. Four inks are
turned by the plain formula, Adobe's inverted inks included (Pillow sees to these).
"""

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pillow_heif
from PIL import AvifImagePlugin, IcoImagePlugin, Image, ImageCms, ImageFile

from protech.salus import animation
from protech.salus.colour import brightened, profile_of_bitmap, profiled
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
from protech.salus.orientation import orientation, stated
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
    MediaType.ICO: ("ICO",),
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

_CURSOR = b"\x00\x00\x02\x00"

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
    data = _as_icon(bytes(data)) if media_type is MediaType.ICO else bytes(data)
    if media_type in (MediaType.AVIF, MediaType.HEIC) and _PLAYABLE.search(data):
        raise Undecodable(Unscannable.UNKNOWN_TYPE)
    with _hostile():
        image = _open(data, media_type)
        require_size(*image.size, limits)
        turn = _orientation(image)
        count = _count(image, data, media_type, limits)
        judged = sampled(count, limits)
    width_px, height_px = turned_size(image.size, turn)
    frames = _frames(image, data, media_type, judged, limits)
    return Decoded(
        width_px=width_px,
        height_px=height_px,
        count=len(judged),
        forms=_forms(frames, turn, stated(data), limits),
    )


def header(
    data: bytes | memoryview, *, media_type: MediaType, limits: Limits
) -> tuple[int, int]:
    """Return width and height as displayed, without decoding pixels.

    Raises:
        Undecodable: CORRUPT or TOO_LARGE.
    """
    with _hostile():
        data = _as_icon(bytes(data)) if media_type is MediaType.ICO else bytes(data)
        image = _open(data, media_type)
        require_size(*image.size, limits)
        return turned_size(image.size, _orientation(image))


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
    image = Image.open(io.BytesIO(data), formats=_FORMATS[media_type])
    if media_type is MediaType.BMP:
        image.info["icc_profile"] = profile_of_bitmap(data)
    return image


def _as_icon(data: bytes) -> bytes:
    """Return a cursor as an icon: Pillow opens one picture of a cursor, a browser any."""
    if data[:4] != _CURSOR:
        return data
    icon = bytearray(data)
    icon[2:4] = (1).to_bytes(2, "little")
    for entry in range(6, 6 + 16 * int.from_bytes(data[4:6], "little"), 16):
        icon[entry + 4 : entry + 8] = bytes(len(icon[entry + 4 : entry + 8]))  # its hot spot
    return bytes(icon)


def _orientation(image: ImageFile.ImageFile) -> int:
    return 1 if image.format in _NEVER_TURNED else orientation(image.info.get("exif"))


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
    frames: Iterator[Image.Image], turn: int, others: tuple[int, ...], limits: Limits
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
                orientation=turn,
                others=others,
                profiled=_shown(pixels, frame),
            )
        yield decoded


def _shown(pixels: Pixels, frame: Image.Image) -> Pixels | None:
    """Return ``pixels`` in the colours that the file says, where these make another picture."""
    profile = frame.info.get("icc_profile")
    if profile and isinstance(profile, bytes):
        return profiled(pixels, profile, inks=frame if frame.mode == "CMYK" else None)
    return None if "srgb" in frame.info else brightened(pixels, frame.info.get("gamma"))


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
