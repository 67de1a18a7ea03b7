"""Benign pictures for the browser matrix, painted from a seed.

A *warm* picture is red in every pixel and stays so through JPEG, WebP, AVIF and GIF; in a
*cool* one green or blue exceeds red. What is hidden is warm and what is shown is cool, so that
one warm pixel anywhere in a screenshot is one pixel of a hidden picture.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from protech.guard.demo.paint import Palette, paint

Pixels = NDArray[np.uint8]

WIDTH_PX, HEIGHT_PX = 640, 480
WARM_FLOOR, WARM_MARGIN = 60, 26
COOL_MARGIN = 4
FRAME_MS = 120
QUICK = {"avif": {"speed": 10}, "webp": {"method": 0}, "png": {"compress_level": 1}}
"""Options of the encoders that are slow if left alone."""

MEDIA_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "ico": "image/x-icon",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One file as the site serves it; ``copy`` names how it was made from the photo."""

    copy: str
    media_type: str
    content: bytes


def photo(seed: int, *, is_warm: bool) -> Pixels:
    """Return a landscape, (480, 640, 3) uint8 sRGB, wholly warm or wholly cool."""
    return paint(seed, WIDTH_PX, HEIGHT_PX, palette=Palette.WARM if is_warm else Palette.COOL)


def warm_pixels(pixels: Pixels) -> NDArray[np.bool_]:
    """Return where ``pixels``, (height, width, 3) uint8, is warm; shape (height, width)."""
    red = pixels[..., 0].astype(np.int16)
    rest = pixels[..., 1:3].max(axis=-1).astype(np.int16)
    return (red >= WARM_FLOOR) & (red - rest >= WARM_MARGIN)


def cool_pixels(pixels: Pixels) -> NDArray[np.bool_]:
    """Return where green or blue exceeds red, as in no white, grey or warm pixel."""
    red = pixels[..., 0].astype(np.int16)
    return pixels[..., 1:3].max(axis=-1).astype(np.int16) - red >= COOL_MARGIN


def copies(photo: Pixels) -> list[Picture]:
    """Return the photo's own file first, then copies of it with other bytes."""
    image = Image.fromarray(photo)
    half = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
    return [
        _file("own", image, "jpeg", quality=90),
        _file("reencoded", image, "jpeg", quality=62),
        _file("half", half, "jpeg", quality=85),
        _file("webp", image, "webp", quality=80),
        _file("avif", image, "avif", quality=70),
        _file("png", image.quantize(48), "png"),
    ]


def formats(photo: Pixels) -> list[Picture]:
    """Return the photo in the other formats and ways of encoding that browsers paint."""
    image = Image.fromarray(photo)
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6  # to be shown a quarter turn clockwise of how it lies
    lying = image.transpose(Image.Transpose.ROTATE_90)
    clear = image.copy()
    clear.putalpha(255)
    own = _file("own", image, "jpeg", quality=90).content
    return [
        _file("gif", image.quantize(128), "gif"),
        _file("bmp", image, "bmp"),
        _file("ico", image.resize((256, 192)), "ico", sizes=[(256, 192)]),
        _file("progressive", image, "jpeg", quality=85, progressive=True),
        _file("cmyk", image.convert("CMYK"), "jpeg", quality=90),
        _file("full-chroma", image, "jpeg", quality=85, subsampling=0),
        _file("turned", lying, "jpeg", quality=85, exif=turned),
        _file("alpha", clear, "png"),
        _file("lossless", image, "webp", lossless=True, quality=0, method=0),
        Picture(copy="trailing", media_type="image/jpeg", content=own + b"PK\x03\x04" * 64),
        Picture(copy="truncated", media_type="image/jpeg", content=own[: len(own) * 3 // 4]),
    ]


def animations(photo: Pixels, others: list[Pixels]) -> list[Picture]:
    """Return animations of three frames, one of them ``photo`` and the rest ``others``."""
    made = []
    for place, name in enumerate(("first", "middle", "last")):
        frames = [Image.fromarray(other) for other in others[:2]]
        frames.insert(place, Image.fromarray(photo))
        made += [
            _animation(f"{kind}-{name}", frames, kind)
            for kind in ("gif", "webp", "png", "avif")
        ]
    return made


def _file(copy: str, image: Image.Image, kind: str, **options: Any) -> Picture:
    buffer = io.BytesIO()
    image.save(buffer, kind.upper(), **options)
    return Picture(copy=copy, media_type=MEDIA_TYPES[kind], content=buffer.getvalue())


def _animation(copy: str, frames: list[Image.Image], kind: str) -> Picture:
    if kind == "gif":
        frames = [frame.quantize(128) for frame in frames]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        kind.upper(),
        save_all=True,
        append_images=frames[1:],
        duration=FRAME_MS,
        loop=0,
        **QUICK.get(kind, {}),
    )
    return Picture(copy=copy, media_type=MEDIA_TYPES[kind], content=buffer.getvalue())


def write(pictures: list[Picture], directory: Path) -> None:
    """Write each picture as ``COPY.SUBTYPE`` where the origin looks for it."""
    directory.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        suffix = (
            picture.media_type.removeprefix("image/").removeprefix("x-").replace("icon", "ico")
        )
        (directory / f"{picture.copy}.{suffix}").write_bytes(picture.content)


def read(directory: Path) -> dict[str, Picture]:
    """Return the pictures that ``write`` left in ``directory``, by copy."""
    return {
        path.stem: Picture(
            copy=path.stem,
            media_type=MEDIA_TYPES[path.suffix.removeprefix(".")],
            content=path.read_bytes(),
        )
        for path in sorted(directory.iterdir())
    }
