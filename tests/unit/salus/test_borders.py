import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protech.salus.borders import MIN_INNER_PX, TOLERANCE_LEVELS, inner
from protech.salus.frames import Pixels
from tests.make_data import make_noise, make_photo

colours = st.tuples(*(st.integers(0, 255),) * 3)
depths = st.integers(0, 40)


def framed(picture: Pixels, colour: tuple[int, ...], sides: tuple[int, ...]) -> Pixels:
    """Return ``picture`` within bars: above, below, left and right."""
    top, bottom, left, right = sides
    height, width = picture.shape[:2]
    whole = np.full((top + height + bottom, left + width + right, 3), colour, dtype=np.uint8)
    whole[top : top + height, left : left + width] = picture
    return whole


@given(colours, st.tuples(depths, depths, depths, depths), st.integers(0, 9))
def test_what_is_within_the_bars_comes_back(
    colour: tuple[int, ...], sides: tuple[int, ...], seed: int
) -> None:
    picture = make_noise(seed, 70, 65)  # no line of noise is of one colour
    found = inner(framed(picture, colour, sides))
    if not any(sides):
        assert found is None
    else:
        assert found is not None
        assert np.array_equal(found, picture)
        assert found.flags.c_contiguous


@given(colours, st.integers(0, TOLERANCE_LEVELS // 2), st.integers(0, 9))
def test_a_bar_may_be_a_little_uneven(colour: tuple[int, ...], uneven: int, seed: int) -> None:
    # What is nearly black or white is measured from there, as the reference does.
    to_black, to_white = max(colour), 255 - min(colour)
    for away in (to_black, to_white):
        assume(away + uneven <= TOLERANCE_LEVELS or away - uneven > TOLERANCE_LEVELS)
    picture = make_noise(seed, 70, 65)
    whole = framed(picture, colour, (9, 9, 9, 9)).astype(np.int16)
    random = np.random.default_rng(seed)
    whole += random.integers(-uneven, uneven + 1, whole.shape, dtype=np.int16)
    found = inner(whole.clip(0, 255).astype(np.uint8))
    assert found is not None
    assert found.shape == picture.shape


def test_each_side_has_its_own_colour() -> None:
    picture = make_noise(3, 90, 80)
    whole = framed(picture, (255, 255, 255), (0, 0, 6, 0))
    whole = framed(whole, (0, 0, 0), (7, 0, 0, 0))
    whole = framed(whole, (200, 30, 90), (0, 5, 0, 0))
    found = inner(whole)
    assert found is not None
    assert np.array_equal(found, picture)


def test_a_photo_without_bars_is_left_alone() -> None:
    assert inner(make_photo(1, 320, 240)) is None


@pytest.mark.parametrize("level", [0, 90, 255])
def test_nothing_but_border_has_no_inner_picture(level: int) -> None:
    assert inner(np.full((200, 300, 3), level, dtype=np.uint8)) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 2)])
def test_thin_pictures_are_no_trouble(size: tuple[int, int]) -> None:
    assert inner(make_noise(1, *size)) is None


@pytest.mark.parametrize(("side", "is_kept"), [(MIN_INNER_PX, True), (MIN_INNER_PX - 1, False)])
def test_what_is_left_must_be_large_enough(side: int, *, is_kept: bool) -> None:
    whole = framed(make_noise(2, 200, side), (0, 0, 0), (20, 20, 20, 20))
    assert (inner(whole) is not None) is is_kept


@pytest.mark.parametrize(
    ("level", "is_border"), [(TOLERANCE_LEVELS, True), (TOLERANCE_LEVELS + 1, False)]
)
def test_black_ends_at_the_tolerance(level: int, *, is_border: bool) -> None:
    whole = framed(make_noise(4, 100, 100), (0, 0, 0), (10, 10, 10, 10))
    whole[9, 60] = level
    found = inner(whole)
    assert found is not None
    assert len(found) == (100 if is_border else 101)
