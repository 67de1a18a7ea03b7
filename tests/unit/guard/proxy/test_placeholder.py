import io
import time

import pytest
from PIL import Image

from protech.guard.proxy.placeholder import GREY, PIXELS, SIDE_PX, placeholder


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (8, 8), (640, 480), (1, 5000)])
def test_a_placeholder_has_the_size_of_what_it_hides_and_one_grey(
    size: tuple[int, int],
) -> None:
    picture = Image.open(io.BytesIO(placeholder(*size)))
    picture.load()
    assert picture.size == size
    assert picture.convert("RGB").getcolors() == [(size[0] * size[1], (GREY, GREY, GREY))]


@pytest.mark.parametrize("size", [(None, None), (None, 5), (5, None), (0, 5), (-1, 4)])
def test_an_unknown_size_gives_one_pixel(size: tuple[int | None, int | None]) -> None:
    assert Image.open(io.BytesIO(placeholder(*size))).size == (1, 1)


def test_a_placeholder_holds_nothing_but_the_picture() -> None:
    content = placeholder(320, 200)
    assert [
        name for name in (b"tEXt", b"iTXt", b"zTXt", b"tIME", b"eXIf") if name in content
    ] == []
    assert b"rotech" not in content
    assert placeholder(320, 200) is content


def test_a_monstrous_size_keeps_its_proportions_and_costs_little() -> None:
    began = time.perf_counter()
    content = placeholder(100_000, 50_000)
    assert time.perf_counter() - began < 2
    width, height = Image.open(io.BytesIO(content)).size
    assert width <= SIDE_PX
    assert width * height <= PIXELS
    assert width == pytest.approx(2 * height, rel=0.01)
    assert len(content) < 32 * 1024
