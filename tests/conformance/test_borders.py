"""Black borders against ``PhotoContent.unletterbox`` of threatexchange 1.2.17; tolerance: none.

Its option for black is 15 by default (``cli/hash_cmd.py``). It knows of no other colour, and
gives what is left however small that is.
"""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from threatexchange.content_type.photo import PhotoContent

from protech.salus.borders import TOLERANCE_LEVELS, inner
from protech.salus.frames import Pixels
from tests.make_data import encode, make_noise, make_photo


def _reference(data: bytes, path: Path) -> Pixels:
    path.write_bytes(data)
    cut = PhotoContent.unletterbox(path, TOLERANCE_LEVELS)
    return np.asarray(Image.open(io.BytesIO(cut)).convert("RGB"))


def _barred(seed: int) -> Pixels:
    random = np.random.default_rng(seed)
    width_px, height_px = (int(side) for side in random.integers(80, 200, 2))
    make = make_noise if seed % 2 else make_photo
    top, bottom, left, right = (int(depth) for depth in random.integers(0, 40, 4))
    whole = random.integers(
        0,
        1 + seed % (TOLERANCE_LEVELS + 1),
        (top + height_px + bottom, left + width_px + right, 3),
    ).astype(np.uint8)
    whole[top : top + height_px, left : left + width_px] = make(seed, width_px, height_px)
    return whole


@pytest.mark.parametrize("seed", range(12))
def test_black_bars_are_cut_where_the_reference_cuts(seed: int, tmp_path: Path) -> None:
    whole = _barred(seed)
    reference = _reference(encode(whole, "PNG"), tmp_path / "a.png")
    found = inner(whole)
    assert np.array_equal(whole if found is None else found, reference)


@pytest.mark.parametrize("seed", range(6))
def test_so_are_bars_that_jpeg_blurred(seed: int, tmp_path: Path) -> None:
    data = encode(_barred(2 * seed), "JPEG", quality=75)
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    cut_by_png = _reference(encode(pixels, "PNG"), tmp_path / "a.png")
    found = inner(pixels)
    assert np.array_equal(pixels if found is None else found, cut_by_png)
