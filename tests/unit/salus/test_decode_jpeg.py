import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageCms

from protech.salus import decode_jpeg
from protech.salus.decode_jpeg import MIN_SIDE_PX
from protech.salus.frames import FrameForms, Pixels, Undecodable
from protech.salus.pdq import pdq
from protech.types import Limits, PdqHash, Unscannable
from tests.make_data import encode, make_photo
from tests.unit.salus.test_orientation import block

PHOTO = make_photo(11, 160, 120)
JPEG = encode(PHOTO, "JPEG", quality=90)


SCAN = JPEG.index(b"\xff\xda")


@pytest.fixture(scope="module", autouse=True)
def _preloaded() -> None:
    decode_jpeg.preload()


def _only(data: bytes) -> FrameForms:
    (frame,) = decode_jpeg.decode(data, limits=Limits()).forms
    return frame


def _flat(width_px: int, height_px: int) -> Pixels:
    return np.full((height_px, width_px, 3), 120, dtype=np.uint8)


def _distance_bits(one: PdqHash, other: PdqHash) -> int:
    return (int.from_bytes(one.bits) ^ int.from_bytes(other.bits)).bit_count()


def _with_orientation(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(PHOTO, "JPEG", exif=exif.tobytes())


@pytest.mark.parametrize("side_px", [MIN_SIDE_PX - 1, MIN_SIDE_PX, MIN_SIDE_PX + 60])
def test_a_small_picture_is_decoded_as_it_is(side_px: int) -> None:
    photo = _flat(side_px + 100, side_px)
    assert _only(encode(photo, "JPEG")).displayed.shape == photo.shape


def test_only_the_quick_scales_are_used() -> None:
    sizes = {(1100, 1022): (1100, 1022), (1100, 1023): (550, 512), (4000, 3000): (1000, 750)}
    assert {size: decode_jpeg._scaled(size) for size in sizes} == sizes
    for size, scaled in sizes.items():
        shape = _only(encode(_flat(*size), "JPEG")).displayed.shape
        assert shape == (*scaled[::-1], 3)


@pytest.mark.parametrize("size", [(2100, 1023), (1030, 2100), (4096, 2048), (1100, 1025)])
def test_a_large_picture_keeps_its_shorter_side_at_the_least(size: tuple[int, int]) -> None:
    shape = _only(encode(_flat(*size), "JPEG")).displayed.shape
    assert MIN_SIDE_PX <= min(shape[:2]) < min(size)


@pytest.mark.parametrize(
    ("size", "is_scaled"), [((1100, 1022), False), ((1100, 1023), True), ((300, 200), False)]
)
def test_a_scaled_picture_says_so_and_can_be_had_whole(
    size: tuple[int, int], *, is_scaled: bool
) -> None:
    data = encode(_flat(*size), "JPEG")
    assert decode_jpeg.decode(data, limits=Limits()).is_scaled is is_scaled
    whole = decode_jpeg.decode(data, limits=Limits(), at_full_size=True)
    assert not whole.is_scaled
    (form,) = whole.forms
    assert form.displayed.shape == (*size[::-1], 3)


def test_scaling_hardly_moves_the_hash() -> None:
    photo = make_photo(2, 1400, 1050)
    data = encode(photo, "JPEG", quality=88)
    whole = np.asarray(Image.open(io.BytesIO(data)))
    only = _only(data)
    assert _distance_bits(pdq(only.displayed, full_size=only.full_size), pdq(whole)) <= 2


def test_the_size_is_that_of_the_file_not_of_the_scaled_pixels() -> None:
    decoded = decode_jpeg.decode(encode(_flat(2100, 1400), "JPEG"), limits=Limits())
    assert (decoded.width_px, decoded.height_px) == (2100, 1400)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_displayed_form_is_turned_and_the_stored_one_is_hashed_too(
    orientation: int,
) -> None:
    data = _with_orientation(orientation)
    decoded = decode_jpeg.decode(data, limits=Limits())
    (frame,) = decoded.forms
    upright = np.asarray(Image.open(io.BytesIO(data)))
    size = (120, 160) if orientation >= 5 else (160, 120)
    assert (decoded.width_px, decoded.height_px) == size
    assert decode_jpeg.header(data, limits=Limits()) == size
    assert frame.displayed.shape == (*size[::-1], 3)
    assert len(frame.hashed) == (1 if orientation == 1 else 2)
    assert np.array_equal(frame.hashed[-1], upright)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_gray_and_four_ink_pictures_have_the_hash_of_the_photo(mode: str) -> None:
    packed = io.BytesIO()
    Image.fromarray(PHOTO).convert(mode).save(packed, "JPEG", quality=92)
    frame = _only(packed.getvalue())
    assert frame.displayed.shape == PHOTO.shape
    assert _distance_bits(pdq(frame.displayed), pdq(PHOTO)) <= 8


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": "4:1:1"}])
def test_other_kinds_of_jpeg_are_decoded(options: dict[str, object]) -> None:
    frame = _only(encode(PHOTO, "JPEG", quality=92, **options))
    assert _distance_bits(pdq(frame.displayed), pdq(PHOTO)) <= 8


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(JPEG[:-2], id="no end mark"),
        pytest.param(JPEG[:-2] + b"\x00" * 5 + JPEG[-2:], id="junk before the end mark"),
        pytest.param(
            JPEG.replace(b"\xff\xdb", b"\x00\x00\xff\xdb", 1), id="junk between parts"
        ),
        pytest.param(JPEG[: SCAN + 12] + b"\x3e" + JPEG[SCAN + 13 :], id="odd scan"),
        pytest.param(JPEG + b"PK\x03\x04" + bytes(100), id="also an archive"),
        pytest.param(JPEG + b"\x00" * 3, id="padded"),
        pytest.param(JPEG + JPEG, id="a second picture behind"),
    ],
)
def test_what_browsers_pass_over_is_passed_over(data: bytes) -> None:
    assert np.array_equal(_only(data).displayed, _only(JPEG).displayed)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_truncated_picture_is_judged_as_far_as_it_goes_and_reported(
    share: float, options: dict[str, object]
) -> None:
    data = encode(make_photo(3, 480, 360), "JPEG", quality=90, **options)
    frames = decode_jpeg.decode(data[: int(len(data) * share)], limits=Limits()).forms
    assert next(frames).displayed.shape == (360, 480, 3)
    with pytest.raises(Undecodable) as refused:
        next(frames)
    assert refused.value.reason is Unscannable.CORRUPT


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(JPEG.replace(b"\xff\xdb", b"\xff\xef"), id="no quantisation tables"),
        pytest.param(
            JPEG.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"), id="12 bits"
        ),
    ],
)
def test_a_picture_that_no_decoder_takes_is_corrupt(data: bytes) -> None:
    with pytest.raises(Undecodable) as refused:
        list(decode_jpeg.decode(data, limits=Limits()).forms)
    assert refused.value.reason is Unscannable.CORRUPT


