"""The demo's photos: evenings can be told from days in every form that they are served in."""

from pathlib import Path

import numpy as np
import pytest

from protech.guard.demo.pictures import (
    HEIGHT_PX,
    WIDTH_PX,
    Pixels,
    day,
    evening,
    evening_pixels,
    has_detail,
    jpeg,
    opened,
    png,
    screenshot,
    side_by_side,
    webp,
)

GREY = np.full((40, 60, 3), 200, dtype=np.uint8)


@pytest.mark.parametrize("seed", [3, 5])
def test_every_copy_of_an_evening_is_seen_pixel_for_pixel(seed: int) -> None:
    photo = evening(seed)
    for copy in (jpeg(photo), jpeg(photo, quality=60), jpeg(photo, width_px=360), webp(photo)):
        pixels = opened(copy)
        assert evening_pixels(pixels) > 0.99 * pixels.shape[0] * pixels.shape[1]


@pytest.mark.parametrize("seed", [2, 7])
def test_no_pixel_of_a_day_counts_as_an_evenings(seed: int) -> None:
    for copy in (jpeg(day(seed), quality=60), webp(day(seed)), png(day(seed))):
        assert evening_pixels(opened(copy)) == 0


def test_grey_and_white_are_no_picture() -> None:
    assert evening_pixels(GREY) == 0
    assert not has_detail(GREY)
    assert has_detail(day(2))


def test_a_photo_keeps_its_shape_and_half_of_it_at_half_size() -> None:
    assert opened(png(day(2))).shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert opened(jpeg(day(2), width_px=WIDTH_PX // 2)).shape == (
        HEIGHT_PX // 2,
        WIDTH_PX // 2,
        3,
    )


def test_png_keeps_every_pixel() -> None:
    assert np.array_equal(opened(png(evening(5))), evening(5))


def written(path: Path, pixels: Pixels) -> Path:
    path.write_bytes(png(pixels))
    return path


def test_a_screenshot_is_cut_to_the_page(tmp_path: Path) -> None:
    path = written(tmp_path / "shot.png", day(2))
    assert np.array_equal(screenshot(path, height_px=100), day(2)[:100])
    assert opened(path.read_bytes()).shape[0] == 100


def test_two_screenshots_stand_side_by_side(tmp_path: Path) -> None:
    left = written(tmp_path / "left.png", evening(5))
    right = written(tmp_path / "right.png", day(2))
    side_by_side(left, right, tmp_path / "both.png")
    both = opened((tmp_path / "both.png").read_bytes())
    middle = both.shape[1] // 2
    assert evening_pixels(both[:, :middle]) > 0
    assert evening_pixels(both[:, middle:]) == 0
