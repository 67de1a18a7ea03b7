"""What leaves a worker: sizes, hashes of every form, scores of what is shown, or a reason."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from protech.salus.frames import Pixels
from protech.salus.measure import Meter
from protech.salus.pdq import pdq
from protech.salus.sniff import MediaType
from protech.types import Limits, Measured, Scores, Unscannable
from tests.make_data import make_photo

METER = Meter(limits=Limits())


def noise(width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def test_turned_picture_is_hashed_as_stored_and_as_displayed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(noise()), "JPEG", exif=exif)
    measured = METER.measure(data, media_type=MediaType.JPEG)
    assert (measured.width_px, measured.height_px) == (64, 96)
    (frame,) = measured.frames
    assert len(set(frame.hashes)) == len(frame.hashes) == 2
    plain = METER.measure(encoded(Image.fromarray(noise()), "JPEG"), media_type=MediaType.JPEG)
    assert plain.frames[0].hashes[0] in frame.hashes


def test_scores_are_of_what_is_displayed() -> None:
    seen: list[tuple[int, ...]] = []

    def scorer(pixels: Pixels) -> Scores:
        seen.append(pixels.shape)
        return Scores(explicit=0.25)

    meter = Meter(limits=Limits(), scorer=scorer)
    measured = meter.measure(encoded(Image.fromarray(noise()), "PNG"), media_type=MediaType.PNG)
    assert seen == [(64, 96, 3)]
    assert measured.frames[0].scores == Scores(explicit=0.25)


def test_every_frame_is_hashed_and_some_are_scored() -> None:
    film = [Image.fromarray(noise() ^ np.uint8(turn)) for turn in range(40)]
    data = encoded(film[0], "GIF", save_all=True, append_images=film[1:])
    meter = Meter(limits=Limits(scored_frames=4), scorer=lambda _: Scores(explicit=0.1))
    frames = meter.measure(data, media_type=MediaType.GIF).frames
    assert len(frames) == 40
    assert all(frame.hashes for frame in frames)
    assert [at for at, frame in enumerate(frames) if frame.scores] == [0, 13, 26, 39]


def test_frames_before_a_break_still_count() -> None:
    frames = [Image.fromarray(noise() ^ np.uint8(turn)) for turn in range(4)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    whole = METER.measure(data, media_type=MediaType.GIF)
    broken = METER.measure(data[: len(data) * 6 // 10], media_type=MediaType.GIF)
    assert len(whole.frames) == 4
    assert broken.unscannable is Unscannable.CORRUPT
    assert broken.frames[:1] == whole.frames[:1]
    assert (broken.width_px, broken.height_px) == (96, 64)


@pytest.mark.parametrize("data", [b"\xff\xd8\xff", b"\xff\xd8\xff\xe0 not a picture"])
def test_hostile_bytes_are_a_result(data: bytes) -> None:
    for measured in (
        METER.measure(data, media_type=MediaType.JPEG),
        METER.header(data, media_type=MediaType.JPEG),
    ):
        assert measured == Measured(unscannable=Unscannable.CORRUPT)


def test_a_scaled_picture_can_be_hashed_again_by_all_its_pixels() -> None:
    meter = Meter(limits=Limits(), scorer=lambda _: Scores(explicit=0.1))
    photo = make_photo(3, 1100, 1050)
    data = encoded(Image.fromarray(photo), "JPEG", quality=95)
    measured = meter.measure(data, media_type=MediaType.JPEG)
    again = meter.rehash(data, media_type=MediaType.JPEG)
    assert (measured.is_scaled, again.is_scaled) == (True, False)
    assert (measured.width_px, measured.height_px) == (again.width_px, again.height_px)
    whole = np.asarray(Image.open(io.BytesIO(data)))
    assert again.frames[0].hashes[0] == pdq(whole)
    assert measured.frames[0].scores is not None
    assert again.frames[0].scores is None


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_scaled_picture_and_its_part_are_hashed_as_all_pixels_would_be(
    orientation: int,
) -> None:
    bars = np.zeros((1400, 1100, 3), dtype=np.uint8)
    bars[160:1240] = make_photo(4, 1100, 1080)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(bars), "JPEG", quality=95, exif=exif)
    meter = Meter(limits=Limits(), borders=True)
    measured = meter.measure(data, media_type=MediaType.JPEG)
    again = meter.rehash(data, media_type=MediaType.JPEG)
    assert measured.is_scaled
    hashes, whole = measured.frames[0].hashes, again.frames[0].hashes
    assert len(hashes) == len(whole) == (2 if orientation == 1 else 4)
    for one, other in zip(hashes, whole, strict=True):
        differing = int.from_bytes(one.bits) ^ int.from_bytes(other.bits)
        assert differing.bit_count() <= 6


def test_a_form_without_its_borders_is_hashed_too_where_asked() -> None:
    bars = np.zeros((300, 320, 3), dtype=np.uint8)
    bars[30:270] = make_photo(4, 320, 240)
    data = encoded(Image.fromarray(bars), "PNG")
    expected = (pdq(bars), pdq(make_photo(4, 320, 240)))
    meter = Meter(limits=Limits(), borders=True)
    assert meter.measure(data, media_type=MediaType.PNG).frames[0].hashes == expected
    assert METER.measure(data, media_type=MediaType.PNG).frames[0].hashes == expected[:1]


def test_every_form_is_hashed_in_eight_ways_where_asked() -> None:
    see_through = np.dstack([make_photo(4, 320, 240), noise(320, 240)[..., 0]])
    data = encoded(Image.fromarray(see_through), "PNG")
    plain = METER.measure(data, media_type=MediaType.PNG).frames[0].hashes
    meter = Meter(limits=Limits(), dihedral=True)
    turned = meter.measure(data, media_type=MediaType.PNG).frames[0].hashes
    assert len(plain) == 3
    assert turned[::8] == plain
    assert len(set(turned)) == len(turned) == 24


def test_header_gives_the_size_without_decoding() -> None:
    data = encoded(Image.fromarray(noise()), "PNG")
    assert METER.header(data, media_type=MediaType.PNG) == Measured(width_px=96, height_px=64)
    assert METER.header(b"PK\x03\x04", media_type=MediaType.ZIP) == Measured()
