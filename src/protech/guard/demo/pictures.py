"""The demo's photos, painted from numbers, and what a screenshot shows of them."""

import io
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from protech.guard.demo.paint import Palette, paint

Pixels = NDArray[np.uint8]
"""(height, width, 3) uint8 sRGB."""

WIDTH_PX, HEIGHT_PX = 720, 480
"""Of a photo; a copy at half of it is still worth matching."""

WARMER_BITS = 25
"""A red evening exceeds green and blue by 40 or more; what JPEG, WebP and the browser's scaling
leave of that is still above this. Grey, text and clear days are far below."""


PLAIN_LEVELS = 8.0
"""Every landscape spreads over more levels than this; a sign for a missing picture does not."""

INK = (38, 42, 46)
EDGE_PX, TITLE_PX = 16, 48


class Placing(StrEnum):
    """How the page brings a photo onto the screen."""

    IMG = "in an <img>"
    BACKGROUND = "as a CSS background"
    DATA = "inside the page (data:)"
    BLOB = "fetched by a script (blob:)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """One photo of the demo's site; evenings are on the demo's known list, days are not."""

    title: str
    served: str
    placing: Placing = Placing.IMG
    is_listed: bool
    content: bytes = field(repr=False)


@cache
def evening(seed: int) -> Pixels:
    """Return a red evening of a listed seed."""
    return paint(seed, WIDTH_PX, HEIGHT_PX, palette=Palette.WARM)


@cache
def day(seed: int) -> Pixels:
    """Return a clear day, which no list holds."""
    return paint(seed, WIDTH_PX, HEIGHT_PX, palette=Palette.COOL)


def jpeg(pixels: Pixels, *, quality: int = 92, width_px: int = WIDTH_PX) -> bytes:
    """Return a JPEG of ``pixels``, scaled to ``width_px``."""
    return _encoded(pixels, width_px, "JPEG", quality=quality)


def webp(pixels: Pixels, *, quality: int = 80) -> bytes:
    """Return a WebP of ``pixels``."""
    return _encoded(pixels, WIDTH_PX, "WEBP", quality=quality)


def png(pixels: Pixels) -> bytes:
    """Return a PNG of ``pixels``."""
    return _encoded(pixels, WIDTH_PX, "PNG")


def screenshot(path: Path, *, height_px: int) -> Pixels:
    """Return the first ``height_px`` rows of a screenshot; the file is cut to them as well."""
    with Image.open(path, formats=["PNG"]) as image:
        cut = image.convert("RGB").crop((0, 0, image.width, height_px))
    cut.save(path, "PNG")
    return np.asarray(cut)


def opened(content: bytes) -> Pixels:
    """Return the pixels of a picture of the demo, or of what came in its place."""
    with Image.open(io.BytesIO(content), formats=["JPEG", "PNG", "WEBP"]) as image:
        return np.asarray(image.convert("RGB"))


def evening_pixels(pixels: Pixels) -> int:
    """Return how many pixels can only come from an evening, that is from a listed photo."""
    red, green, blue = np.moveaxis(pixels.astype(np.int16), -1, 0)
    return int(np.count_nonzero(red - np.maximum(green, blue) >= WARMER_BITS))


def has_detail(pixels: Pixels) -> bool:
    """Return whether this is a picture at all, and not a grey panel or an empty page."""
    return bool(pixels.reshape(-1, 3).std(axis=0).max() > PLAIN_LEVELS)


def side_by_side(without: Path, through: Path, beside: Path) -> None:
    """Write one PNG that shows two screenshots of one page next to each other, with titles."""
    with (
        Image.open(without, formats=["PNG"]) as left,
        Image.open(through, formats=["PNG"]) as right,
    ):
        width_px, height_px = left.width // 2, left.height // 2
        canvas = Image.new(
            "RGB", (2 * width_px + 3 * EDGE_PX, height_px + TITLE_PX + EDGE_PX), INK
        )
        draw = ImageDraw.Draw(canvas)
        font = ImageFont.load_default(size=20)
        for place, title, page in (
            (0, "Without the guard", left),
            (1, "With the guard", right),
        ):
            x = EDGE_PX + place * (width_px + EDGE_PX)
            draw.text((x, TITLE_PX // 2), title, font=font, fill="white", anchor="lm")
            half = page.convert("RGB").resize((width_px, height_px), Image.Resampling.LANCZOS)
            canvas.paste(half, (x, TITLE_PX))
        canvas.save(beside, "PNG", optimize=True)


def _encoded(pixels: Pixels, width_px: int, form: str, **settings: int) -> bytes:
    image = Image.fromarray(pixels)
    if width_px != image.width:
        height_px = round(image.height * width_px / image.width)
        image = image.resize((width_px, height_px), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    image.save(written, form, **settings)
    return written.getvalue()
