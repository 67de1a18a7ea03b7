"""What the page says in each state of the guard."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from protech.guard.dashboard.view import View, look, state_of

TODAY = date(2026, 11, 23)
UNTIL = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
FULL: dict[str, Any] = {
    "lists": [{"name": "own", "version": 2, "stale": False, "count": 7}],
    "models": {"explicit": "open_nsfw-1"},
    "sandboxed": True,
}


def view(detector: dict[str, Any] | None, paused_until: datetime | None = None) -> View:
    return look(
        detector,
        [(TODAY, "known", 3), (TODAY, "unsure", 1)],
        paused_until=paused_until,
        today=TODAY,
        listen="127.0.0.1:8899",
        kept_days=30,
    )


def test_running_guard_is_on_without_warnings() -> None:
    seen = view(FULL)
    assert (seen.state, seen.warnings, seen.hidden_today) == ("on", (), 4)
    assert [(item.name, item.version, item.entries) for item in seen.lists] == [("own", 2, 7)]
    assert seen.models == ("open_nsfw-1",)


def test_pause_is_shown_before_all_else() -> None:
    assert state_of(None, UNTIL) == "paused"
    assert view(FULL, UNTIL).paused_until == "18:30"


def test_silent_detector_is_down() -> None:
    assert view(None).state == "down"


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"lists": []}, "no_list"),
        ({"models": {}}, "no_model"),
        ({"lists": [], "models": {}}, "no_protection"),
        ({"sandboxed": False}, "no_sandbox"),
        ({"lists": [{"name": "own", "version": 1, "stale": True}]}, "stale"),
    ],
)
def test_each_gap_is_said(change: dict[str, Any], warning: str) -> None:
    assert view({**FULL, **change}).warnings == (warning,)
