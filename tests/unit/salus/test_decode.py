import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from protech.salus.decode import Undecodable, decode, header, preload
from protech.salus.sniff import SNIFF_BYTES, MediaType, sniff
from protech.types import Kind, Limits, Unscannable
from tests.make_data import encode, make_photo

PHOTO = make_photo(31, 64, 48)
SMALL = Limits(pixels=1_000_000, frames=50)


def _seeds() -> list[bytes]:
    """Return a small picture of every format and an animation where there is one."""
    preload()
    first, second = (Image.fromarray(make_photo(seed, 64, 48)) for seed in (31, 32))
    files = [encode(PHOTO, "ICO", sizes=[(64, 48)])]
    files += [
        encode(PHOTO, name)
        for name in ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "JPEG2000", "HEIF")
    ]
    for name in ("GIF", "PNG", "WEBP", "AVIF", "TIFF"):
        packed = io.BytesIO()
        first.save(packed, name, save_all=True, append_images=[second])
        files.append(packed.getvalue())
    return [*files, encode(PHOTO, "JPEG", progressive=True)]


SEEDS = _seeds()


def _refusal(data: bytes, media_type: MediaType, limits: Limits) -> Unscannable:
    with pytest.raises(Undecodable) as refused:
        list(decode(data, media_type=media_type, limits=limits).forms)
    return refused.value.reason


@pytest.mark.parametrize("data", SEEDS)
def test_every_format_is_decoded_at_the_size_its_header_tells(data: bytes) -> None:
    media_type = sniff(data[:SNIFF_BYTES])
    opened = decode(data, media_type=media_type, limits=Limits())
    assert header(data, media_type=media_type, limits=Limits()) == (64, 48)
    assert (opened.width_px, opened.height_px) == (64, 48)
    for frame in opened.forms:
        assert frame.displayed.dtype == np.uint8
        assert frame.displayed.shape == (48, 64, 3)
        assert frame.hashed[0] is frame.displayed


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF"])
def test_a_view_is_decoded_like_its_bytes(name: str) -> None:
    data = encode(PHOTO, name)
    media_type = sniff(data)
    (one,) = decode(data, media_type=media_type, limits=Limits()).forms
    (other,) = decode(memoryview(data), media_type=media_type, limits=Limits()).forms
    assert np.array_equal(one.displayed, other.displayed)


def test_zero_bytes_are_empty() -> None:
    assert _refusal(b"", MediaType.JPEG, Limits()) is Unscannable.EMPTY


def test_a_file_at_the_size_limit_is_taken_and_one_byte_more_is_not() -> None:
    data = encode(PHOTO, "PNG")
    decode(data, media_type=MediaType.PNG, limits=Limits(size_bytes=len(data)))
    limits = Limits(size_bytes=len(data) - 1)
    assert _refusal(data, MediaType.PNG, limits) is Unscannable.TOO_LARGE


@pytest.mark.parametrize("media_type", [t for t in MediaType if t.kind is not Kind.IMAGE])
def test_what_is_no_image_is_not_decoded(media_type: MediaType) -> None:
    assert _refusal(b"anything", media_type, Limits()) is Unscannable.UNKNOWN_TYPE
    assert header(b"anything", media_type=media_type, limits=Limits()) is None


@pytest.mark.parametrize("media_type", [MediaType.JXL, MediaType.PSD])
def test_images_that_nothing_here_decodes_are_an_unknown_type(media_type: MediaType) -> None:
    assert _refusal(b"anything", media_type, Limits()) is Unscannable.UNKNOWN_TYPE
    assert header(b"anything", media_type=media_type, limits=Limits()) is None


def test_a_wrong_type_is_corrupt() -> None:
    data = encode(PHOTO, "PNG")
    for media_type in (MediaType.JPEG, MediaType.GIF, MediaType.WEBP, MediaType.TIFF):
        assert _refusal(data, media_type, Limits()) is Unscannable.CORRUPT


def test_the_exception_holds_nothing_but_the_reason() -> None:
    assert str(Undecodable(Unscannable.CORRUPT)) == "corrupt"


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """A picture with some bytes changed, a part left out or repeated, or its end cut off."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.integers(0, 4)):
            case 0:
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=4))
            case 1:
                near = min(at, 120)
                data[near : near + 1] = draw(st.sampled_from([b"\x00", b"\x7f", b"\xff"]))
            case 2:
                del data[at : at + draw(st.integers(1, 40))]
            case 3:
                data[at:at] = data[at : at + draw(st.integers(1, 40))]
            case _:
                del data[max(at, 12) :]
    return bytes(data)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_mutated(), st.sampled_from([None, *(t for t in MediaType if t.kind is Kind.IMAGE)]))
def test_hostile_bytes_are_never_anything_but_frames_or_undecodable(
    data: bytes, forced: MediaType | None
) -> None:
    media_type = forced or sniff(data[:SNIFF_BYTES])
    try:
        header(data, media_type=media_type, limits=SMALL)
        for frame in decode(data, media_type=media_type, limits=SMALL).forms:
            assert frame.displayed.ndim == 3
    except Undecodable:
        return


def test_loading_the_codecs_does_not_load_the_models() -> None:
    code = (
        "import sys; from protech.salus.decode import preload; preload();"
        " sys.exit('onnxruntime' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
