"""Frames of every stream, as stored and as displayed, from whole and from broken files."""

import io
import struct
from collections.abc import Iterator

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from protech.salus.decode_video import MAX_TRACKS, Picture, decode, preload
from protech.salus.frames import Undecodable, turned
from protech.salus.pdq import pdq
from protech.salus.sampling import Sampling
from protech.salus.seekable import InMemory, Raw
from protech.salus.sniff import MediaType, sniff
from protech.salus.video_format import DEMUXERS
from protech.types import Kind, Limits, PdqHash, Unscannable
from tests import make_data
from tests import make_video as films
from tests.make_data import make_photo
from tests.make_video import KINDS, encode, make_video, scenes


def pictures(
    video: bytes,
    sampling: Sampling = Sampling.PER_SECOND,
    *,
    limits: Limits | None = None,
    media_type: MediaType | None = None,
) -> Iterator[Picture]:
    raw = Raw(InMemory(video), is_late=lambda: False)
    media_type = media_type or sniff(video[:4096])
    return decode(raw, media_type=media_type, sampling=sampling, limits=limits or Limits())


def all_of(
    video: bytes, sampling: Sampling = Sampling.PER_SECOND, *, limits: Limits | None = None
) -> tuple[list[Picture], Unscannable | None]:
    return gathered(pictures(video, sampling, limits=limits))


def gathered(given: Iterator[Picture]) -> tuple[list[Picture], Unscannable | None]:
    found: list[Picture] = []
    try:
        found.extend(given)
    except Undecodable as broken:
        return found, broken.reason
    return found, None


def bits(one: PdqHash, other: PdqHash) -> int:
    return (int.from_bytes(one.bits) ^ int.from_bytes(other.bits)).bit_count()


def test_preloading_may_be_repeated() -> None:
    preload()
    preload()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_video_gives_the_frames_that_were_filmed(kind: str) -> None:
    video = make_video(kind)
    assert sniff(video[:4096]).kind is Kind.VIDEO
    found, broken = all_of(video)
    assert broken is None
    assert len(found) == 4
    filmed = list(scenes((1, 2, 3), frames=100, width=320, height=240))
    for number, picture in enumerate(found):
        assert picture.size == (320, 240)
        (hashed,) = picture.hashes()
        assert bits(hashed, pdq(filmed[25 * number])) <= 24  # it was encoded with losses
        assert picture.displayed().shape == (240, 320, 3)
    assert len(all_of(video, Sampling.EVERY_FRAME)[0]) == 100
    keys = len(all_of(video, Sampling.KEYFRAMES)[0])
    assert 1 <= keys <= 8


def test_luma_of_every_layout_gives_the_hash_of_the_rgb_frame() -> None:
    for kind in KINDS:
        for picture in pictures(make_video(kind)):
            (hashed,) = picture.hashes()
            whole = pdq(picture.displayed())
            assert bits(hashed, whole) <= 12
            assert abs(hashed.quality - whole.quality) <= 3


@pytest.mark.parametrize(
    ("matrix", "orientation"),
    [
        ((1, 0, 0, 1), 1),
        ((-1, 0, 0, 1), 2),
        ((-1, 0, 0, -1), 3),
        ((1, 0, 0, -1), 4),
        ((0, 1, 1, 0), 5),
        ((0, 1, -1, 0), 6),
        ((0, -1, -1, 0), 7),
        ((0, -1, 1, 0), 8),
    ],
)
def test_a_turned_video_is_hashed_as_stored_and_as_displayed(
    matrix: tuple[int, int, int, int], orientation: int
) -> None:
    video = make_video("h264.mp4")
    plain = next(pictures(video))
    picture = next(pictures(films.turned(video, *matrix)))
    assert picture.orientation == orientation
    assert picture.size == ((240, 320) if orientation >= 5 else (320, 240))
    displayed = turned(plain.displayed(), orientation)
    np.testing.assert_array_equal(picture.displayed(), displayed)
    stored, *shown = picture.hashes()
    assert stored == plain.hashes()[0]
    assert len(shown) == (orientation != 1)
    assert all(bits(one, pdq(displayed)) <= 8 for one in shown)


def test_a_large_frame_is_shown_smaller() -> None:
    video = encode(scenes((1,), frames=2, width=1280, height=1024), "mpeg4.avi")
    picture = next(pictures(video))
    assert picture.size == (1280, 1024)
    assert picture.displayed().shape == (512, 640, 3)


def test_a_variable_rate_is_followed_by_its_timestamps() -> None:
    times_s = [*(number / 25 for number in range(50)), *(2.0 + number for number in range(20))]
    video = encode(scenes((1, 2), frames=70, width=64, height=64), "h265.mkv", times_s=times_s)
    found, broken = all_of(video)
    assert broken is None
    assert len(found) >= 12


def test_a_video_of_one_frame_is_a_video() -> None:
    video = encode(scenes((1,), frames=1, width=64, height=64))
    for sampling in Sampling:
        assert len(all_of(video, sampling)[0]) == 1


@pytest.mark.parametrize("kind", ["h264.mp4", "vp9.webm", "mpeg4.avi", "h264.ts"])
def test_the_frames_before_and_behind_a_break_still_count(kind: str) -> None:
    video = bytearray(make_video(kind))
    whole, _ = all_of(bytes(video), Sampling.EVERY_FRAME)
    middle = len(video) // 2
    video[middle : middle + 2000] = np.random.default_rng(1).bytes(2000)
    found, _ = all_of(bytes(video), Sampling.EVERY_FRAME)
    assert len(found) >= len(whole) // 3
    assert found[0].hashes() == whole[0].hashes()


