import io
import struct
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from protech.salus import decode_pillow
from protech.salus.frames import FrameForms, Undecodable
from protech.salus.pdq import pdq
from protech.salus.sniff import SNIFF_BYTES, MediaType, sniff
from protech.types import Limits, PdqHash, Unscannable
from tests.make_data import make_photo
from tests.unit.salus.test_orientation import block

PHOTO = make_photo(21, 160, 120)
IMAGE = Image.fromarray(PHOTO)
FILM = [Image.fromarray(make_photo(seed, 96, 72)) for seed in range(40, 45)]


@pytest.fixture(scope="module", autouse=True)
def _preloaded() -> None:
    decode_pillow.preload()


def _file(image: Image.Image, name: str, **options: object) -> bytes:
    packed = io.BytesIO()
    image.save(packed, name, **options)
    return packed.getvalue()


def _film(name: str, frames: list[Image.Image], **options: object) -> bytes:
    return _file(frames[0], name, save_all=True, append_images=frames[1:], **options)


def _frames(data: bytes, limits: Limits | None = None) -> list[FrameForms]:
    media_type = sniff(data[:SNIFF_BYTES])
    opened = decode_pillow.decode(data, media_type=media_type, limits=limits or Limits())
    return list(opened.forms)


def _refusal(data: bytes, limits: Limits | None = None) -> Unscannable:
    with pytest.raises(Undecodable) as refused:
        _frames(data, limits)
    return refused.value.reason


def _distance_bits(one: PdqHash, other: PdqHash) -> int:
    return (int.from_bytes(one.bits) ^ int.from_bytes(other.bits)).bit_count()


def _resembles(frame: FrameForms, image: Image.Image) -> bool:
    expected = pdq(np.asarray(image.convert("RGB")))
    return _distance_bits(pdq(frame.displayed), expected) <= 16


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF", "WEBP", "AVIF", "GIF", "JPEG2000"])
def test_a_still_picture_of_every_format_is_the_photo(name: str) -> None:
    (frame,) = _frames(_file(IMAGE, name))
    assert frame.displayed.shape == PHOTO.shape
    assert _resembles(frame, IMAGE)


def test_heic_is_the_photo() -> None:
    packed = io.BytesIO()
    pillow_heif.from_pillow(IMAGE).save(packed)
    (frame,) = _frames(packed.getvalue())
    assert _resembles(frame, IMAGE)


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF"])
def test_formats_without_loss_give_the_very_pixels(name: str) -> None:
    assert np.array_equal(_frames(_file(IMAGE, name))[0].displayed, PHOTO)


GRAY = IMAGE.convert("L")
SIXTEEN = Image.fromarray(np.asarray(GRAY).astype(np.uint16) * 257)
LAB = ImageCms.profileToProfile(
    IMAGE, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
)
assert LAB is not None
MODES = {
    "gray": ("PNG", GRAY, GRAY),
    "16-bit gray PNG": ("PNG", SIXTEEN, GRAY),
    "16-bit gray TIFF": ("TIFF", SIXTEEN, GRAY),
    "32-bit gray": ("TIFF", GRAY.convert("I"), GRAY),
    "float gray": ("TIFF", GRAY.convert("F"), GRAY),
    "float share": (
        "TIFF",
        Image.fromarray(np.asarray(GRAY).astype(np.float32) / 255),
        GRAY,
    ),
    "float beyond": (
        "TIFF",
        Image.fromarray(np.asarray(GRAY).astype(np.float32) * 90 - 400),
        GRAY,
    ),
    "gray with alpha": ("PNG", GRAY.convert("LA"), GRAY),
    "1-bit": ("PNG", IMAGE.convert("1"), IMAGE.convert("1")),
    "palette": ("PNG", IMAGE.quantize(200), IMAGE.quantize(200)),
    "palette with alpha": ("TIFF", IMAGE.quantize(200).convert("PA"), IMAGE.quantize(200)),
    "RGBA": ("PNG", IMAGE.convert("RGBA"), IMAGE),
    "four inks": ("TIFF", IMAGE.convert("CMYK"), IMAGE),
    "luma and chroma": ("TIFF", IMAGE.convert("YCbCr"), IMAGE),
    "LAB": ("TIFF", LAB, IMAGE),
    "packed by JPEG": ("TIFF", IMAGE, IMAGE),
}