@pytest.mark.parametrize("length", [3, 20, 100, 300])
def test_a_picture_without_pixels_is_corrupt(length: int) -> None:
    with pytest.raises(Undecodable) as refused:
        list(decode_jpeg.decode(JPEG[:length], limits=Limits()).forms)
    assert refused.value.reason is Unscannable.CORRUPT


def test_a_profile_that_swaps_colours_is_applied() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"bxyz").replace(b"bXYZ", b"rXYZ").replace(b"bxyz", b"bXYZ")
    frame = _only(encode(PHOTO, "JPEG", quality=90, icc_profile=swapped))
    assert np.array_equal(frame.hashed[1], _only(JPEG).displayed)
    assert np.abs(frame.displayed.astype(int) - PHOTO[..., ::-1]).mean() < 10


def _part(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body


@pytest.mark.parametrize(
    "beside",
    [
        _part(0xE0, b"JFIF"),
        _part(0xEE, b"Adobe"),
        _part(0xE2, b"ICC_PROFILE\0"),
        b"\xff\xff\xff",
    ],
)
def test_a_broken_part_of_the_head_hides_no_description(beside: bytes) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"bxyz").replace(b"bXYZ", b"rXYZ").replace(b"bxyz", b"bXYZ")
    plain = encode(PHOTO, "JPEG", quality=92, icc_profile=swapped)
    data = plain[:2] + beside + _part(0xE1, b"Exif\0\xff" + block(6)) + plain[2:]
    frame = _only(data)
    assert frame.displayed.shape == (160, 120, 3)
    turned = np.rot90(PHOTO[..., ::-1], -1)
    assert np.abs(frame.displayed.astype(int) - turned).mean() < 10


def test_of_two_descriptions_each_is_believed() -> None:
    parts = b"".join(_part(0xE1, b"Exif\0\0" + block(value)) for value in (6, 3))
    frame = _only(JPEG[:2] + parts + JPEG[2:])
    upright = _only(JPEG).displayed
    assert np.array_equal(frame.displayed, np.rot90(upright, -1))
    assert any(np.array_equal(form, np.rot90(upright, 2)) for form in frame.hashed)


def test_a_picture_with_several_is_judged_by_the_one_that_is_shown() -> None:
    packed = io.BytesIO()
    first, second = (Image.fromarray(make_photo(seed, 160, 120)) for seed in (4, 5))
    first.save(packed, "MPO", save_all=True, append_images=[second], quality=92)
    frame = _only(packed.getvalue())
    assert _distance_bits(pdq(frame.displayed), pdq(make_photo(4, 160, 120))) <= 8


def test_pixels_at_the_limit_are_taken_and_one_more_is_not() -> None:
    assert _only(JPEG).displayed.shape == PHOTO.shape
    assert decode_jpeg.header(JPEG, limits=Limits(pixels=160 * 120)) == (160, 120)
    with pytest.raises(Undecodable) as refused:
        decode_jpeg.decode(JPEG, limits=Limits(pixels=160 * 120 - 1))
    assert refused.value.reason is Unscannable.TOO_LARGE


def test_a_header_that_promises_more_than_the_limit_is_refused_before_decoding() -> None:
    at = JPEG.index(b"\xff\xc0") + 5
    bomb = JPEG[:at] + (65000).to_bytes(2) * 2 + JPEG[at + 4 :]
    with pytest.raises(Undecodable) as refused:
        decode_jpeg.decode(bomb, limits=Limits())
    assert refused.value.reason is Unscannable.TOO_LARGE


def test_a_picture_that_memory_does_not_hold_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(simplejpeg, "decode_jpeg", full)
    with pytest.raises(Undecodable) as refused:
        _only(JPEG)
    assert refused.value.reason is Unscannable.TOO_LARGE


def test_a_broken_description_leaves_the_picture_upright() -> None:
    data = _with_orientation(6).replace(b"Exif\x00\x00", b"Exif\x00\x00\xff\xff\xff", 1)
    assert decode_jpeg.header(data, limits=Limits()) in {(160, 120), (120, 160)}