def test_what_can_not_be_opened_is_corrupt() -> None:
    video = make_video("h264.mp4")
    for broken in (video[:20], video.replace(b"moov", b"xoov"), video[:32] + bytes(500)):
        assert all_of(broken) == ([], Unscannable.CORRUPT)


def test_a_video_without_a_frame_that_can_be_had_is_corrupt() -> None:
    video = make_video("h264.mp4")
    at = video.index(b"stco") + 8
    assert all_of(video[:at] + b"\xff" * 8 + video[at + 8 :]) == ([], Unscannable.CORRUPT)


def test_sound_alone_is_nothing_to_judge() -> None:
    packed = io.BytesIO()
    with av.open(packed, "w", format="mp4") as container:
        films.add_silence(container)
    assert all_of(packed.getvalue()) == ([], None)


def test_sound_beside_it_changes_nothing() -> None:
    with_sound = make_video("h264.mp4", has_sound=True)
    hashes = [picture.hashes() for picture in pictures(with_sound)]
    assert hashes == [picture.hashes() for picture in pictures(make_video("h264.mp4"))]


def test_a_codec_that_nothing_here_decodes_is_unknown() -> None:
    packed = io.BytesIO()
    with av.open(packed, "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width = stream.height = 64
        container.mux(stream.encode(VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    assert all_of(packed.getvalue()) == ([], Unscannable.UNKNOWN_TYPE)


def test_streams_of_which_nothing_is_known_are_unknown() -> None:
    video = make_video("h264.mp4")
    assert all_of(video.replace(b"avc1", b"xxx1")) == ([], Unscannable.UNKNOWN_TYPE)


def test_every_stream_is_judged_up_to_a_limit() -> None:
    frames = scenes((1,), frames=2, width=64, height=64)
    found, broken = all_of(encode(frames, "mjpeg.avi", extra_tracks=MAX_TRACKS - 1))
    assert {picture.track for picture in found} == set(range(MAX_TRACKS))
    assert broken is None
    frames = scenes((1,), frames=2, width=64, height=64)
    found, broken = all_of(encode(frames, "mjpeg.avi", extra_tracks=MAX_TRACKS))
    assert {picture.track for picture in found} == set(range(MAX_TRACKS))
    assert broken is Unscannable.TOO_LARGE


def test_a_cover_is_judged_after_the_film() -> None:
    packed = io.BytesIO()
    photo = make_photo(7, 128, 96)
    with av.open(packed, "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        jpeg = make_data.encode(photo, "JPEG", quality=95)
        container.add_attachment("cover.jpg", "image/jpeg", jpeg)
        for frame in scenes((1,), frames=50, width=64, height=48):
            container.mux(stream.encode(VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    found, broken = all_of(packed.getvalue())
    assert broken is None
    assert [picture.track for picture in found if picture.size == (64, 48)] == [0, 0]
    (cover,) = (picture for picture in found if picture.track == 1)
    assert bits(cover.hashes()[0], pdq(photo)) <= 12


def test_a_frame_may_have_as_many_pixels_as_the_limit_and_not_one_more() -> None:
    video = make_video("h264.mp4")
    assert all_of(video, limits=Limits(pixels=320 * 240))[1] is None
    found, broken = all_of(video, limits=Limits(pixels=320 * 240 - 1))
    assert found == []
    assert broken is Unscannable.TOO_LARGE


def test_a_size_that_changes_half_way_is_followed() -> None:
    small = encode(scenes((1,), frames=50, width=64, height=64), "mpeg2.ts")
    large = encode(scenes((2,), frames=50, width=128, height=96), "mpeg2.ts")
    sizes = {picture.size for picture in pictures(small + large, Sampling.EVERY_FRAME)}
    assert sizes == {(64, 64), (128, 96)}


def test_a_declared_duration_is_not_believed() -> None:
    video = bytearray(make_video("h264.mp4"))
    for box in (b"mvhd", b"mdhd"):
        at = video.index(box) + 4
        struct.pack_into(">I", video, at + 16, 2**32 - 2)
    found, _ = all_of(bytes(video))
    assert len(found) >= 1


def test_a_bare_stream_without_a_container_is_taken_for_what_it_is() -> None:
    packed = io.BytesIO()
    with av.open(packed, "w", format="mpeg2video") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width = stream.height = 64
        for frame in scenes((1,), frames=26, width=64, height=64):
            container.mux(stream.encode(VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    video = packed.getvalue()
    assert sniff(video) is MediaType.MPEG
    assert len(all_of(video)[0]) == 2


def test_a_playlist_or_another_container_is_not_followed() -> None:
    hls = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n"
    concat = b"ffconcat version 1.0\nfile /etc/hostname\n"
    for text in (hls, concat):
        for media_type in DEMUXERS:
            with pytest.raises(Undecodable):
                list(pictures(text, media_type=media_type))


def test_a_late_demuxer_stops_with_what_it_has() -> None:
    turns = iter(range(10**6))
    video = make_video("h264.mp4")
    raw = Raw(InMemory(video), is_late=lambda: next(turns) > 30)
    given = decode(
        raw, media_type=MediaType.MP4, sampling=Sampling.EVERY_FRAME, limits=Limits()
    )
    found, broken = gathered(given)
    assert broken is Unscannable.TIMED_OUT
    assert 0 < len(found) < 100
