import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from protech.salus.sniff import SNIFF_BYTES, MediaType, sniff
from protech.types import Kind
from tests.make_data import encode, make_photo


def _ftyp(major: bytes, *compatible: bytes) -> bytes:
    body = major + bytes(4) + b"".join(compatible)
    return (8 + len(body)).to_bytes(4) + b"ftyp" + body + b"\x00\x00\x00\x10meta" + bytes(8)


HEADS = {
    MediaType.JPEG: [b"\xff\xd8\xff\xe0\x00\x10JFIF", b"\xff\xd8\xff\xdb"],
    MediaType.PNG: [b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"],
    MediaType.GIF: [b"GIF87a\x01\x00", b"GIF89a\x01\x00"],
    MediaType.WEBP: [b"RIFF\x24\x00\x00\x00WEBPVP8 ", b"RIFF\x24\x00\x00\x00WEBPVP8X"],
    MediaType.AVIF: [
        _ftyp(b"avif", b"mif1", b"miaf"),
        _ftyp(b"avis", b"msf1"),
        _ftyp(b"mif1", b"heic", b"avif"),
        _ftyp(b"isom", b"mp42", b"avif"),
        _ftyp(b"mif1", *[b"abcd"] * 30, b"avif"),
        (1).to_bytes(4) + b"ftyp" + (32).to_bytes(8) + b"mif1" + bytes(4) + b"miafavif",
        (0).to_bytes(4) + b"ftypmif1" + bytes(4) + b"avif",
    ],
    MediaType.HEIC: [_ftyp(b"heic", b"mif1"), _ftyp(b"mif1", b"heic"), _ftyp(b"hevc")],
    MediaType.TIFF: [b"II*\x00\x08\x00", b"MM\x00*\x00\x00", b"II+\x00\x08\x00"],
    MediaType.BMP: [
        b"BM" + bytes(12) + size.to_bytes(4, "little") for size in (12, 40, 42, 124)
    ],
    MediaType.ICO: [b"\x00\x00\x01\x00\x01\x00", b"\x00\x00\x02\x00\x05\x00"],
    MediaType.JPEG_2000: [b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"],
    MediaType.JXL: [b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n"],
    MediaType.PSD: [b"8BPS\x00\x01"],
    MediaType.MP4: [_ftyp(b"isom", b"mp42"), _ftyp(b"M4V ")],
    MediaType.MOV: [_ftyp(b"qt  "), b"\x00\x00\x10\x00moov", b"\x00\x00\x00\x08wide"],
    MediaType.WEBM: [b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm"],
    MediaType.MKV: [b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska"],
    MediaType.AVI: [b"RIFF\x24\x00\x00\x00AVI LIST"],
    MediaType.MPEG: [b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3"],
    MediaType.MPEG_TS: [(b"G" + bytes(187)) * 2, (bytes(4) + b"G" + bytes(187)) * 3],
    MediaType.FLV: [b"FLV\x01\x05"],
    MediaType.ASF: [b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"],
    MediaType.OGG_VIDEO: [b"OggS" + bytes(25) + b"\x80theora"],
    MediaType.ZIP: [b"PK\x03\x04", b"PK\x05\x06"],
    MediaType.GZIP: [b"\x1f\x8b\x08"],
    MediaType.BZIP2: [b"BZh9"],
    MediaType.XZ: [b"\xfd7zXZ\x00"],
    MediaType.ZSTD: [b"\x28\xb5\x2f\xfd"],
    MediaType.SEVEN_ZIP: [b"7z\xbc\xaf\x27\x1c"],
    MediaType.RAR: [b"Rar!\x1a\x07\x00"],
    MediaType.TAR: [bytes(257) + b"ustar\x00"],
    MediaType.PDF: [b"%PDF-1.7"],
    MediaType.SVG: [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xef\xbb\xbf\n <svg>",
        b"<?xml version='1.0'?><!-- a drawing --><svg:svg xmlns:svg='x'>",
        b"<!DOCTYPE svg PUBLIC 'x' 'y'><svg>",
        "\ufeff<svg></svg>".encode("utf-16-le"),
        "\ufeff<svg></svg>".encode("utf-16-be"),
    ],
    MediaType.HTML: [b"  <!DOCTYPE html><svg></svg>", b"<html>", b"<!-- x --><p>"],
    MediaType.OTHER: [
        b"",
        b"plain text",
        b"BM is how this text begins, and it is no picture",
        b"BM",
        b"\x00\x00\x01\x00\x00\x00",
        b"OggS" + bytes(25) + b"\x01vorbis",
        b"RIFF\x24\x00\x00\x00WAVE",
        b'{"ftyp": 1}',
        b"GIF88a",
        b"\xff\xd8",
        b"<?xml version='1.0'?><feed/>",
    ],
}

CASES = [(media_type, head) for media_type, heads in HEADS.items() for head in heads]


@pytest.mark.parametrize(("media_type", "head"), CASES)
def test_the_first_bytes_tell_the_type(media_type: MediaType, head: bytes) -> None:
    assert sniff(head) is media_type


def test_every_type_is_told_by_some_bytes() -> None:
    assert set(HEADS) == set(MediaType)


def test_the_kinds_are_those_the_engine_acts_on() -> None:
    kinds = {media_type: media_type.kind for media_type in MediaType}
    assert kinds[MediaType.SVG] is Kind.DOCUMENT
    assert kinds[MediaType.OTHER] is Kind.OTHER
    assert [t for t, kind in kinds.items() if kind is Kind.OTHER] == [MediaType.OTHER]
    assert kinds[MediaType.WEBM] is kinds[MediaType.MPEG_TS] is Kind.VIDEO
    assert kinds[MediaType.TAR] is Kind.ARCHIVE


@pytest.mark.parametrize(
    "name", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "ICO", "JPEG2000"]
)
def test_what_an_encoder_writes_is_an_image(name: str) -> None:
    assert sniff(encode(make_photo(1, 64, 48), name)[:SNIFF_BYTES]).kind is Kind.IMAGE


def test_an_image_that_is_also_an_archive_is_an_image() -> None:
    both = encode(make_photo(1, 64, 48), "JPEG") + b"PK\x03\x04" + bytes(60) + b"PK\x05\x06"
    assert sniff(both[:SNIFF_BYTES]) is MediaType.JPEG


@pytest.mark.parametrize("depth", [1, 4, 8, 24])
def test_bitmaps_of_every_depth_are_images(depth: int) -> None:
    packed = io.BytesIO()
    mode = {1: "1", 4: "P", 8: "P", 24: "RGB"}[depth]
    Image.new(mode, (9, 9)).save(packed, "BMP")
    assert sniff(packed.getvalue()) is MediaType.BMP


@given(st.binary(max_size=600))
def test_any_bytes_have_a_type(head: bytes) -> None:
    assert sniff(head) in MediaType


@given(st.sampled_from(CASES), st.binary(max_size=64))
def test_what_follows_a_whole_signature_does_not_hide_an_image(
    case: tuple[MediaType, bytes], tail: bytes
) -> None:
    media_type, head = case
    if media_type.kind is Kind.IMAGE and b"ftyp" not in head:
        assert sniff(head + tail) is media_type
