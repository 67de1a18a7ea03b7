"""A file that was cut is told from one that is whole, whatever its container."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.salus.container import MAX_PARTS, is_cut
from protech.salus.seekable import InMemory
from protech.salus.sniff import MediaType, sniff
from tests.make_video import encode, make_video, scenes

WHOLE = ["h264.mp4", "h264_full_range.mov", "h265.mkv", "vp9.webm", "mpeg4.avi", "h264.ts"]
CONTAINERS = [
    MediaType.MP4,
    MediaType.MOV,
    MediaType.MKV,
    MediaType.WEBM,
    MediaType.AVI,
    MediaType.MPEG_TS,
    MediaType.FLV,
]


def cut(video: bytes) -> bool:
    return is_cut(InMemory(video), sniff(video[:4096]))


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_file_is_whole_and_a_shorter_one_is_cut(kind: str) -> None:
    video = make_video(kind)
    assert not cut(video)
    for share in (0.5, 0.9, 0.99):
        size_bytes = int(len(video) * share)
        assert cut(video[: size_bytes - (size_bytes % 188 == 0)])
    assert cut(video[:-1])


@pytest.mark.parametrize("kind", ["h264.mp4", "h265.mkv"])
def test_a_live_recording_has_no_length_to_fall_short_of(kind: str) -> None:
    live = {"h264.mp4": {"movflags": "frag_keyframe+empty_moov"}, "h265.mkv": {"live": "1"}}
    pictures = scenes((1,), frames=50, width=64, height=64)
    video = encode(pictures, kind, container_options=live[kind])
    assert not cut(video)


def test_a_long_box_and_one_to_the_end_of_the_file() -> None:
    long = (1).to_bytes(4) + b"mdat" + (32).to_bytes(8) + bytes(16)
    assert not is_cut(InMemory(long), MediaType.MP4)
    assert is_cut(InMemory(long[:-1]), MediaType.MP4)
    assert not is_cut(InMemory((0).to_bytes(4) + b"mdat" + bytes(9)), MediaType.MP4)


def test_what_a_phone_appends_is_no_box_that_is_cut() -> None:
    assert not cut(make_video("h264.mp4") + b"\x7f\x00\x00\x00SEFT" + bytes(40))


def test_packets_with_a_time_before_them_are_longer() -> None:
    video = make_video("h264.ts")
    timed = b"".join(bytes(4) + video[at : at + 188] for at in range(0, len(video), 188))
    assert sniff(timed[:4096]) is MediaType.MPEG_TS
    assert not cut(timed)
    assert cut(timed[:-1])


def test_boxes_without_end_are_not_counted_for_ever() -> None:
    boxes = ((8).to_bytes(4) + b"free") * (MAX_PARTS + 5) + (99).to_bytes(4) + b"mdat"
    assert not is_cut(InMemory(boxes), MediaType.MP4)


@given(st.binary(max_size=200), st.sampled_from(CONTAINERS))
def test_any_bytes_are_cut_or_not(data: bytes, media_type: MediaType) -> None:
    assert is_cut(InMemory(data), media_type) in (True, False)
