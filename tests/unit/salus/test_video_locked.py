"""Videos in real, locked workers: every codec runs there, and no hostile file gets out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from protech.salus.measure import Meter
from protech.salus.pool import Pool
from protech.salus.sampling import Sampling
from protech.salus.seekable import InMemory
from protech.salus.sniff import MediaType, sniff
from protech.types import Frame, Kind, Limits, Measured, Media, Unscannable
from tests.make_video import KINDS, encode, make_video, scenes

LIMITS = Limits(video_seconds=60)
HOSTILE_LIMITS = Limits(video_seconds=10, memory_bytes=1 << 30)
MUTANTS = 300
EXPECTED = {
    None,
    Unscannable.CORRUPT,
    Unscannable.TOO_LARGE,
    Unscannable.TIMED_OUT,
    Unscannable.UNKNOWN_TYPE,
}
"""What a hostile video may come to; CRASHED and CHANGED are none of these."""


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1, limits=LIMITS, models=None, spare=0) as one:
        assert one.is_locked
        yield one


def bits(one: Frame, other: Frame) -> int:
    (ours,), (theirs,) = one.hashes, other.hashes
    return (int.from_bytes(ours.bits) ^ int.from_bytes(theirs.bits)).bit_count()


def in_memory(video: bytes) -> tuple[Media, MediaType]:
    return Media(content=video, size_bytes=len(video)), sniff(video[:4096])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_video_is_measured_in_the_lock_as_outside(pool: Pool, kind: str) -> None:
    video = make_video(kind)
    media, media_type = in_memory(video)
    meter = Meter(limits=LIMITS)
    for sampling in Sampling:
        inside = pool.measure(media, media_type, sampling=sampling)
        outside = meter.video(InMemory(video), media_type=media_type, sampling=sampling)
        assert inside.unscannable is None
        assert len(inside.frames) == len(outside.frames) > 0
        for one, other in zip(inside.frames, outside.frames, strict=True):
            # Sums of another order, in an algebra library with other threads, round otherwise.
            assert bits(one, other) <= 4


def test_a_video_on_disk_is_read_through_its_descriptor(pool: Pool, tmp_path: Path) -> None:
    video = make_video("h264.mp4", has_sound=True)
    path = tmp_path / "film"
    path.write_bytes(video)
    with path.open("rb") as file:
        media = Media(descriptor=file.fileno(), size_bytes=len(video))
        assert pool.measure(media, MediaType.MP4) == pool.measure(*in_memory(video))
        longer = Media(descriptor=file.fileno(), size_bytes=len(video) + 1)
        assert pool.measure(longer, MediaType.MP4).unscannable is Unscannable.CHANGED
        shorter = Media(descriptor=file.fileno(), size_bytes=len(video) - 1)
        changed = Measured(unscannable=Unscannable.CHANGED)
        assert pool.measure(shorter, MediaType.MP4) == changed
        assert pool.header(media, MediaType.MP4) == Measured()


def test_a_video_may_be_larger_than_the_memory_of_its_worker(tmp_path: Path) -> None:
    video = make_video("h264.mp4")
    path = tmp_path / "film"
    with path.open("w+b") as file:
        file.write(video)
        padding = 6 << 30  # a hole: it takes no room on disk
        file.write((1).to_bytes(4) + b"free" + padding.to_bytes(8))
        file.truncate(len(video) + padding)
        media = Media(descriptor=file.fileno(), size_bytes=len(video) + padding)
        limits = Limits(memory_bytes=1 << 30)
        with Pool(workers=1, limits=limits, models=None, spare=0) as one:
            found = one.measure(media, MediaType.MP4)
    assert found.unscannable is None
    assert len(found.frames) == 4


def test_a_video_has_its_own_size_and_time(tmp_path: Path) -> None:
    video = encode(scenes((1,), frames=100, width=640, height=480), "mpeg4.avi")
    limits = Limits(seconds=0.001, size_bytes=1, video_seconds=60, video_bytes=len(video))
    with Pool(workers=1, limits=limits, models=None, spare=0) as one:
        assert one.measure(*in_memory(video)).unscannable is None
        found = one.measure(*in_memory(video + b"x"))
        assert found == Measured(unscannable=Unscannable.TOO_LARGE)


def test_a_video_that_takes_too_long_gives_what_was_measured_until_then(
    tmp_path: Path,
) -> None:
    pictures = scenes((1, 2), frames=50, width=640, height=480)
    path = tmp_path / "film"
    path.write_bytes(encode(pictures, "mpeg2.ts") * 200)
    limits = Limits(video_seconds=2)
    with path.open("rb") as file, Pool(workers=1, limits=limits, models=None, spare=0) as one:
        media = Media(descriptor=file.fileno(), size_bytes=path.stat().st_size)
        found = one.measure(media, MediaType.MPEG_TS, sampling=Sampling.EVERY_FRAME)
    assert found.unscannable is Unscannable.TIMED_OUT
    assert 0 < len(found.frames) < 10_000


def mutants(count: int) -> Iterator[bytes]:
    """Give videos with bytes changed, cut out, doubled and swapped, from a seed."""
    rng = np.random.default_rng(20)
    kinds = list(KINDS)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        video = bytearray(make_video(kind, seeds=(1,), seconds=1, width=96, height=64))
        for _ in range(int(rng.integers(1, 12))):
            at = int(rng.integers(0, len(video)))
            length = int(rng.integers(1, 200))
            match int(rng.integers(0, 5)):
                case 0:
                    video[at] ^= 1 << int(rng.integers(0, 8))
                case 1:
                    video[at : at + length] = rng.bytes(length)
                case 2:
                    del video[at : at + length]
                case 3:
                    video[at:at] = video[at : at + length]
                case _:
                    video[at : at + 4] = b"\xff\xff\xff\xff"
        yield bytes(video)


def test_no_mutant_gets_out_of_its_worker() -> None:
    sampled = list(Sampling)
    outcomes: dict[Unscannable | None, int] = {}
    with Pool(workers=1, limits=HOSTILE_LIMITS, models=None, spare=1) as one:
        assert one.is_locked
        for number, mutant in enumerate(mutants(MUTANTS)):
            media_type = sniff(mutant[:4096])
            kind = media_type if media_type.kind is Kind.VIDEO else MediaType.MP4
            media = Media(content=mutant, size_bytes=len(mutant))
            found = one.measure(media, kind, sampling=sampled[number % len(sampled)])
            outcomes[found.unscannable] = outcomes.get(found.unscannable, 0) + 1
        whole = one.measure(*in_memory(make_video()))
        assert len(whole.frames) == 4
    assert sum(outcomes.values()) == MUTANTS
    assert set(outcomes) <= EXPECTED, outcomes
    assert outcomes[None] > 0
    assert outcomes[Unscannable.CORRUPT] > 0
