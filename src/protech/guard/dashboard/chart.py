"""Counts by day and reason as bars of a chart; pure geometry, drawn by the page's template."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

CHART_DAYS = 14
REASONS = ("known", "resembles", "classified", "adult_filter", "unsure", "unscannable")
"""From the bottom of a bar to its top; the page's style gives each a colour and a pattern."""

WIDTH, HEIGHT, BASE, LEFT = 700, 220, 190, 40
BAR_SHARE = 0.7
TOP = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One reason's part of one day's bar, in the units of the drawing."""

    reason: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One day: its bar, its label and its total."""

    day: date
    middle: float
    total: int
    by_reason: dict[str, int]
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Columns from the oldest day to today, and the value that the full height stands for."""

    columns: tuple[Column, ...]
    ceiling: int

    @property
    def total(self) -> int:
        """All counts drawn."""
        return sum(column.total for column in self.columns)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons that occur, from the bottom of a bar to its top."""
        return tuple(
            reason
            for reason in REASONS
            if any(column.by_reason.get(reason) for column in self.columns)
        )


def chart(counts: Iterable[tuple[date, str, int]], *, today: date) -> Chart:
    """Return the last ``CHART_DAYS`` days of (day, reason, count) rows, empty days too."""
    by_day: dict[date, dict[str, int]] = {}
    for day, reason, count in counts:
        reasons = by_day.setdefault(day, {})
        reasons[reason] = reasons.get(reason, 0) + count
    days = [today - timedelta(days=back) for back in reversed(range(CHART_DAYS))]
    ceiling = _ceiling(max(sum(by_day.get(day, {}).values()) for day in days))
    return Chart(
        columns=tuple(
            _column(day, by_day.get(day, {}), place, ceiling) for place, day in enumerate(days)
        ),
        ceiling=ceiling,
    )


def _ceiling(highest: int) -> int:
    """Return the next of 5, 10, 20, 50, 100, ... that is not below ``highest``."""
    scale = 1
    while True:
        for step in (5, 10, 20):
            if highest <= step * scale:
                return step * scale
        scale *= 10


def _column(day: date, by_reason: dict[str, int], place: int, ceiling: int) -> Column:
    pitch = (WIDTH - LEFT) / CHART_DAYS
    x = LEFT + place * pitch + pitch * (1 - BAR_SHARE) / 2
    return Column(
        day=day,
        middle=LEFT + (place + 0.5) * pitch,
        total=sum(by_reason.values()),
        by_reason=by_reason,
        segments=tuple(_stack(by_reason, x, pitch * BAR_SHARE, ceiling)),
    )


def _stack(
    by_reason: dict[str, int], x: float, width: float, ceiling: int
) -> Sequence[Segment]:
    segments = []
    y = float(BASE)
    for reason in REASONS:
        height = by_reason.get(reason, 0) / ceiling * (BASE - TOP)
        if height:
            y -= height
            segments.append(Segment(reason=reason, x=x, y=y, width=width, height=height))
    return segments
