"""Which frames are taken: vPDQ's at one a second, and more only where timestamps ask for it."""

import math
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.salus.frames import spread
from protech.salus.sampling import Evenly, Sampler, Sampling


def taken(
    sampling: Sampling, times_s: Iterable[float | None], *, rate: float | None
) -> list[int]:
    sampler = Sampler(sampling, rate=rate)
    return [number for number, at_s in enumerate(times_s) if sampler.takes(at_s)]


@pytest.mark.parametrize(("rate", "every"), [(25.0, 25), (29.97, 29), (30.0, 30), (0.5, 1)])
def test_a_steady_video_gives_the_frames_of_vpdq(rate: float, every: int) -> None:
    times_s = [number / rate for number in range(200)]
    assert taken(Sampling.PER_SECOND, times_s, rate=rate) == list(range(0, 200, every))


def test_every_frame_is_every_frame() -> None:
    assert taken(Sampling.EVERY_FRAME, [0.0, None, 0.0], rate=25) == [0, 1, 2]


@pytest.mark.parametrize("rate", [None, 0.0, -3.0, math.inf, math.nan])
def test_without_a_rate_no_frame_is_passed_over(rate: float | None) -> None:
    assert taken(Sampling.PER_SECOND, [None] * 3, rate=rate) == [0, 1, 2]


def test_a_rate_that_lies_does_not_hide_a_minute() -> None:
    times_s = [number / 25 for number in range(25 * 60)]
    found = taken(Sampling.PER_SECOND, times_s, rate=1e6)
    assert len(found) >= 60 / 1.6
    assert max(b - a for a, b in pairwise(found)) <= 1.6 * 25


@given(st.lists(st.none() | st.floats(0, 1e6), max_size=200), st.floats(0.1, 1000))
def test_timestamps_never_take_a_frame_of_vpdq_away(
    times_s: list[float | None], rate: float
) -> None:
    found = taken(Sampling.PER_SECOND, times_s, rate=rate)
    assert set(found) >= set(range(0, len(times_s), max(1, int(rate))))


def test_keyframes_that_stand_close_are_passed_over() -> None:
    assert taken(Sampling.KEYFRAMES, [0.0, 0.4, 0.5, 0.9, 8.0, 1.0], rate=25) == [0, 2, 4, 5]
    assert taken(Sampling.KEYFRAMES, [None, None], rate=25) == [0, 1]


@given(st.integers(0, 500), st.integers(1, 20))
def test_items_are_kept_evenly_however_many_come(count: int, most: int) -> None:
    evenly = Evenly[int](most)
    for item in range(count):
        if evenly.wants():
            evenly.keep(item)
        else:
            evenly.skip()
    kept = evenly.kept
    assert all(place == item for place, item in kept)
    assert len(kept) <= 2 * max(2, most)
    assert len(kept) >= min(count, most)
    gaps = {b - a for (a, _), (b, _) in pairwise(kept)}
    assert len(gaps) <= 1
    assert len(spread(len(kept), most)) <= max(2, most)
