"""Facts about FFmpeg's names, held against FFmpeg itself."""

import struct

import av
import pytest

from protech.salus.sniff import MediaType
from protech.salus.video_format import (
    CODECS,
    DEMUXERS,
    OPTIONS,
    demuxer,
    has_luma_plane,
    luma_gain,
    orientation,
)
from protech.types import Kind


def test_every_video_that_is_told_has_a_demuxer_that_ffmpeg_has() -> None:
    assert set(DEMUXERS) == {one for one in MediaType if one.kind is Kind.VIDEO}
    for name in {*DEMUXERS.values(), demuxer(MediaType.MPEG, b"\x00\x00\x01\xb3")}:
        assert av.format.ContainerFormat(name, "r").is_input
        assert name in OPTIONS["format_whitelist"].split(",")


def test_the_codecs_are_those_of_the_decoders_that_may_run() -> None:
    decoders = OPTIONS["codec_whitelist"].split(",")
    assert {av.codec.Codec(name, "r").canonical_name for name in decoders} == CODECS
    assert {av.codec.Codec(name, "r").type for name in decoders} == {"video"}


@pytest.mark.parametrize(
    ("layout", "is_luma_first"),
    [
        ("yuv420p", True),
        ("yuvj422p", True),
        ("yuva444p", True),
        ("yuv420p10le", True),
        ("nv12", True),
        ("gray", True),
        ("gray12le", True),
        ("yuv420p10be", False),
        ("yuyv422", False),
        ("gbrp", False),
        ("p010le", False),
        ("rgb24", False),
        ("pal8", False),
    ],
)
def test_only_where_luma_comes_first_is_it_taken(layout: str, is_luma_first: bool) -> None:
    assert has_luma_plane(layout) is is_luma_first


def test_steps_are_those_of_eight_bits_from_black_to_white() -> None:
    assert luma_gain("yuvj420p", 8) == luma_gain("gray", 8) == 1
    assert luma_gain("gray10le", 10) == 255 / 1023
    assert luma_gain("yuv420p", 8) * 219 == 255
    assert luma_gain("yuv420p12le", 12) * 219 * 16 == 255


def test_a_matrix_that_is_not_square_to_the_picture_is_the_nearest_that_is() -> None:
    slightly = struct.pack("=9i", 60000, 3000, 0, -3000, 60000, 0, 0, 0, 1 << 30)
    assert orientation(slightly) == 1
