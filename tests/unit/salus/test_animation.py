import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from protech.salus.animation import gif, png_frames, tiff_pages
from protech.salus.frames import Undecodable
from protech.types import Unscannable
from tests.make_data import make_photo

PHOTOS = [Image.fromarray(make_photo(seed, 40, 30)) for seed in range(5)]


def _film(name: str, frames: list[Image.Image], **options: object) -> bytes:
    packed = io.BytesIO()
    frames[0].save(packed, name, save_all=True, append_images=frames[1:], **options)
    return packed.getvalue()


def _gif(*blocks: bytes, canvas: tuple[int, int] = (2, 1), end: bytes = b";") -> bytes:
    width, height = (side.to_bytes(2, "little") for side in canvas)
    palette = b"\x00\x00\x00\xff\xff\xff"
    return b"GIF89a" + width + height + b"\x80\x00\x00" + palette + b"".join(blocks) + end


def _control(*, is_see_through: bool) -> bytes:
    return b"!\xf9\x04" + bytes([is_see_through]) + b"\x0a\x00\x00\x00"


def _image(left: int, top: int, width: int, height: int) -> bytes:
    placed = b"".join(side.to_bytes(2, "little") for side in (left, top, width, height))
    return b"," + placed + b"\x00" + b"\x02\x02\x44\x51\x00"


FULL = _image(0, 0, 2, 1)
PART = _image(1, 0, 1, 1)
COMMENT = b"!\xfe\x03abc\x02de\x00"


def test_every_frame_of_a_gif_is_found() -> None:
    film = gif(_gif(FULL, COMMENT, _control(is_see_through=False), FULL, PART), most=10)
    assert [step.is_fresh for step in film.steps] == [True, True, False]
    assert [b.begin for b in film.steps[1:]] == [a.end for a in film.steps[:-1]]


@pytest.mark.parametrize(
    ("frame", "is_fresh"),
    [
        (FULL, True),
        (_control(is_see_through=False) + FULL, True),
        (_control(is_see_through=True) + FULL, False),
        (PART, False),
        (_image(0, 0, 3, 2), True),
        (_image(1, 0, 2, 1), False),
    ],
)
def test_only_an_opaque_frame_over_the_whole_canvas_is_fresh(
    frame: bytes, is_fresh: bool
) -> None:
    assert gif(_gif(frame), most=1).steps[0].is_fresh is is_fresh


def test_a_frame_is_built_up_from_the_latest_fresh_one() -> None:
    film = gif(_gif(PART, PART, FULL, PART, PART, FULL), most=10)
    assert [film.start_of(i) for i in range(6)] == [0, 0, 2, 2, 2, 5]


def test_a_clip_begins_with_the_frame_that_was_asked_for() -> None:
    data = _gif(FULL, COMMENT, PART, FULL)
    film = gif(data, most=10)
    assert film.clip(data, 0) == data
    assert film.clip(data, 2) == _gif(FULL)
    assert len(gif(film.clip(data, 1), most=10).steps) == 2


def test_counting_stops_one_beyond_the_limit() -> None:
    assert len(gif(_gif(*[FULL] * 7), most=7).steps) == 7
    assert len(gif(_gif(*[FULL] * 900), most=7).steps) == 8


@pytest.mark.parametrize("end", [b"", b"\x00", b";after the end", b"\x00\x00;"])
def test_a_gif_without_its_last_byte_or_with_junk_keeps_its_frames(end: bytes) -> None:
    assert len(gif(_gif(FULL, PART, end=end), most=9).steps) == 2


def test_a_gif_that_breaks_off_in_a_frame_ends_there() -> None:
    data = _gif(FULL, FULL)[:-3]
    assert gif(data, most=9).steps[-1].end <= len(data)


@pytest.mark.parametrize("data", [b"", b"GIF89a", _gif(), _gif(COMMENT), _gif()[:12] + b","])
def test_a_gif_without_frames_is_corrupt(data: bytes) -> None:
    with pytest.raises(Undecodable) as refused:
        gif(data, most=9)
    assert refused.value.reason is Unscannable.CORRUPT


@given(st.binary(max_size=200))
def test_any_bytes_are_a_gif_or_corrupt(tail: bytes) -> None:
    try:
        film = gif(_gif()[:-1] + tail, most=20)
    except Undecodable:
        return
    assert all(0 <= step.begin < step.end for step in film.steps)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_frames_of_an_animated_png_are_counted(count: int) -> None:
    data = _film("PNG", PHOTOS[:count])
    assert png_frames(data, most=10) == (count if count > 1 else 0)


def test_a_png_that_counts_too_few_is_counted_right() -> None:
    data = _film("PNG", PHOTOS)
    at = data.index(b"acTL") + 4
    lying = data[:at] + (1).to_bytes(4) + data[at + 4 :]
    assert png_frames(lying, most=10) == 5


def test_frame_headers_after_the_end_of_a_png_are_junk() -> None:
    junk = b"\x00\x00\x00\x1afcTL" + bytes(30)
    assert png_frames(_film("PNG", PHOTOS) + junk, most=10) == 5


def test_counting_png_frames_stops_one_beyond_the_limit() -> None:
    assert png_frames(_film("PNG", PHOTOS), most=2) == 3


@pytest.mark.parametrize("options", [{}, {"big_tiff": True}], ids=["classic", "big"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_pages_of_a_tiff_are_counted(count: int, options: dict[str, object]) -> None:
    assert tiff_pages(_film("TIFF", PHOTOS[:count], **options), most=10) == count


def test_counting_tiff_pages_stops_one_beyond_the_limit() -> None:
    assert tiff_pages(_film("TIFF", PHOTOS), most=2) == 3


def test_a_chain_of_tiff_pages_that_loops_ends() -> None:
    page = b"\x00\x00" + (8).to_bytes(4, "little")
    assert tiff_pages(b"II*\x00" + (8).to_bytes(4, "little") + page, most=10) == 1


def test_a_big_endian_tiff_is_read() -> None:
    assert tiff_pages(b"MM\x00*" + (8).to_bytes(4) + bytes(6), most=10) == 1


@given(st.binary(max_size=100))
def test_any_bytes_have_a_bounded_number_of_pages(tail: bytes) -> None:
    assert 0 <= tiff_pages(b"II*\x00" + tail, most=5) <= 6
