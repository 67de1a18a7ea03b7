"""What the page shows, worked out from plain values; pure, so every state can be tested."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from protech.guard.dashboard.chart import Chart, chart

State = Literal["on", "paused", "down"]

_GAPS = {
    (False, False): "no_protection",
    (False, True): "no_list",
    (True, False): "no_model",
    (True, True): None,
}
"""The phrase for what is missing, by whether there is a list and whether there is a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListShown:
    """A known list as the page names it."""

    name: str
    version: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything on the page that is not a fixed phrase; ``warnings`` are keys of phrases."""

    state: State
    paused_until: str
    warnings: tuple[str, ...]
    chart: Chart
    hidden_today: int
    lists: tuple[ListShown, ...]
    models: tuple[str, ...]
    listen: str
    kept_days: int


def state_of(detector: Mapping[str, Any] | None, paused_until: datetime | None) -> State:
    """Return the guard's state; a pause comes first, since everything is shown then."""
    if paused_until is not None:
        return "paused"
    return "on" if detector is not None else "down"


def look(
    detector: Mapping[str, Any] | None,
    counts: Iterable[tuple[date, str, int]],
    *,
    paused_until: datetime | None,
    today: date,
    listen: str,
    kept_days: int,
) -> View:
    """Return the view of one moment.

    Args:
        detector: The detector's state answer, None where it does not answer.
        counts: Rows of day, reason and count.
        paused_until: When a running pause ends, in the person's time zone.
        today: The day that "today" means, in the record's reckoning.
        listen: Address and port that a browser is pointed at.
        kept_days: How long the record is kept.
    """
    drawn = chart(counts, today=today)
    return View(
        state=state_of(detector, paused_until),
        paused_until=paused_until.strftime("%H:%M") if paused_until else "",
        warnings=tuple(_warnings(detector)) if detector is not None else (),
        chart=drawn,
        hidden_today=drawn.columns[-1].total,
        lists=tuple(_lists(detector or {})),
        models=tuple((detector or {}).get("models", {}).values()),
        listen=listen,
        kept_days=kept_days,
    )


def _warnings(detector: Mapping[str, Any]) -> Iterable[str]:
    gap = _GAPS[bool(detector["lists"]), bool(detector["models"])]
    if gap is not None:
        yield gap
    if any(item["stale"] for item in detector["lists"]):
        yield "stale"
    if not detector.get("sandboxed", False):
        yield "no_sandbox"


def _lists(detector: Mapping[str, Any]) -> Sequence[ListShown]:
    return [
        ListShown(name=item["name"], version=item["version"], entries=item.get("count", 0))
        for item in detector.get("lists", ())
    ]
