"""Leases in SQLite; the same rules hold in PostgreSQL, see e2e/test_locate_scale."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protech.locate.leases import (
    GRACE,
    LATE,
    SLOTS,
    TERM,
    Held,
    Leases,
    Planned,
    Shard,
    from_ms,
    local_leases,
    to_ms,
)

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)
ALL = Shard()


@pytest.fixture
def leases(tmp_path: Path) -> Iterator[Leases]:
    with closing(local_leases(tmp_path / "leases.db")) as opened:
        yield opened


def plan(leases: Leases, count: int, *, due_at: datetime = NOON) -> None:
    leases.plan(
        Planned(name=i.to_bytes(2), slot=i % SLOTS, due_at=due_at, state=b"new")
        for i in range(count)
    )


def test_a_target_is_leased_when_it_is_due_and_not_a_moment_before(leases: Leases) -> None:
    plan(leases, 1)
    assert leases.first_due_at() == NOON
    assert not leases.take(NOON - MOMENT, shard=ALL)
    [held] = leases.take(NOON, shard=ALL)
    assert (held.name, held.state, held.until) == (b"\0\0", b"new", NOON + TERM)


def test_what_is_leased_is_nobody_elses_until_its_term_and_the_grace_are_over(
    leases: Leases,
) -> None:
    plan(leases, 1)
    [first] = leases.take(NOON, shard=ALL)
    assert not leases.take(NOON + TERM + GRACE - MOMENT, shard=ALL)
    [second] = leases.take(NOON + TERM + GRACE, shard=ALL)
    assert second.fence > first.fence
    assert not leases.settle(first, due_at=NOON, state=b"late")
    assert leases.renew(first, NOON) is None
    assert leases.settle(second, due_at=NOON, state=b"done")
    [third] = leases.take(NOON, shard=ALL)
    assert third.state == b"done"


def test_a_lease_that_is_renewed_goes_on(leases: Leases) -> None:
    plan(leases, 1)
    [held] = leases.take(NOON, shard=ALL)
    renewed = leases.renew(held, NOON + TERM)
    assert renewed is not None
    assert renewed.until == NOON + 2 * TERM
    assert not leases.take(NOON + 2 * TERM, shard=ALL)
    assert leases.settle(renewed, due_at=NOON, state=b"")


def test_a_lease_ends_once(leases: Leases) -> None:
    plan(leases, 1)
    [held] = leases.take(NOON, shard=ALL)
    assert leases.settle(held, due_at=NOON + LATE, state=b"")
    assert not leases.settle(held, due_at=NOON, state=b"")
    assert leases.first_due_at() == NOON + LATE


def test_a_target_that_is_dropped_is_gone(leases: Leases) -> None:
    plan(leases, 1)
    [held] = leases.take(NOON, shard=ALL)
    assert leases.drop(held)
    assert not leases.drop(held)
    assert leases.first_due_at() is None
    assert leases.names() == set()


def test_planning_again_leaves_targets_as_they_are(leases: Leases) -> None:
    plan(leases, 2)
    [held] = leases.take(NOON, shard=ALL)
    plan(leases, 3)
    assert leases.names() == {i.to_bytes(2) for i in range(3)}
    assert len(leases.take(NOON, shard=ALL, most=9)) == 2
    assert leases.settle(held, due_at=NOON, state=b"")
    leases.plan([])


def test_a_vantage_takes_its_shard_and_of_others_only_what_is_late(leases: Leases) -> None:
    plan(leases, 10)
    mine = leases.take(NOON, shard=Shard(index=1, count=2), most=99, term=2 * LATE)
    assert {int.from_bytes(one.name) for one in mine} == {1, 3, 5, 7, 9}
    assert not leases.take(NOON + LATE - MOMENT, shard=Shard(index=1, count=2), most=99)
    others = leases.take(NOON + LATE, shard=Shard(index=1, count=2), most=99)
    assert {int.from_bytes(one.name) for one in others} == {0, 2, 4, 6, 8}


def test_no_target_is_leased_twice_at_once_by_threads(tmp_path: Path) -> None:
    plan(local_leases(tmp_path / "leases.db"), 200)
    taken: Counter[bytes] = Counter()

    def take_all() -> None:
        own = local_leases(tmp_path / "leases.db")
        while held := own.take(NOON, shard=ALL, most=3):
            taken.update(one.name for one in held)

    threads = [threading.Thread(target=take_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 200
    assert set(taken.values()) == {1}


WORKER = """
import sys
from datetime import datetime, timedelta
from pathlib import Path
from protech.locate.leases import Shard, local_leases
leases, now = local_leases(Path(sys.argv[1])), datetime.fromisoformat(sys.argv[2])
while held := leases.take(now, shard=Shard(), most=2):
    print(held[0].name.hex(), flush=True)
    leases.settle(held[0], due_at=now + timedelta(days=1), state=b"done")
