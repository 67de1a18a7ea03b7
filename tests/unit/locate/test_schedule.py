"""When a target is looked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import TrustError
from protech.locate.adapter import Target
from protech.locate.leases import GRACE, TERM, Shard, local_leases
from protech.locate.schedule import (
    AT_ONCE,
    DEAD,
    HOT,
    JITTER,
    LIVE,
    SPREAD,
    Pace,
    Result,
    Schedule,
    next_pace,
)
from protech.locate.vault import Vault
from tests.unit.locate.targets import LIST, ed2k, info_hash, torrent

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
SOMEBODY = Result(named=9, answered=1)


def schedule(
    path: Path, targets: list[Target], *, key: bytes = bytes(32), shard: Shard | None = None
) -> Schedule:
    return Schedule(
        leases=local_leases(path / "leases.db"),
        vault=Vault(key, purpose="leases"),
        targets=targets,
        shard=shard or Shard(),
    )


def test_a_dead_target_is_looked_for_ever_more_rarely_and_each_day_at_least() -> None:
    pace, hours = Pace(), []
    for _ in range(8):
        pace = next_pace(pace, Result(named=3))
        hours.append(pace.pause / LIVE)
    assert hours == [1, 2, 4, 8, 16, 24, 24, 24]
    assert next_pace(pace, SOMEBODY) == Pace(pause=LIVE, looked_up=9)


def test_a_new_delivery_makes_the_next_look_up_soon_and_only_that() -> None:
    hot = next_pace(Pace(pause=DEAD, quiet=7), Result(answered=1, delivered=1))
    assert (hot.pause, hot.quiet) == (HOT, 0)
    assert next_pace(hot, SOMEBODY).pause == LIVE


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_a_pause_is_never_shorter_than_hot_nor_longer_than_a_day(
    looks: list[tuple[bool, bool]],
) -> None:
    pace = Pace()
    for answered, delivered in looks:
        pace = next_pace(pace, Result(answered=answered, delivered=delivered))
        assert HOT <= pace.pause <= DEAD
        assert (pace.quiet == 0) == (answered or delivered)


def test_a_short_list_is_due_at_once(tmp_path: Path) -> None:
    made = schedule(tmp_path, [torrent(i) for i in range(AT_ONCE)])
    assert (made.plan(NOON), made.plan(NOON)) == (AT_ONCE, 0)
    leases = made.due(NOON, most=99)
    assert {one.number for one in leases} == set(range(AT_ONCE))
    assert {one.until for one in leases} == {NOON + TERM}


@pytest.mark.parametrize("count", [1, 2])
def test_a_long_list_is_spread_over_time(count: int, tmp_path: Path) -> None:
    size = count * AT_ONCE + 5
    targets = [torrent(i) for i in range(size)]
    made = schedule(tmp_path, targets, shard=Shard(index=0, count=count))
    made.plan(NOON)
    everything = local_leases(tmp_path / "leases.db")
    first = everything.take(NOON, shard=Shard(), most=999)
    later = [everything.take(NOON + i * SPREAD / count, shard=Shard()) for i in range(1, 6)]
    assert (len(first), [len(one) for one in later]) == (count * AT_ONCE, [1] * 5)


def test_a_target_is_due_again_after_its_pause(tmp_path: Path) -> None:
    made = schedule(tmp_path, [torrent(0)])
    made.plan(NOON)
    [lease] = made.due(NOON)
    assert made.done(lease, SOMEBODY, NOON)
    first = made.first_due_at()
    assert first is not None
    assert LIVE * (1 - JITTER) - GRACE <= first - NOON <= LIVE * (1 + JITTER)
    [again] = made.due(first)
    assert again.pace.looked_up == 1
    assert made.give_back(again, first)
    assert len(made.due(first)) == 1


def test_a_vantage_that_died_is_taken_over_and_its_late_result_is_not_believed(
    tmp_path: Path,
) -> None:
    dead, alive = (schedule(tmp_path, [torrent(0)]) for _ in range(2))
    dead.plan(NOON)
    [lease] = dead.due(NOON)
    assert alive.due(NOON + TERM) == []
    [taken] = alive.due(NOON + TERM + GRACE)
    assert dead.renew(lease, NOON + TERM + GRACE) is None
    assert not dead.done(lease, SOMEBODY, NOON + TERM + GRACE)
    assert alive.done(taken, SOMEBODY, NOON + TERM + GRACE)


def test_a_lease_can_be_prolonged(tmp_path: Path) -> None:
    made = schedule(tmp_path, [torrent(0)])
    made.plan(NOON)
    [lease] = made.due(NOON)
    renewed = made.renew(lease, NOON + TERM)
    assert renewed is not None
    assert (renewed.number, renewed.until) == (0, NOON + 2 * TERM)
    assert made.done(renewed, SOMEBODY, NOON)


def test_a_target_keeps_its_pace_when_its_place_in_the_list_changes(tmp_path: Path) -> None:
    made = schedule(tmp_path, [torrent(0)])
    made.plan(NOON)
    [lease] = made.due(NOON)
    made.done(lease, SOMEBODY, NOON)
    moved = Target(
        entry="lab-entry-0",
        number=5,
        list_name=replace(LIST, version=2),
        key=torrent(0).key,
        weak=frozenset({0}),
    )
    again = schedule(tmp_path, [moved, torrent(1)])
    assert again.plan(NOON) == 1
    numbers = {one.number for one in again.due(NOON + 2 * LIVE, most=9)}
    assert numbers == {5, 1}


def test_what_is_no_longer_listed_is_not_looked_for(tmp_path: Path) -> None:
    schedule(tmp_path, [torrent(0), torrent(1)]).plan(NOON)
    left = schedule(tmp_path, [torrent(1)])
    assert [one.number for one in left.due(NOON + LIVE, most=9)] == [1]
    assert [one.number for one in left.due(NOON + LIVE, most=9)] == []


def test_all_files_of_a_torrent_are_one_vantages(tmp_path: Path) -> None:
    targets = [torrent(2 * i + j, torrent=i, file_index=j) for i in range(30) for j in range(2)]
    whole = schedule(tmp_path, targets)
    whole.plan(NOON)
    later = NOON + timedelta(seconds=10)
    seen: list[set[int]] = []
    for index in range(3):
        part = schedule(tmp_path, targets, shard=Shard(index=index, count=3))
        seen.append({one.number for one in part.due(later, most=99)})
    assert sum(len(one) for one in seen) == 60
    assert all(len(one) > 5 for one in seen)
    assert all({n ^ 1 for n in one} == one for one in seen)


def test_the_file_shows_no_fetch_key_and_no_entry(tmp_path: Path) -> None:
    made = schedule(tmp_path, [torrent(0), ed2k(1)])
    made.plan(NOON)
    for lease in made.due(NOON + LIVE, most=2):
        made.done(lease, SOMEBODY, NOON)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for clear in (
        info_hash(0),
        info_hash(1)[:16],
        info_hash(0).hex().encode(),
        b"lab-entry",
        b"pause",
    ):
        assert clear not in kept


def test_another_cases_file_is_refused(tmp_path: Path) -> None:
    schedule(tmp_path, [torrent(0)]).plan(NOON)
    with pytest.raises(TrustError):
        schedule(tmp_path, [torrent(0)], key=bytes(31) + b"\1").due(NOON)
