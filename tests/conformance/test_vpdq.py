"""vPDQ against the package ``vpdq`` 0.2.5 and the matching of ``threatexchange``.

Every codec that PyAV's wheel can encode, in every container, and pixels of 8, 10 and 12 bits in
both ranges. Both sides decode the same file, the reference with the FFmpeg of the system. It
makes RGB of a frame and luma of that; we take the luma as it is. Tolerance: the same frames;
at quality >= 50 at most 12 bits; a quality that differs by 2 at most, and by 5 in pictures so
small that no filter smoothes the rounding of colours. Percentages are equal.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from protech.lists.alike import likenesses
from protech.lists.batch import batches
from protech.lists.entries import Entry
from protech.lists.index import Index, build_parts
from protech.salus.measure import Meter
from protech.salus.sampling import Sampling
from protech.salus.seekable import InMemory
from protech.salus.sniff import sniff
from protech.salus.vpdq import distinct, percentages
from protech.types import Frame, Limits, PdqHash
from tests import peers
from tests.make_video import KINDS, encode, make_video, scenes
from tests.peers import VpdqFrame, needs_peers
from tools.peers import PLACE

MAX_BITS = 12
MAX_QUALITY = 2
MAX_QUALITY_SMALL = 5
QUALITY_FLOOR = 50


def ours(video: bytes, sampling: Sampling) -> tuple[Frame, ...]:
    measured = Meter(limits=Limits()).video(
        InMemory(video), media_type=sniff(video[:4096]), sampling=sampling
    )
    assert measured.unscannable is None
    return measured.frames


def assert_alike(
    found: tuple[Frame, ...], theirs: list[VpdqFrame], *, within: int = MAX_QUALITY
) -> None:
    assert len(found) == len(theirs)
    for frame, (_, quality, hashed) in zip(found, theirs, strict=True):
        stored = frame.hashes[0]
        if quality >= QUALITY_FLOOR:
            assert (int.from_bytes(stored.bits) ^ int(hashed, 16)).bit_count() <= MAX_BITS
        assert abs(stored.quality - quality) <= within


@needs_peers
@pytest.mark.parametrize(
    ("sampling", "seconds"), [(Sampling.EVERY_FRAME, 0.0), (Sampling.PER_SECOND, 1.0)]
)
def test_every_kind_of_video_gives_the_frames_and_hashes_of_the_reference(
    tmp_path: Path, sampling: Sampling, seconds: float
) -> None:
    videos = {kind: make_video(kind, seeds=(1, 4, 9, 16), seconds=4) for kind in KINDS}
    paths = [tmp_path / kind for kind in videos]
    for path, video in zip(paths, videos.values(), strict=True):
        path.write_bytes(video)
    answers = peers.vpdq(paths, seconds_per_hash=seconds)
    for video, (_, theirs) in zip(videos.values(), answers, strict=True):
        assert_alike(ours(video, sampling), theirs)


@needs_peers
@pytest.mark.parametrize("rate", [0.5, 7.0, 23.976, 29.97, 50.0, 120.0])
def test_frames_are_counted_as_the_reference_counts_them(tmp_path: Path, rate: float) -> None:
    frames = max(3, round(4 * rate))
    path = tmp_path / "film.mp4"
    path.write_bytes(encode(scenes((1, 2), frames=frames, width=96, height=64), rate=rate))
    ((_, theirs),) = peers.vpdq([path], seconds_per_hash=1)
    found = ours(path.read_bytes(), Sampling.PER_SECOND)
    assert_alike(found, theirs, within=MAX_QUALITY_SMALL)


@needs_peers
def test_a_variable_rate_gives_the_frames_of_the_reference_and_more(tmp_path: Path) -> None:
    times_s = [*(number / 25 for number in range(50)), *(2.0 + number for number in range(20))]
    path = tmp_path / "film.mkv"
    pictures = scenes((1, 2), frames=70, width=96, height=64)
    path.write_bytes(encode(pictures, "h264_444.mkv", times_s=times_s))
    ((_, theirs),) = peers.vpdq([path], seconds_per_hash=1)
    found = [frame.hashes[0].bits for frame in ours(path.read_bytes(), Sampling.PER_SECOND)]
    for _, _, hashed in theirs:
        least = min((int.from_bytes(one) ^ int(hashed, 16)).bit_count() for one in found)
        assert least <= MAX_BITS
    assert len(found) >= len(theirs)


@needs_peers
def test_a_pale_video_has_the_quality_of_the_reference(tmp_path: Path) -> None:
    """Quality stands around 50, where the range of the luma would decide what counts."""
    qualities = []
    for contrast in (20, 35, 60, 120):
        pictures = (
            np.asarray(128 + (one.astype(np.int16) - 128) * contrast // 255, dtype=np.uint8)
            for one in scenes((1, 4), frames=10, width=320, height=240)
        )
        path = tmp_path / f"{contrast}.avi"
        path.write_bytes(encode(pictures, "mpeg4.avi"))
        ((_, theirs),) = peers.vpdq([path], seconds_per_hash=0)
        assert_alike(ours(path.read_bytes(), Sampling.EVERY_FRAME), theirs)
        qualities += [quality for _, quality, _ in theirs]
    assert min(qualities) < QUALITY_FLOOR <= max(qualities)


# ---- percentages -----------------------------------------------------------------------------

_INDEX = """
import json, sys
from threatexchange.extensions.vpdq.vpdq_index import VPDQIndex
from threatexchange.extensions.vpdq.vpdq_util import VpdqCompactFeature, vpdq_to_json
known, queries = json.load(sys.stdin)
def signal(video):
    return vpdq_to_json([VpdqCompactFeature(h, q, float(i)) for i, (h, q) in enumerate(video)])
