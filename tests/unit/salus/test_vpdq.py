"""vPDQ's two percentages, and what of a video is looked up."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from protech.salus.vpdq import distinct, forms, percentages, queries
from protech.types import Frame, PdqHash


def hashed(number: int, *, quality: int = 100) -> PdqHash:
    """Return a hash that is 16 bits or more from that of another number."""
    return PdqHash(bits=np.random.default_rng(number).bytes(32), quality=quality)


VIDEOS = st.lists(st.builds(hashed, st.integers(0, 20), quality=st.integers(0, 100)))


def test_frames_of_poor_quality_and_the_same_frame_again_do_not_count() -> None:
    frames = [hashed(1), hashed(2, quality=49), hashed(3, quality=50), hashed(1)]
    assert distinct(frames) == (hashed(1).bits, hashed(3).bits)


def test_percentages_are_of_distinct_frames_of_good_quality() -> None:
    ours = [hashed(1), hashed(1), hashed(2), hashed(3), hashed(9, quality=10)]
    theirs = [hashed(1), hashed(4)]
    query, known = percentages(ours, theirs)
    assert round(query, 3) == 33.333
    assert known == 50


def test_the_radius_is_that_of_pdq() -> None:
    def with_bits(count: int) -> PdqHash:
        return PdqHash(bits=((1 << count) - 1).to_bytes(32), quality=100)

    assert percentages([with_bits(0)], [with_bits(31)]) == (100, 100)
    assert percentages([with_bits(0)], [with_bits(32)]) == (0, 0)
    assert percentages([with_bits(0)], [with_bits(3)], radius_bits=2) == (0, 0)


@given(VIDEOS, VIDEOS)
def test_percentages_change_places_with_the_videos(
    ours: list[PdqHash], theirs: list[PdqHash]
) -> None:
    query, known = percentages(ours, theirs)
    assert percentages(theirs, ours) == (known, query)
    assert 0 <= query <= 100
    assert (query == 0) == (known == 0)


@given(VIDEOS)
def test_a_video_is_wholly_like_itself(video: list[PdqHash]) -> None:
    whole = 100 if distinct(video) else 0
    assert percentages(video, video) == (whole, whole)


def test_streams_and_turned_forms_are_looked_up_one_by_one() -> None:
    frames = [
        Frame(track=0, hashes=(hashed(1), hashed(11))),
        Frame(track=0, hashes=(hashed(2), hashed(12))),
        Frame(track=1, hashes=(hashed(3),)),
    ]
    found = [[row.tobytes() for row in one] for one in queries(frames)]
    assert found == [
        [hashed(1).bits, hashed(2).bits],
        [hashed(11).bits, hashed(12).bits],
        [hashed(3).bits],
    ]
    assert forms(frames) == [
        (hashed(1).bits, hashed(2).bits),
        (hashed(11).bits, hashed(12).bits),
    ]
    assert forms(frames, track=1) == [(hashed(3).bits,)]


def test_a_video_that_turns_half_way_keeps_all_its_frames() -> None:
    frames = [Frame(hashes=(hashed(1),)), Frame(hashes=(hashed(2), hashed(12)))]
    found = [[row.tobytes() for row in one] for one in queries(frames)]
    assert found == [[hashed(1).bits, hashed(2).bits], [hashed(1).bits, hashed(12).bits]]


def test_nothing_is_looked_up_for_a_video_without_good_frames() -> None:
    assert queries([]) == []
    assert queries([Frame()]) == []
    assert queries([Frame(hashes=(hashed(1, quality=49),))]) == []
