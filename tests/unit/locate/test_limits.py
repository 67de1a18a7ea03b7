"""How politely peers and the network are asked."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.adapter import Outcome
from protech.locate.limits import (
    BUSY,
    Bucket,
    Past,
    Pieces,
    Places,
    Politeness,
    Reason,
    Refused,
    begun,
    ended,
)

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)
POLITE = Politeness()
MINUTE = timedelta(minutes=1)


def conversation(past: Past, outcome: Outcome, at: datetime) -> Past:
    assert past.leave(at)
    return ended(begun(past, at, POLITE), outcome, at, POLITE)


@pytest.mark.parametrize("outcome", sorted(BUSY))
def test_a_busy_peer_is_tried_three_times_after_ten_minutes_an_hour_and_six(
    outcome: Outcome,
) -> None:
    past, at, waits = Past(), NOON, []
    for _ in range(6):
        past = conversation(past, outcome, at)
        assert past.not_before is not None
        assert not past.leave(past.not_before - MOMENT)
        waits.append((past.not_before - at) / MINUTE)
        at = past.not_before
    assert waits == [10, 60, 360, 10, 60, 360]
    assert POLITE.attempts == 3


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - BUSY - {Outcome.STOPPED}))
def test_a_peer_that_said_something_is_left_alone_for_six_hours(outcome: Outcome) -> None:
    busy = conversation(Past(), Outcome.UNREACHABLE, NOON)
    later = NOON + timedelta(minutes=10)
    leave = conversation(busy, outcome, later).leave(later + MINUTE)
    assert (leave.reason, leave.again_at) == (Reason.TOO_SOON, later + timedelta(hours=6))


def test_a_kill_in_the_middle_counts_as_a_busy_peer() -> None:
    begun_only = begun(Past(), NOON, POLITE)
    assert begun_only == conversation(Past(), Outcome.SILENT, NOON)


def test_what_the_authority_stopped_changes_nothing_more() -> None:
    past = begun(Past(), NOON, POLITE)
    assert ended(past, Outcome.STOPPED, NOON, POLITE) == past


@given(st.lists(st.tuples(st.sampled_from(Outcome), st.integers(1, 10_000)), max_size=50))
def test_never_more_than_three_attempts_in_six_hours(
    tries: list[tuple[Outcome, int]],
) -> None:
    past, at, begins = Past(), NOON, []
    for outcome, minutes in tries:
        if past.leave(at):
            begins.append(at)
            past = conversation(past, outcome, at)
        at += minutes * MINUTE
    for first, fourth in zip(begins, begins[3:], strict=False):
        assert fourth - first >= timedelta(hours=6)


def test_a_peer_that_refuses_three_times_is_left_alone_for_good() -> None:
    refused = Refused()
    for outcome in (Outcome.REFUSED, Outcome.SERVED, Outcome.REFUSED):
        refused = refused.after(outcome)
        assert refused.leave(POLITE)
    assert refused.after(Outcome.REFUSED).leave(POLITE).reason is Reason.STOPPED


def test_two_pieces_two_days_apart_are_all_that_a_case_asks_of_a_peer_and_file() -> None:
    pieces = Pieces().after(NOON, POLITE)
    soon = pieces.leave(NOON + timedelta(days=2) - MOMENT, POLITE)
    assert (soon.reason, soon.again_at) == (Reason.TOO_SOON, NOON + timedelta(days=2))
    assert pieces.leave(NOON + timedelta(days=2), POLITE)
    second = pieces.after(NOON + timedelta(days=2), POLITE)
    assert second.leave(NOON + timedelta(days=99), POLITE).reason is Reason.SPENT


def test_a_bucket_starts_empty_and_says_how_long_to_wait() -> None:
    bucket = Bucket(10)
    assert bucket.take(NOON) == timedelta(seconds=0.1)
    assert bucket.take(NOON + timedelta(seconds=0.1)) == timedelta()
    assert bucket.take(NOON + timedelta(seconds=0.1)) == timedelta(seconds=0.1)


@given(
    st.lists(st.floats(-1, 5), min_size=1, max_size=200),
    st.integers(1, 50),
)
def test_a_bucket_never_gives_more_than_its_rate_and_burst(
    steps: list[float], per_s: int
) -> None:
    bucket, at, latest, given_leave = Bucket(per_s), NOON, NOON, 0
    bucket.take(at)
    for step in steps:
        at += timedelta(seconds=step)
        latest = max(latest, at)
        given_leave += not bucket.take(at)
    assert given_leave <= (latest - NOON).total_seconds() * per_s + 1e-6
    assert max_in_a_second(per_s) <= per_s + max(1, per_s / 10) + 1


def max_in_a_second(per_s: int) -> int:
    bucket, times = Bucket(per_s), []
    for i in range(3000):
        at = NOON + i * MOMENT
        if not bucket.take(at):
            times.append(at)
    within = timedelta(seconds=1)
    return max((sum(one <= at < one + within for at in times) for one in times), default=0)


def test_whoever_takes_more_than_a_burst_waits_for_it_afterwards() -> None:
    bucket = Bucket(10, burst=2)
    bucket.take(NOON)
    assert not bucket.take(NOON + timedelta(seconds=1), 50)
    assert bucket.take(NOON + timedelta(seconds=1), 50) == timedelta(seconds=5)
    assert not bucket.take(NOON + timedelta(seconds=6), 50)


def test_more_than_a_burst_is_never_given_at_once() -> None:
    bucket = Bucket(10, burst=2)
    bucket.take(NOON)
    late = NOON + timedelta(hours=1)
    assert [not bucket.take(late) for _ in range(3)] == [True, True, False]


def test_conversations_are_bounded_in_all_for_an_address_and_for_a_target() -> None:
    polite = Politeness(concurrent=4, concurrent_per_address=1, concurrent_per_target=2)
    places = Places(polite)
    places.enter(b"a", 1)
    assert places.leave(b"a", 2, NOON).reason is Reason.FULL
    places.enter(b"b", 1)
    assert places.leave(b"c", 1, NOON).reason is Reason.FULL
    places.enter(b"c", 2)
    places.enter(b"d", 3)
    assert places.leave(b"e", 4, NOON).reason is Reason.FULL
    places.leave_place(b"a", 1)
    assert places.taken == 3
    assert places.leave(b"a", 1, NOON)


def test_a_target_costs_no_more_than_so_many_conversations_an_hour() -> None:
    places = Places(Politeness(probes_per_target_per_h=3))
    for i in range(3):
        assert places.leave(bytes([i]), 1, NOON)
        places.enter(bytes([i]), 1)
        places.leave_place(bytes([i]), 1)
    full = places.leave(b"x", 1, NOON)
    assert (full.reason, full.again_at) == (Reason.FULL, NOON + timedelta(hours=1))
    assert places.leave(b"x", 2, NOON)
    assert places.leave(b"x", 1, NOON + timedelta(hours=1))
