"""The chart's geometry: fourteen days, stacked to the count, under a round ceiling."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from protech.guard.dashboard.chart import BASE, CHART_DAYS, REASONS, TOP, chart

TODAY = date(2026, 11, 23)


def test_days_without_rows_are_drawn_too() -> None:
    drawn = chart([], today=TODAY)
    assert [column.day for column in drawn.columns][-1] == TODAY
    assert len(drawn.columns) == CHART_DAYS
    assert drawn.ceiling == 5
    assert (drawn.total, drawn.reasons) == (0, ())


def test_older_days_are_left_out() -> None:
    old = TODAY - timedelta(days=CHART_DAYS)
    assert sum(column.total for column in chart([(old, "known", 9)], today=TODAY).columns) == 0


@given(st.lists(st.tuples(st.sampled_from(REASONS), st.integers(1, 5000)), min_size=1))
def test_bar_is_as_high_as_its_count_and_stays_inside(rows: list[tuple[str, int]]) -> None:
    drawn = chart([(TODAY, reason, count) for reason, count in rows], today=TODAY)
    column = drawn.columns[-1]
    assert column.total == sum(count for _, count in rows) <= drawn.ceiling
    height = sum(segment.height for segment in column.segments)
    assert abs(height - column.total / drawn.ceiling * (BASE - TOP)) < 1e-6
    assert min(segment.y for segment in column.segments) >= TOP - 1e-6