@pytest.mark.parametrize("case", MODES)
def test_every_colour_mode_is_the_photo(case: str) -> None:
    name, image, expected = MODES[case]
    options = {"compression": "jpeg"} if case == "packed by JPEG" else {}
    (frame,) = _frames(_file(image, name, **options))
    assert _resembles(frame, expected)


def test_premultiplied_gray_with_alpha_is_decoded() -> None:
    pixels, alpha = decode_pillow._pixels_and_alpha(GRAY.convert("LA").convert("La"))
    assert pixels.shape == PHOTO.shape
    assert alpha is not None


def test_sixteen_bit_colour_keeps_its_high_bytes() -> None:
    wide = PHOTO.astype(">u2") * 257
    rows = b"".join(b"\x00" + row.tobytes() for row in wide)
    size = struct.pack(">IIBBBBB", 160, 120, 16, 2, 0, 0, 0)
    data = _png(_chunk(b"IHDR", size), _chunk(b"IDAT", zlib.compress(rows)))
    assert np.array_equal(_frames(data)[0].displayed, PHOTO)


@pytest.mark.parametrize("name", ["PNG", "WEBP", "GIF", "TIFF"])
def test_a_see_through_picture_is_hashed_on_white_and_on_black(name: str) -> None:
    image = IMAGE.convert("RGBA")
    hole = np.full((120, 160), 255, dtype=np.uint8)
    hole[:60] = 0
    image.putalpha(Image.fromarray(hole))
    (frame,) = _frames(_file(image, name))
    assert frame.displayed[5, 5].tolist() == [255, 255, 255]
    assert [0, 0, 0] in [form[5, 5].tolist() for form in frame.hashed]
    assert len(frame.hashed) >= 2


def test_a_transparent_palette_entry_is_see_through() -> None:
    flat = Image.new("P", (20, 20), 1)
    flat.putpalette([10, 20, 30, 200, 30, 40])
    (frame,) = _frames(_file(flat, "PNG", transparency=1))
    assert {tuple(form[0, 0]) for form in frame.hashed} == {
        (255, 255, 255),
        (0, 0, 0),
        (200, 30, 40),
    }


