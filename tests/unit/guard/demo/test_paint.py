import itertools

import numpy as np
import pytest

from protech.guard.demo.paint import MIN_SIDE_PX, Palette, paint
from protech.salus.pdq import pdq

SEEDS = range(16)


def _bits(seed: int, palette: Palette) -> np.ndarray:
    return np.unpackbits(
        np.frombuffer(pdq(paint(seed, 160, 120, palette=palette)).bits, np.uint8)
    )


def test_the_same_seed_gives_the_same_picture() -> None:
    assert np.array_equal(paint(3, 200, 150), paint(3, 200, 150))


def test_the_picture_has_the_size_that_was_asked_for() -> None:
    picture = paint(1, 130, 70)
    assert picture.shape == (70, 130, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("seed", range(6))
def test_every_warm_pixel_is_clearly_red(seed: int) -> None:
    red, green, blue = (
        paint(seed, 240, 180, palette=Palette.WARM).astype(int).transpose(2, 0, 1)
    )
    assert (red - np.maximum(green, blue)).min() >= 40


@pytest.mark.parametrize("seed", range(6))
def test_no_cool_pixel_is_red(seed: int) -> None:
    red, green, blue = (
        paint(seed, 240, 180, palette=Palette.COOL).astype(int).transpose(2, 0, 1)
    )
    assert (np.maximum(green, blue) - red).min() >= 10


@pytest.mark.parametrize("palette", Palette)
def test_every_scene_is_good_enough_to_match_by(palette: Palette) -> None:
    assert min(pdq(paint(seed, 160, 120, palette=palette)).quality for seed in SEEDS) >= 50


def test_no_two_scenes_resemble_each_other() -> None:
    hashes = [_bits(seed, palette) for seed in SEEDS for palette in Palette]
    nearest = min(int((a != b).sum()) for a, b in itertools.combinations(hashes, 2))
    assert nearest > 62


def test_another_size_is_the_same_scene() -> None:
    small, large = pdq(paint(5, 320, 240)).bits, pdq(paint(5, 800, 600)).bits
    distance = int.from_bytes(small) ^ int.from_bytes(large)
    assert distance.bit_count() <= 31


@pytest.mark.parametrize("size", [(MIN_SIDE_PX - 1, 100), (100, MIN_SIDE_PX - 1)])
def test_a_picture_too_small_for_a_scene_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="16 pixels"):
        paint(1, *size)


def test_the_smallest_picture_is_painted() -> None:
    assert paint(1, MIN_SIDE_PX, MIN_SIDE_PX).shape == (MIN_SIDE_PX, MIN_SIDE_PX, 3)
