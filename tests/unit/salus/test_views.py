"""Views: what a model is shown of a frame."""

import numpy as np
import pytest
from PIL import Image

from protech.models.card import Channels, Input, Layout
from protech.salus.frames import Pixels
from protech.salus.views import Picture, View, tensor

SPEC = Input(
    name="input",
    layout=Layout.NHWC,
    channels=Channels.RGB,
    mean=(10.0, 20.0, 30.0),
    scale=0.5,
    size_px=2,
    resize_px=4,
)


@pytest.fixture
def frame() -> Pixels:
    return np.random.default_rng(3).integers(0, 256, (96, 160, 3), dtype=np.uint8)


def ramp() -> Pixels:
    """A frame whose red is x and whose green is y."""
    y, x = np.indices((200, 240))
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


def test_the_whole_view_is_pillows_bilinear_resize(frame: Pixels) -> None:
    picture = Picture.of(frame)
    wanted = Image.fromarray(frame).resize((64, 64), Image.Resampling.BILINEAR)
    assert np.array_equal(picture.seen(picture.whole, 64), np.asarray(wanted))


def test_a_turned_view_is_the_upright_one_upside_down(frame: Pixels) -> None:
    picture = Picture.of(frame)
    turned = View(left=0, top=0, width=160, height=96, is_turned=True)
    assert np.array_equal(picture.seen(turned, 32), picture.seen(picture.whole, 32)[::-1, ::-1])


def test_what_lies_outside_of_the_frame_is_black(frame: Pixels) -> None:
    bright = np.full_like(frame, 255)
    seen = Picture.of(bright).seen(View(left=0, top=-32, width=160, height=160), 20)
    assert (seen[:4] == 0).all()
    assert (seen[4:16] == 255).all()
    assert (seen[16:] == 0).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 2000)])
def test_thin_frames_are_seen_too(size: tuple[int, int]) -> None:
    picture = Picture.of(np.zeros((*size, 3), dtype=np.uint8))
    height, width = size
    barred = View(
        left=0, top=0, width=max(width, height / 1.5), height=max(height, width / 1.5)
    )
    assert picture.seen(picture.whole, 32).shape == (32, 32, 3)
    assert picture.seen(barred, 32).shape == (32, 32, 3)


def test_points_of_a_view_return_to_the_frame() -> None:
    points = np.array([[0.0, 0.0], [0.25, 0.5], [1.0, 1.0]])
    tile = View(left=10, top=20, width=40, height=80)
    assert tile.to_frame(points).tolist() == [[10, 20], [20, 60], [50, 100]]
    turned = View(left=10, top=20, width=40, height=80, is_turned=True)
    assert turned.to_frame(points).tolist() == [[50, 100], [40, 60], [10, 20]]


def test_a_frame_that_is_stored_mirrored_or_turned_is_read_as_it_lies(frame: Pixels) -> None:
    turned = np.rot90(frame)
    picture = Picture.of(turned)
    copy = Picture.of(np.ascontiguousarray(turned))
    assert np.array_equal(picture.seen(picture.whole, 16), copy.seen(copy.whole, 16))


def test_a_chip_brings_the_eyes_to_their_places() -> None:
    onto = np.array([[0.25, 0.5], [0.75, 0.5]])
    chip = Picture.of(ramp()).chip(
        np.array([[92.0, 100.0], [108.0, 100.0]]), onto=onto, size_px=32
    )
    assert chip is not None
    # One chip pixel is one frame pixel here: eyes 16 apart in both.
    assert chip[15, 15].tolist() == [99, 99, 0]
    assert chip[0, 0].tolist() == [84, 84, 0]
    assert chip[31, 31].tolist() == [115, 115, 0]


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("degrees", [0, 30, 90, 180, 270])
def test_a_chip_is_turned_and_scaled_with_the_eyes(degrees: int, scale: float) -> None:
    onto = np.array([[0.25, 0.5], [0.75, 0.5]])
    centre = np.array([120.0, 100.0])
    angle = np.deg2rad(degrees)
    arm = np.array([np.cos(angle), np.sin(angle)]) * 8 * scale
    down = np.array([-np.sin(angle), np.cos(angle)])
    chip = Picture.of(ramp()).chip(
        np.array([centre - arm, centre + arm]), onto=onto, size_px=32
    )
    assert chip is not None
    for x, y in ((8, 8), (8, 24), (24, 8), (24, 24)):
        across, along = x + 0.5 - 16, y + 0.5 - 16
        place = centre + (arm / 8) * across + down * scale * along - 0.5
        assert np.abs(chip[y, x, :2].astype(float) - place).max() <= 1.5


def test_a_chip_beyond_the_edge_is_black_there() -> None:
    white = np.full((100, 100, 3), 255, dtype=np.uint8)
    onto = np.array([[0.25, 0.5], [0.75, 0.5]])
    chip = Picture.of(white).chip(np.array([[-8.0, 50.0], [8.0, 50.0]]), onto=onto, size_px=32)
    assert chip is not None
    assert chip[16, 2].tolist() == [0, 0, 0]
    assert chip[16, 30].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    "eyes",
    [
        [[5.0, 5.0], [5.0, 5.0]],
        [[float("nan"), 5.0], [9.0, 5.0]],
        [[float("inf"), 5.0], [9.0, 5.0]],
        [[5000.0, 5000.0], [5010.0, 5000.0]],
        [[0.0, 0.0], [1e7, 0.0]],
    ],
)
def test_eyes_that_span_no_square_give_no_chip(frame: Pixels, eyes: list[list[float]]) -> None:
    onto = np.array([[0.25, 0.5], [0.75, 0.5]])
    assert Picture.of(frame).chip(np.array(eyes), onto=onto, size_px=32) is None


def test_a_tensor_is_the_centre_less_the_mean_times_the_scale() -> None:
    square = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    values = tensor(square, SPEC)
    assert values.dtype == np.float32
    assert values.shape == (1, 2, 2, 3)
    wanted = (square[1:3, 1:3].astype(float) - (10, 20, 30)) / 2
    assert np.array_equal(values[0], wanted)


def test_the_mean_is_that_of_the_models_own_channel_order() -> None:
    square = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    spec = Input(
        name="input",
        layout=Layout.NCHW,
        channels=Channels.BGR,
        mean=(10.0, 20.0, 30.0),
        scale=0.5,
        size_px=4,
        resize_px=4,
    )
    values = tensor(square, spec)
    assert values.shape == (1, 3, 4, 4)
    assert values.flags.c_contiguous
    wanted = (square[..., ::-1].astype(float) - (10, 20, 30)) / 2
    assert np.array_equal(values[0].transpose(1, 2, 0), wanted)
