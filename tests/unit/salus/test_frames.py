import numpy as np
import pytest

from protech.salus.frames import (
    Undecodable,
    forms,
    gray,
    laid_on,
    require_size,
    sampled,
    turned,
    turned_size,
)
from protech.types import Limits, Unscannable
from tests.make_data import make_noise


def test_a_frame_at_the_limit_is_taken_and_one_pixel_more_is_not() -> None:
    require_size(10, 10, Limits(pixels=100))
    with pytest.raises(Undecodable) as refused:
        require_size(101, 1, Limits(pixels=100))
    assert refused.value.reason is Unscannable.TOO_LARGE


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_a_frame_without_pixels_is_corrupt(size: tuple[int, int]) -> None:
    with pytest.raises(Undecodable) as refused:
        require_size(*size, Limits())
    assert refused.value.reason is Unscannable.CORRUPT


def test_frames_at_the_limit_are_taken_and_one_more_is_not() -> None:
    assert len(sampled(50, Limits(frames=50, sampled_frames=16))) == 16
    with pytest.raises(Undecodable) as refused:
        sampled(51, Limits(frames=50))
    assert refused.value.reason is Unscannable.TOO_LARGE


def test_no_frames_are_corrupt() -> None:
    with pytest.raises(Undecodable) as refused:
        sampled(0, Limits())
    assert refused.value.reason is Unscannable.CORRUPT


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 100, 9999])
@pytest.mark.parametrize("most", [1, 2, 3, 16])
def test_the_sample_is_spread_with_both_ends(count: int, most: int) -> None:
    judged = sampled(count, Limits(sampled_frames=most))
    assert judged[0] == 0
    assert judged[-1] == count - 1
    assert judged == sorted(set(judged))
    assert len(judged) == min(count, max(most, 2))


def test_an_opaque_frame_has_one_form() -> None:
    pixels = make_noise(1, 6, 4)
    alpha = np.full((4, 6), 255, dtype=np.uint8)
    made = forms(pixels, alpha=alpha)
    assert len(made.hashed) == 1
    assert made.hashed[0] is made.displayed is pixels


def test_a_turned_frame_has_two_forms_the_displayed_first() -> None:
    pixels = make_noise(1, 6, 4)
    made = forms(pixels, orientation=6)
    assert made.displayed.shape == (6, 4, 3)
    assert [form.shape for form in made.hashed] == [(6, 4, 3), (4, 6, 3)]


def test_a_see_through_frame_is_hashed_on_white_on_black_and_bare() -> None:
    pixels = np.full((5, 5, 3), 100, dtype=np.uint8)
    made = forms(pixels, alpha=np.full((5, 5), 51, dtype=np.uint8))
    assert [int(form[0, 0, 0]) for form in made.hashed] == [224, 20, 100]
    assert np.array_equal(made.displayed, made.hashed[0])


def test_a_picture_that_lives_in_its_alpha_channel_is_hashed() -> None:
    drawing = make_noise(3, 8, 8)[..., 0]
    made = forms(np.full((8, 8, 3), 255, dtype=np.uint8), alpha=drawing)
    assert any(np.array_equal(form[..., 0], drawing) for form in made.hashed)


def test_laying_on_a_page_keeps_both_ends() -> None:
    pixels = make_noise(1, 3, 3)
    nothing, all_of_it = np.zeros((3, 3), np.uint8), np.full((3, 3), 255, np.uint8)
    assert np.array_equal(laid_on(255, pixels, all_of_it), pixels)
    assert np.all(laid_on(255, pixels, nothing) == 255)
    assert np.all(laid_on(0, pixels, nothing) == 0)


CORNERS = {1: "AB", 2: "BA", 3: "DC", 4: "CD", 5: "AC", 6: "CA", 7: "DB", 8: "BD"}
"""Upper corners as displayed, of a frame stored with A B above C D (TIFF 6.0, Orientation)."""


@pytest.mark.parametrize(("orientation", "upper"), CORNERS.items())
def test_every_orientation_puts_the_corners_where_they_belong(
    orientation: int, upper: str
) -> None:
    stored = np.zeros((2, 3, 3), dtype=np.uint8)
    for level, corner in enumerate(((0, 0), (0, -1), (-1, 0), (-1, -1))):
        stored[corner] = level + 1
    shown = turned(stored, orientation)
    assert shown.flags["C_CONTIGUOUS"]
    assert "".join(" ABCD"[int(shown[0, x, 0])] for x in (0, -1)) == upper
    assert turned_size((3, 2), orientation) == (shown.shape[1], shown.shape[0])


def test_a_frame_under_a_profile_is_displayed_so_and_hashed_both_ways() -> None:
    pixels = make_noise(1, 6, 4)
    inverted = 255 - pixels
    made = forms(pixels, profiled=inverted)
    assert np.array_equal(made.displayed, inverted)
    assert [np.array_equal(form, pixels) for form in made.hashed] == [False, True]


@pytest.mark.parametrize(
    ("levels", "tones"),
    [
        (np.array([[0, 255, 65535]], dtype=np.uint16), [0, 0, 255]),
        (np.array([[0, 7, 255]], dtype=np.int32), [0, 7, 255]),
        (np.array([[-100, 0, 100]], dtype=np.int32), [0, 128, 255]),
        (np.array([[0.0, 0.5, 1.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[0.0, 64.0, 200.0]], dtype=np.float32), [0, 64, 200]),
        (np.array([[np.nan, 300.0, 600.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[5e9, 5e9, 5e9]], dtype=np.float32), [0, 0, 0]),
        (np.array([[np.inf, -np.inf, 9.0]], dtype=np.float32), [0, 0, 9]),
    ],
)
def test_gray_of_any_depth_is_eight_bits(levels: np.ndarray, tones: list[int]) -> None:
    assert gray(levels)[0].tolist() == [[tone] * 3 for tone in tones]


def test_no_pixels_are_in_the_repr() -> None:
    assert repr(forms(make_noise(1, 4, 4))) == "FrameForms(full_size=None)"


def test_a_form_on_its_side_had_its_sides_swapped() -> None:
    one = forms(make_noise(1, 6, 4), orientation=6, full_size=(8, 12))
    displayed, stored = one.hashed
    assert (one.full_size_of(displayed), one.full_size_of(stored)) == ((12, 8), (8, 12))
    assert forms(make_noise(1, 6, 4)).full_size_of(stored) is None
