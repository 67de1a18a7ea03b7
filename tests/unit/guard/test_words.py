"""What the guard says: everything a person needs, nothing that is not so."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from protech.guard import words
from protech.guard.help import SERVICES
from protech.guard.record import Count
from protech.guard.running import Running
from protech.serve.detector_wire import Surface
from protech.types import Reason

RUNNING = Running(
    process=1,
    listen="127.0.0.1:8899",
    certificate="/state/authority.pem",
    detector="/run/detector",
    started_at="2026-03-01T12:00:00+00:00",
)
BARE: dict[str, Any] = {"lists": [], "models": {}, "workers": 2, "sandboxed": True}
LISTED = {**BARE, "lists": [{"name": "own", "version": 3, "stale": False, "count": 1}]}
STALE = {**BARE, "lists": [{"name": "own", "version": 3, "stale": True, "count": 1200}]}
MODELLED = {**BARE, "models": {"explicit": "e1", "face": "f1"}}


def count(reason: Reason, times: int) -> Count:
    return Count(day=date(2026, 3, 1), surface=Surface.PROXY, reason=reason, count=times)


def test_the_start_says_where_to_point_a_browser_and_what_is_not_protected() -> None:
    said = words.started(RUNNING, LISTED, page="http://page/")
    for needed in (
        "127.0.0.1, port 8899",
        "--proxy-server=127.0.0.1:8899",
        "/state/authority.pem",
        "Not protected",
        "Video, which is not judged yet",
        "own, version 3, 1 entry",
        "http://page/",
        "Ctrl-C",
    ):
        assert needed in said


def test_no_line_is_wider_than_a_terminal() -> None:
    for said in (
        words.started(RUNNING, BARE, page=None),
        words.status(RUNNING, STALE, [], paused_until=None, page=None),
        words.help_lines(SERVICES),
    ):
        assert max(map(len, said.splitlines())) <= words.WIDTH


@pytest.mark.parametrize(
    ("state", "lists", "models"),
    [
        (BARE, "none", "none: only what is on a known list is found"),
        (MODELLED, "none: only the classifier protects you", "explicit, face"),
        (STALE, "own, version 3, 1,200 entries, EXPIRED", "none: only what is"),
    ],
)
def test_what_is_missing_is_said(state: dict[str, Any], lists: str, models: str) -> None:
    assert words.lists(state) == lists
    assert words.models(state).startswith(models)


def test_with_nothing_to_recognise_by_the_person_is_warned() -> None:
    assert "nothing is recognised" in words.started(RUNNING, BARE, page=None)
    assert words.warnings(MODELLED) == []


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (BARE, "off; "),
        ({**BARE, "adult_filter": True}, "on, but without a model"),
        ({**MODELLED, "adult_filter": True}, "on"),
    ],
)
def test_the_adult_filter_is_said_to_be_what_it_is(state: dict[str, Any], said: str) -> None:
    assert words.adult_filter(state).startswith(said)


def test_an_expired_list_is_a_warning() -> None:
    assert "expired" in words.warnings(STALE)[0]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"workers": 1, "sandboxed": True}, "in 1 process that the kernel has locked"),
        ({"workers": 2, "sandboxed": False}, "NOT locked"),
        ({}, "NOT locked"),
    ],
)
def test_an_unlocked_worker_is_never_called_locked(state: dict[str, Any], said: str) -> None:
    assert said in words.sandbox(state)


def test_hidden_items_are_counted_by_reason_over_surfaces() -> None:
    assert words.hidden([]) == "nothing"
    rows = [count(Reason.RESEMBLES, 2), count(Reason.KNOWN, 3), count(Reason.KNOWN, 1)]
    assert words.hidden(rows) == "6 (4 known, 2 resembles)"


def test_the_status_says_on_paused_or_silent() -> None:
    until = datetime(2026, 3, 1, 13, 5, tzinfo=UTC)
    on = words.status(RUNNING, LISTED, [], paused_until=None, page="http://page/")
    assert on.startswith("The guard is on since ")
    assert "http://page/" in on
    paused = words.status(RUNNING, LISTED, [], paused_until=until, page=None)
    assert paused.startswith(f"The guard is paused until {until.astimezone():%H:%M}.")
    silent = words.status(RUNNING, None, [], paused_until=None, page=None)
    assert "does not answer: every picture is hidden" in silent


def test_a_guard_that_is_off_says_how_to_start_it() -> None:
    said = words.not_running(Path("/state"))
    assert "protech guard" in said
    assert "/state" in said


def test_help_lines_carry_terms_and_date() -> None:
    said = words.help_lines(SERVICES)
    for service in SERVICES:
        assert service.site in said
        assert service.terms.split(".")[0][:60] in " ".join(said.split())
    assert "verified" in said
