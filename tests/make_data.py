"""Benign photos for tests, made when a test runs; nothing is fetched, no picture committed.

``python -m tests.make_data DIR`` writes a few to look at.
"""

import io
import sys
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from protech.guard.demo.paint import Palette, paint
from protech.salus.frames import Pixels

PaletteName = Literal["warm", "cool"]


@lru_cache(maxsize=32)
def make_photo(
    seed: int, width: int = 480, height: int = 360, *, palette: PaletteName = "cool"
) -> Pixels:
    """Return a painted landscape, (height, width, 3) uint8, read-only.

    In a "warm" one red exceeds green and blue in every pixel by 40 or more; in a "cool" one
    green or blue exceeds red. Two photos of different seeds are far apart for PDQ.
    """
    photo = paint(seed, width, height, palette=Palette(palette))
    photo.setflags(write=False)
    return photo


def make_noise(seed: int, width: int, height: int) -> Pixels:
    """Return independent random pixels, (height, width, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encode(pixels: Pixels, format_name: str, **options: object) -> bytes:
    """Return ``pixels`` as a file of Pillow's format ``format_name``."""
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, format_name, **options)
    return packed.getvalue()


def main(directory: str) -> None:
    """Write a few photos of both palettes into ``directory``."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for palette in ("warm", "cool"):
        for seed in range(4):
            photo = make_photo(seed, 960, 720, palette=palette)
            (folder / f"{palette}-{seed}.jpg").write_bytes(encode(photo, "JPEG", quality=90))


if __name__ == "__main__":
    main(sys.argv[1])
