"""Sightings over time as small bars, one strip a level; pure geometry, drawn by a template.

A strip has a scale of its own: level 4 is rare beside what is only mentioned, and would not be
seen in one bar with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from protech.locate.page.fold import BUCKET_MS
from protech.locate.page.peer import LEVELS
from protech.locate.page.reading import moment_of

STEPS_MIN = (1, 5, 15, 60, 180, 720, 1440, 10080, 43200)
DAY_MIN = 24 * 60
COLUMNS = 60
LEAST_COLUMNS = 20
"""So many places there are at least: one minute is not drawn as one broad bar."""
WIDTH, STRIP, BAR, LEFT, RIGHT = 720, 46, 34, 44, 8
BAR_SHARE = 0.8
LABELS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar, in the units of the drawing, from the top of its strip."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One level: its bars, the highest count, and the sum."""

    level: int
    bars: tuple[Bar, ...]
    highest: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step of time with its count at each level, for the table; empty ones are left out."""

    begins_at: datetime
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The strips from level 4 down, the labels below, and the same in numbers."""

    strips: tuple[Strip, ...]
    labels: tuple[tuple[float, datetime], ...]
    lines: tuple[Line, ...]
    step_min: int
    height: int
    label: Literal["clock", "short", "day"]
    """What of a moment tells the labels apart."""


def chart(buckets: Mapping[int, Sequence[int]]) -> Chart | None:
    """Return counts by minute since 1970 and level as a chart; None of nothing."""
    if not buckets:
        return None
    first, last = min(buckets), max(buckets)
    step = next(
        (one for one in STEPS_MIN if last // one - first // one < COLUMNS), STEPS_MIN[-1]
    )
    start = max(first // step, last // step - COLUMNS + 1)
    columns = [[0] * len(LEVELS) for _ in range(last // step - start + 1)]
    for minute, counts in buckets.items():
        place = minute // step - start
        if place >= 0:
            for level, count in enumerate(counts):
                columns[place][level] += count
    return Chart(
        strips=tuple(_strip(level, columns) for level in reversed(LEVELS)),
        labels=tuple(_labels(start, len(columns), step)),
        lines=tuple(
            Line(begins_at=_moment(start + place, step), counts=tuple(counts))
            for place, counts in enumerate(columns)
            if any(counts)
        ),
        step_min=step,
        height=STRIP * len(LEVELS) + 24,
        label=_label(step, step * len(columns)),
    )


def _label(step_min: int, span_min: int) -> Literal["clock", "short", "day"]:
    if step_min >= DAY_MIN:
        return "day"
    return "short" if span_min > DAY_MIN else "clock"


def _strip(level: int, columns: Sequence[Sequence[int]]) -> Strip:
    counts = [column[level] for column in columns]
    highest = max(counts)
    pitch = (WIDTH - LEFT - RIGHT) / max(len(columns), LEAST_COLUMNS)
    bars = []
    for place, count in enumerate(counts):
        if count:
            height = max(2.0, BAR * count / highest)
            bars.append(
                Bar(
                    x=LEFT + pitch * (place + (1 - BAR_SHARE) / 2),
                    y=STRIP - height,
                    width=pitch * BAR_SHARE,
                    height=height,
                )
            )
    return Strip(level=level, bars=tuple(bars), highest=highest, total=sum(counts))


def _labels(start: int, columns: int, step: int) -> list[tuple[float, datetime]]:
    pitch = (WIDTH - LEFT - RIGHT) / max(columns, LEAST_COLUMNS)
    every = max(1, -(-columns // LABELS))
    return [
        (LEFT + pitch * (place + 0.5), _moment(start + place, step))
        for place in range(0, columns, every)
    ]


def _moment(place: int, step: int) -> datetime:
    return moment_of(place * step * BUCKET_MS)