@pytest.mark.parametrize("name", ["PNG", "AVIF"])
def test_exif_turns_the_picture_and_both_forms_are_hashed(name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = _file(IMAGE, name, exif=exif.tobytes())
    media_type = sniff(data[:SNIFF_BYTES])
    opened = decode_pillow.decode(data, media_type=media_type, limits=Limits())
    (frame,) = opened.forms
    assert (opened.width_px, opened.height_px) == (120, 160)
    size = decode_pillow.header(data, media_type=media_type, limits=Limits())
    assert size == (120, 160)
    assert [form.shape[:2] for form in frame.hashed] == [(160, 120), (120, 160)]
    assert _resembles(frame, IMAGE.transpose(Image.Transpose.ROTATE_270))


def test_a_webp_is_shown_as_it_is_stored_like_in_a_browser() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (frame,) = _frames(_file(IMAGE, "WEBP", exif=exif.tobytes()))
    assert frame.displayed.shape == PHOTO.shape


def test_a_turned_tiff_is_displayed_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = _file(IMAGE, "TIFF", exif=exif)
    opened = decode_pillow.decode(data, media_type=MediaType.TIFF, limits=Limits())
    (frame,) = opened.forms
    assert (opened.width_px, opened.height_px) == (120, 160)
    assert frame.displayed.shape == (160, 120, 3)


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_every_frame_of_a_short_film_is_judged(name: str) -> None:
    frames = _frames(_film(name, FILM))
    assert len(frames) == len(FILM)
    assert all(_resembles(frame, image) for frame, image in zip(frames, FILM, strict=True))


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_of_a_long_film_the_last_frame_is_judged(name: str) -> None:
    frames = _frames(_film(name, [*FILM[:4] * 6, FILM[4]]), Limits(sampled_frames=4))
    assert len(frames) == 4
    assert _resembles(frames[0], FILM[0])
    assert _resembles(frames[-1], FILM[4])


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_frames_at_the_limit_are_taken_and_one_more_is_not(name: str) -> None:
    data = _film(name, FILM)
    assert len(_frames(data, Limits(frames=5))) == 5
    assert _refusal(data, Limits(frames=4)) is Unscannable.TOO_LARGE


def test_all_sizes_of_an_icon_are_judged() -> None:
    data = _file(IMAGE, "ICO", sizes=[(16, 12), (32, 24), (96, 72)])
    opened = decode_pillow.decode(data, media_type=MediaType.ICO, limits=Limits())
    assert (opened.width_px, opened.height_px) == (96, 72)
    assert [form.displayed.shape[:2] for form in opened.forms] == [(72, 96), (24, 32), (12, 16)]


def test_a_gif_of_a_hundred_thousand_frames_is_refused() -> None:
    one = _file(Image.new("P", (4, 4)), "GIF")
    begin = one.index(b",") if b"!\xf9" not in one else one.index(b"!\xf9")
    assert _refusal(one[:begin] + one[begin:-1] * 100_000 + b";") is Unscannable.TOO_LARGE


def test_a_png_that_counts_too_few_frames_is_judged_and_reported() -> None:
    data = _film("PNG", FILM)
    at = data.index(b"acTL")
    lying = data[: at - 4] + _chunk(b"acTL", struct.pack(">II", 2, 0)) + data[at + 16 :]
    assert _refusal(lying) is Unscannable.CORRUPT


def _chunk(name: bytes, body: bytes) -> bytes:
    return (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    )


def _png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def _bomb(width_px: int, height_px: int) -> bytes:
    size = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return _png(_chunk(b"IHDR", size), _chunk(b"IDAT", zlib.compress(bytes(1000))))


def test_a_png_bomb_is_refused_by_its_header() -> None:
    assert _refusal(_bomb(50_000, 50_000)) is Unscannable.TOO_LARGE


def test_a_png_at_the_pixel_limit_is_opened_and_one_more_is_not() -> None:
    at_limit = _bomb(100, 50)
    size = decode_pillow.header(at_limit, media_type=MediaType.PNG, limits=Limits(pixels=5000))
    assert size == (100, 50)
    assert _refusal(at_limit, Limits(pixels=4999)) is Unscannable.TOO_LARGE


@pytest.mark.parametrize("name", ["PNG", "BMP", "GIF", "WEBP", "AVIF", "TIFF", "JPEG2000"])
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_truncated_picture_is_corrupt(name: str, share: float) -> None:
    data = _file(IMAGE, name)
    assert _refusal(data[: int(len(data) * share)]) is Unscannable.CORRUPT


@pytest.mark.parametrize("name", ["PNG", "BMP", "GIF", "WEBP", "AVIF", "TIFF"])
def test_junk_behind_a_picture_is_passed_over(name: str) -> None:
    (frame,) = _frames(_file(IMAGE, name) + b"PK\x03\x04" + bytes(60))
    assert _resembles(frame, IMAGE)


@pytest.mark.parametrize(("name", "cut"), [("PNG", 12), ("GIF", 1)])
def test_a_missing_end_mark_is_passed_over(name: str, cut: int) -> None:
    (frame,) = _frames(_file(IMAGE, name)[:-cut])
    assert _resembles(frame, IMAGE)


def test_frames_before_the_break_are_judged() -> None:
    data = _film("GIF", FILM)
    opened = decode_pillow.decode(data[:-2000], media_type=MediaType.GIF, limits=Limits())
    assert _resembles(next(opened.forms), FILM[0])
    with pytest.raises(Undecodable):
        list(opened.forms)


@pytest.mark.parametrize("track", [b"vide", b"soun"])
def test_a_film_that_poses_as_a_picture_is_no_picture(track: bytes) -> None:
    data = _file(IMAGE, "AVIF")
    film = data + b"\x00\x00\x00\x20moov\x00\x00\x00\x18hdlr" + bytes(8) + track
    assert _refusal(film) is Unscannable.UNKNOWN_TYPE


def test_of_two_descriptions_each_is_believed() -> None:
    data = _file(IMAGE, "PNG")
    first, second = (_chunk(b"eXIf", block(value)) for value in (6, 3))
    at = len(b"\x89PNG\r\n\x1a\n") + 25
    (frame,) = _frames(data[:at] + first + second + data[at:])
    forms = [form.tobytes() for form in frame.hashed]
    for turn in (Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180):
        assert IMAGE.transpose(turn).tobytes() in forms


def test_a_gamma_that_makes_another_picture_is_applied() -> None:
    data = _file(IMAGE, "PNG")
    at = len(b"\x89PNG\r\n\x1a\n") + 25
    gamma = _chunk(b"gAMA", struct.pack(">I", 500_000))
    (frame,) = _frames(data[:at] + gamma + data[at:])
    assert frame.displayed.mean() > PHOTO.mean() + 30
    assert np.array_equal(frame.hashed[1], PHOTO)
    (frame,) = _frames(data[:at] + gamma + _chunk(b"sRGB", b"\0") + data[at:])
    assert np.array_equal(frame.displayed, PHOTO)


def test_a_profile_inside_a_bitmap_is_applied() -> None:
    plain = _file(IMAGE, "BMP")
    head = struct.pack("<I", 124) + plain[18:54] + bytes(16) + b"DEBM" + bytes(48)
    rest = struct.pack("<4I", 4, 124 + len(plain) - 54, len(SWAPPED), 0) + plain[54:]
    begin = plain[:10] + struct.pack("<I", 14 + 124)
    (frame,) = _frames(begin + head + rest + SWAPPED)
    assert np.abs(frame.displayed.astype(int) - PHOTO[..., ::-1]).mean() < 10
    assert np.array_equal(frame.hashed[1], PHOTO)


def test_every_picture_of_a_cursor_is_judged() -> None:
    data = bytearray(_file(IMAGE, "ICO", sizes=[(16, 12), (96, 72)], bitmap_format="bmp"))
    data[2] = 2
    data[10:14] = b"\x20\0\x20\0"  # a hot spot must not pass for a colour depth
    assert [frame.displayed.shape[:2] for frame in _frames(bytes(data))] == [(72, 96), (12, 16)]


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = SRGB.replace(b"rXYZ", b"bxyz").replace(b"bXYZ", b"rXYZ").replace(b"bxyz", b"bXYZ")
"""A profile that shows red as blue and blue as red."""


@pytest.mark.parametrize("name", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_a_profile_that_swaps_colours_is_applied_and_the_stored_form_hashed_too(
    name: str,
) -> None:
    (frame,) = _frames(_file(IMAGE, name, icc_profile=SWAPPED))
    (plain,) = _frames(_file(IMAGE, name))
    assert np.abs(frame.displayed.astype(int) - PHOTO[..., ::-1]).mean() < 10
    assert np.array_equal(frame.hashed[1], plain.displayed)


def test_a_swapped_profile_counts_under_alpha_and_orientation_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = IMAGE.convert("RGBA")
    image.putalpha(128)
    (frame,) = _frames(_file(image, "PNG", icc_profile=SWAPPED, exif=exif.tobytes()))
    assert frame.displayed.shape == (160, 120, 3)
    assert len(frame.hashed) == 5


@pytest.mark.parametrize("profile", [SRGB, b"no profile at all", SRGB[:200], bytes(300)])
def test_an_ordinary_or_broken_profile_changes_nothing(profile: bytes) -> None:
    (frame,) = _frames(_file(IMAGE, "PNG", icc_profile=profile))
    assert len(frame.hashed) == 1
    assert np.array_equal(frame.displayed, PHOTO)


def test_an_animated_picture_without_colours_in_the_first_frame_is_decoded() -> None:
    faint = [Image.new("RGBA", (30, 20), (9, 9, 9, 0)), Image.new("RGBA", (30, 20), "red")]
    frames = _frames(_film("GIF", faint))
    assert frames[-1].displayed[10, 10].tolist() == [255, 0, 0]