index = VPDQIndex.build(
    [(signal(video), row) for row, video in enumerate(known)],
    query_match_threshold_pct=0.0,
    index_match_threshold_pct=0.0,
)
print(json.dumps([
    sorted(
        (one.metadata, one.similarity_info.query_match_percent,
         one.similarity_info.compared_match_percent)
        for one in index.query(signal(video))
    )
    for video in queries
]))
"""


@cache
def _videos(count: int, seed: int) -> list[list[PdqHash]]:
    """Return videos that share scenes: some frames are equal, near, far or of poor quality."""
    rng = np.random.default_rng(seed)
    shared = np.random.default_rng(1).integers(0, 256, (12, 32), dtype=np.uint8)
    videos = []
    for _ in range(count):
        video = []
        for scene in rng.integers(0, 12, rng.integers(1, 30)):
            changed = np.unpackbits(shared[scene])
            changed[rng.integers(0, 256, rng.integers(0, 40))] ^= 1
            bits = np.packbits(changed).tobytes()
            video.append(PdqHash(bits=bits, quality=int(rng.integers(30, 101))))
        video.append(PdqHash(bits=rng.bytes(32), quality=100))
        videos.append(video * int(rng.integers(1, 3)))
    return videos


def _threatexchange(
    known: list[list[PdqHash]], queries: list[list[PdqHash]]
) -> list[list[tuple[int, float, float]]]:
    """Return what its index says, asked in a process that finds vpdq beside it."""
    plain = [
        [[(one.bits.hex(), one.quality) for one in video] for video in videos]
        for videos in (known, queries)
    ]
    (packages,) = PLACE.glob("lib/python*/site-packages")
    printed = subprocess.run(
        [sys.executable, "-c", _INDEX],
        input=json.dumps(plain),
        env={**os.environ, "PYTHONPATH": str(packages)},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [
        [(row, query, known) for row, query, known in found] for found in json.loads(printed)
    ]


@needs_peers
def test_percentages_are_those_of_threatexchange() -> None:
    known, queries = _videos(30, 2), _videos(20, 3)
    answers = _threatexchange(known, queries)
    assert any(answers)
    for query, answer in zip(queries, answers, strict=True):
        said = {row: (ours, theirs) for row, ours, theirs in answer}
        for row, video in enumerate(known):
            assert percentages(query, video) == pytest.approx(said.get(row, (0, 0)))


@needs_peers
def test_the_index_says_of_a_whole_list_what_threatexchange_says() -> None:
    known, queries = _videos(30, 2), _videos(20, 3)
    index = Index.of(
        build_parts(batches(Entry(sha256=bytes(32), vpdq=distinct(video)) for video in known))
    )
    for query, answer in zip(queries, _threatexchange(known, queries), strict=True):
        said = {row: (ours, theirs) for row, ours, theirs in answer}
        asked = np.frombuffer(b"".join(distinct(query)), np.uint8).reshape(-1, 32)
        found = likenesses(index, asked)
        assert bool(found) is bool(said)
        for one in found:
            assert (one.query_percent, one.known_percent) == pytest.approx(said[one.row])
        best = max((ours for ours, _ in said.values()), default=0)
        assert not found or found[0].query_percent == pytest.approx(best)