"""


def test_a_kill_loses_no_target(tmp_path: Path) -> None:
    path = tmp_path / "leases.db"
    leases = local_leases(path)
    plan(leases, 300)
    for lines in (3, 10, 25):
        command = [sys.executable, "-c", WORKER, os.fspath(path), NOON.isoformat()]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as worker:
            assert worker.stdout is not None
            for _ in range(lines):
                worker.stdout.readline()
            worker.send_signal(signal.SIGKILL)
    done = leases.take(NOON + timedelta(days=2), shard=ALL, most=999)
    assert len({one.name for one in done}) == 300
    assert {one.state for one in done} <= {b"new", b"done"}


FULL_DISK = """
import resource, sys
from datetime import datetime
from pathlib import Path
from protech.errors import ConfigError
from protech.locate.leases import Planned, Shard, local_leases
leases, now = local_leases(Path(sys.argv[1])), datetime.fromisoformat(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
made = 300
try:
    while True:
        leases.plan([Planned(name=made.to_bytes(4), slot=0, due_at=now, state=bytes(3000))])
        made += 1
except ConfigError as full:
    print(made, "check that the disk is not full" in str(full))
"""


def test_a_full_disk_is_an_error_and_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    path = tmp_path / "leases.db"
    with closing(local_leases(path)) as leases:
        plan(leases, 20)
    command = [sys.executable, "-c", FULL_DISK, os.fspath(path), NOON.isoformat()]
    ran = subprocess.run(command, capture_output=True, check=True, text=True)
    made, says_why = ran.stdout.split()
    assert (int(made) > 310, says_why) == (True, "True")
    with closing(local_leases(path)) as leases:
        kept = {int.from_bytes(name) for name in leases.names()}
        assert kept == {*range(20), *range(300, int(made))}
        assert len(leases.take(NOON, shard=ALL, most=999)) == len(kept)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),  # which vantage
        st.sampled_from(["take", "settle", "renew", "drop", "die"]),
        st.integers(0, 12),  # minutes that pass before
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(STEPS, st.integers(1, 5))
def test_in_whatever_order_no_target_is_held_by_two_and_none_is_lost(
    steps: list[tuple[int, str, int]], count: int
) -> None:
    with TemporaryDirectory() as directory, ExitStack() as stack:
        path = Path(directory) / "leases.db"
        vantages = [stack.enter_context(closing(local_leases(path))) for _ in range(3)]
        plan(vantages[0], count)
        now, held, dropped = NOON, [dict[bytes, Held]() for _ in vantages], 0
        for which, act, minutes in steps:
            now += timedelta(minutes=minutes)
            table, mine = vantages[which], held[which]
            if act == "take":
                for one in table.take(now, shard=ALL, most=2):
                    others = [other.get(one.name) for other in held]
                    assert all(other is None or other.until < now for other in others)
                    mine[one.name] = one
            elif act == "die":
                mine.clear()
            elif mine:
                name, one = mine.popitem()
                stands = all(other is mine or name not in other for other in held)
                if act == "settle":
                    assert table.settle(one, due_at=now, state=b"") or not stands
                elif act == "drop":
                    dropped += table.drop(one)
                elif (renewed := table.renew(one, now)) is not None:
                    mine[name] = renewed
        later = now + timedelta(days=1)
        assert len(vantages[0].take(later, shard=ALL, most=99)) == count - dropped


def test_times_are_kept_to_the_millisecond() -> None:
    moment = datetime(2026, 11, 28, 12, 0, 0, 123_999, tzinfo=UTC)
    assert from_ms(to_ms(moment)) == moment.replace(microsecond=123_000)
