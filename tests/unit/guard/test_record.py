"""Counts by day, surface and reason, and nothing else."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.guard.record import KEEP_DAYS, SCHEMA, Count, Record, day_of
from protech.serve.detector_wire import Surface
from protech.types import Reason

TODAY = date(2026, 3, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "record.sqlite"


def test_counts_add_up_over_openings(path: Path) -> None:
    for times in (1, 2):
        with Record.open(path) as record:
            record.count(day=TODAY, surface="proxy", reason="known", times=times)
            record.count(day=TODAY, surface=Surface.FILE, reason=Reason.KNOWN)
    with Record.open(path) as record:
        assert record.counts(since=TODAY) == [
            Count(day=TODAY, surface=Surface.FILE, reason=Reason.KNOWN, count=2),
            Count(day=TODAY, surface=Surface.PROXY, reason=Reason.KNOWN, count=3),
        ]


def test_a_row_holds_day_surface_reason_and_count_only() -> None:
    assert [part.split()[0] for part in SCHEMA[0].split("(")[1].split(",")][:4] == [
        "day",
        "surface",
        "reason",
        "count",
    ]


@pytest.mark.parametrize(("surface", "reason"), [("screen", "known"), ("proxy", "seen")])
def test_only_the_vocabulary_is_counted(path: Path, surface: str, reason: str) -> None:
    with Record.open(path) as record, pytest.raises(ValueError, match="is not a valid"):
        record.count(day=TODAY, surface=surface, reason=reason)


def test_the_oldest_day_kept_is_the_thirtieth(path: Path) -> None:
    with Record.open(path) as record:
        for age in (0, KEEP_DAYS - 1, KEEP_DAYS):
            record.count(day=TODAY - timedelta(days=age), surface="proxy", reason="known")
        record.trim(today=TODAY)
        kept = [count.day for count in record.counts(since=date.min)]
    assert kept == [TODAY - timedelta(days=KEEP_DAYS - 1), TODAY]


def test_forgetting_leaves_nothing(path: Path) -> None:
    with Record.open(path) as record:
        record.count(day=TODAY, surface="proxy", reason="known")
        record.forget()
        assert record.counts(since=date.min) == []


rows = st.tuples(
    st.dates(date(2026, 1, 1), date(2026, 1, 5)),
    st.sampled_from(Surface),
    st.sampled_from(Reason),
)


@given(batches=st.lists(st.dictionaries(rows, st.integers(1, 9), max_size=4), max_size=6))
def test_batches_add_up_to_their_sum(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[dict[tuple[date, Surface, Reason], int]],
) -> None:
    total: Counter[tuple[date, Surface, Reason]] = Counter()
    with Record.open(tmp_path_factory.mktemp("record") / "record.sqlite") as record:
        for batch in batches:
            record.count_all(batch)
            total.update(batch)
        found = record.counts(since=date.min)
    assert {(row.day, row.surface, row.reason): row.count for row in found} == total


def test_a_day_is_that_of_the_persons_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert day_of(late) == late.astimezone().date()
    assert day_of(late) == day_of(late.astimezone(UTC))
