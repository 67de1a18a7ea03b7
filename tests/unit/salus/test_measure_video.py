"""What is said of a video: all frames hashed, a few scored, and what there was on a break."""

from collections.abc import Callable

import numpy as np
import pytest

from protech.salus.frames import Pixels, Undecodable
from protech.salus.measure_video import measure_video
from protech.salus.sampling import Sampling
from protech.salus.seekable import InMemory, Seekable
from protech.salus.sniff import MediaType, sniff
from protech.types import Limits, Measured, Scores, Unscannable
from tests.make_video import encode, make_video, scenes, turned

EVERY = Sampling.EVERY_FRAME


def measured(
    video: bytes,
    sampling: Sampling = Sampling.PER_SECOND,
    *,
    limits: Limits | None = None,
    scorer: Callable[[Pixels], Scores] | None = None,
    clock: Callable[[], float] = lambda: 0.0,
    source: Seekable | None = None,
) -> Measured:
    return measure_video(
        source or InMemory(video),
        media_type=sniff(video[:4096]),
        sampling=sampling,
        limits=limits or Limits(),
        scorer=scorer,
        clock=clock,
    )


def bright(pixels: Pixels) -> Scores:
    return Scores(explicit=float(pixels.mean()) / 255)


def test_a_video_gives_size_and_hashes_and_no_scores_without_models() -> None:
    found = measured(make_video())
    assert (found.width_px, found.height_px, found.unscannable) == (320, 240, None)
    assert len(found.frames) == 4
    assert all(len(frame.hashes) == 1 and frame.scores is None for frame in found.frames)


def test_the_size_is_as_displayed() -> None:
    found = measured(turned(make_video(), 0, 1, -1, 0))
    assert (found.width_px, found.height_px) == (240, 320)
    assert all(len(frame.hashes) == 2 for frame in found.frames)


@pytest.mark.parametrize("most", [2, 3, 16])
def test_some_frames_are_scored_evenly_the_first_and_the_last_among_them(most: int) -> None:
    seen: list[Pixels] = []

    def scorer(pixels: Pixels) -> Scores:
        seen.append(pixels)
        return bright(pixels)

    found = measured(make_video(), EVERY, limits=Limits(scored_frames=most), scorer=scorer)
    scored = [place for place, frame in enumerate(found.frames) if frame.scores]
    assert len(seen) == len(scored) == most
    assert (scored[0], scored[-1]) == (0, 99)
    gaps = np.diff(scored)
    assert gaps.max() <= 100 // (most - 1) * 2


def test_scores_are_of_the_frames_that_they_stand_at() -> None:
    alone = {
        place: measured(
            encode(iter([picture]), "h264_rgb.mp4", options={"qp": "0"}), scorer=bright
        )
        for place, picture in enumerate(scenes((1, 5), frames=6, width=96, height=64))
    }
    video = encode(
        scenes((1, 5), frames=6, width=96, height=64), "h264_rgb.mp4", options={"qp": "0"}
    )
    for place, frame in enumerate(measured(video, EVERY, scorer=bright).frames):
        assert frame == alone[place].frames[0]


def test_the_deadline_leaves_what_was_hashed_until_then() -> None:
    ticks = iter(range(10**6))
    found = measured(
        make_video(), EVERY, limits=Limits(video_seconds=60), clock=lambda: next(ticks)
    )
    assert found.unscannable is Unscannable.TIMED_OUT
    assert 0 < len(found.frames) < 100


def test_scoring_stops_at_the_deadline_too() -> None:
    now = 0.0

    def slow(pixels: Pixels) -> Scores:
        nonlocal now
        now += 20
        return bright(pixels)

    found = measured(
        make_video(), EVERY, limits=Limits(video_seconds=60), scorer=slow, clock=lambda: now
    )
    assert found.unscannable is Unscannable.TIMED_OUT
    assert len(found.frames) == 100
    assert sum(frame.scores is not None for frame in found.frames) == 3


def test_a_video_may_have_as_many_frames_as_the_limit_and_not_one_more() -> None:
    assert measured(make_video(), limits=Limits(video_frames=4)).unscannable is None
    found = measured(make_video(), limits=Limits(video_frames=3))
    assert found.unscannable is Unscannable.TOO_LARGE
    assert len(found.frames) == 3


def test_a_video_may_be_as_large_as_the_limit_and_not_a_byte_larger() -> None:
    video = make_video()
    assert measured(video, limits=Limits(video_bytes=len(video))).unscannable is None
    found = measured(video, limits=Limits(video_bytes=len(video) - 1))
    assert found == Measured(unscannable=Unscannable.TOO_LARGE)


@pytest.mark.parametrize("kind", ["h264.ts", "vp9.webm", "mpeg4.avi", "h265.mkv"])
def test_a_tail_that_is_missing_leaves_the_frames_before_it(kind: str) -> None:
    video = make_video(kind)
    whole, half = measured(video, EVERY), measured(video[: len(video) // 2 + 1], EVERY)
    assert whole.unscannable is None
    assert half.unscannable is Unscannable.CORRUPT
    assert 0 < len(half.frames) < len(whole.frames)
    assert half.frames[:20] == whole.frames[:20]


def test_a_tail_of_a_film_whose_index_comes_first_leaves_the_frames_before_it() -> None:
    pictures = scenes((1, 2), frames=100, width=128, height=96)
    video = encode(pictures, "h264.mp4", container_options={"moov_size": "4000"})
    half = measured(video[:-3000], EVERY)
    assert half.unscannable is Unscannable.CORRUPT
    assert 0 < len(half.frames) < 100


def test_a_mere_head_is_corrupt_and_has_no_size() -> None:
    found = measured(make_video()[:100])
    assert found == Measured(unscannable=Unscannable.CORRUPT)


def test_streams_are_told_apart_and_come_one_after_the_other() -> None:
    pictures = scenes((1,), frames=50, width=64, height=64)
    found = measured(encode(pictures, "mpeg4.avi", extra_tracks=1), scorer=bright)
    assert [frame.track for frame in found.frames] == [0, 0, 1, 1]
    assert found.frames[0].hashes == found.frames[2].hashes
    assert all(frame.scores for frame in found.frames)


def test_a_file_that_changes_while_it_is_read_is_told() -> None:
    class Changing(InMemory):
        def at(self, offset: int, count: int) -> bytes:
            if offset + count > self.size_bytes:
                raise Undecodable(Unscannable.CHANGED)
            return super().at(offset, count)

    video = make_video("vp9.webm")
    found = measured(video, EVERY, source=Changing(video))
    assert found.unscannable is Unscannable.CHANGED


def test_a_video_that_takes_too_much_memory_is_too_large() -> None:
    class Swelling(InMemory):
        def at(self, offset: int, count: int) -> bytes:
            if offset + count > self.size_bytes:
                raise MemoryError
            return super().at(offset, count)

    for kind in ("h264.mp4", "vp9.webm"):
        found = measured(make_video(kind), EVERY, source=Swelling(make_video(kind)))
        assert found.unscannable is Unscannable.TOO_LARGE


def test_bytes_that_are_no_video_are_a_result() -> None:
    for media_type in (MediaType.MP4, MediaType.MKV, MediaType.ASF):
        found = measure_video(
            InMemory(bytes(1000)),
            media_type=media_type,
            sampling=EVERY,
            limits=Limits(),
        )
        assert found == Measured(unscannable=Unscannable.CORRUPT)
