"""Shares of videos, against a count of every pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from protech.lists import alike
from protech.lists.alike import Likeness, likenesses
from protech.lists.batch import batches
from protech.lists.entries import Entry
from protech.lists.index import Index, NearHits, build_parts
from protech.types import MatchKind

HASHES = st.integers(0, 2**9).map(lambda number: number.to_bytes(32)) | st.binary(
    min_size=32, max_size=32
)
VIDEOS = st.lists(HASHES, max_size=8, unique=True).map(tuple)


def index_of(*videos: tuple[bytes, ...]) -> Index:
    entries = [Entry(sha256=bytes(32), vpdq=video) for video in videos]
    return Index.of(build_parts(batches(entries), about=dict))


def array(hashes: tuple[bytes, ...]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)


def random_frames(count: int) -> tuple[bytes, ...]:
    rng = np.random.default_rng(1)
    return tuple(rng.bytes(32) for _ in range(count))


def bits(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def by_hand(query: tuple[bytes, ...], known: tuple[bytes, ...]) -> tuple[float, float]:
    def is_met(one: bytes, others: tuple[bytes, ...]) -> bool:
        return any(bits(one, other) <= 31 for other in others)

    ours, theirs = (
        sum(is_met(one, others) for one in ones)
        for ones, others in ((query, known), (known, query))
    )
    return 100 * ours / len(query), 100 * theirs / len(known)


@settings(deadline=None, max_examples=60)
@given(st.lists(VIDEOS, max_size=5), st.lists(HASHES, min_size=1, max_size=70, unique=True))
def test_no_entry_has_more_in_common_than_those_that_are_found(
    videos: list[tuple[bytes, ...]], query: list[bytes]
) -> None:
    found = likenesses(index_of(*videos), array(tuple(query)))
    shares = {(one.query_percent, one.known_percent) for one in found}
    for one in found:
        video = videos[one.row]
        assert (one.query_percent, one.known_percent) == by_hand(tuple(query), video)
        assert one.distance_bits == min(
            bits(ours, theirs) for ours in query for theirs in video
        )
    for video in videos:
        ours, theirs = by_hand(tuple(query), video) if video else (0.0, 0.0)
        assert not ours or any(mine >= ours and yours >= theirs for mine, yours in shares)


def test_the_most_of_the_video_comes_first() -> None:
    frames = random_frames(10)
    known = index_of(frames[:1], frames[:4], (*frames[:4], bytes(32)))
    assert likenesses(known, array(frames)) == [
        Likeness(row=1, query_percent=40, known_percent=100, distance_bits=0)
    ]


def test_nothing_is_like_a_video_without_frames() -> None:
    assert likenesses(index_of((bytes(32),)), array(())) == []
    assert likenesses(index_of(), array((bytes(32),))) == []


def test_queries_of_one_part_and_of_several_count_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = random_frames(30)
    known = index_of(frames[5:25], (*frames[:2], *frames[28:]))
    whole = likenesses(known, array(frames))
    monkeypatch.setattr(alike, "QUERIES_AT_ONCE", 3)
    assert likenesses(known, array(frames)) == whole


def test_every_frame_is_asked_about_once_and_a_few_at_a_time() -> None:
    asked: list[int] = []

    class Counting:
        def near_all(
            self, kind: MatchKind, queries: NDArray[np.uint8], *, radius_bits: int
        ) -> NearHits:
            asked.append(len(queries))
            return index.near_all(kind, queries, radius_bits=radius_bits)

        def frames_of(self, row: int) -> int:
            return index.frames_of(row)

    index = index_of((bytes(32),))
    frames = tuple(number.to_bytes(32) for number in range(200))
    likenesses(Counting(), array(frames))
    assert sum(asked) == 200
    assert max(asked) == alike.QUERIES_AT_ONCE
