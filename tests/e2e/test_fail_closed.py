"""Whatever breaks, nothing unscreened is shown: a dead, hung or slow detector, a dead proxy."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error

from tests.e2e.conftest import Guards
from tests.e2e.guard_processes import Guard
from tests.e2e.known import Album
from tests.e2e.matrix import visits
from tests.e2e.matrix.browser import finish, page, screenshot
from tests.e2e.matrix.processes import end
from tests.e2e.matrix.visits import Showing

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("certutil")]

DEADLINE_S = 0.5
VISITS = ("strict", "plain", "integrity", "navigation")


@contextmanager
def stopped(guard: Guard) -> Iterator[None]:
    """Freeze the detector and its workers, as a machine that swaps would."""
    group = os.getpgid(guard.detector.pid)
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGCONT)


@pytest.fixture(scope="module")
def hurried(guards: Guards, known: Path) -> Iterator[tuple[Guard, Browser]]:
    """A guard whose pictures wait half a second at most."""
    with guards(lists=(known,), deadline_s=DEADLINE_S) as (guard, browser):
        yield guard, browser


@pytest.mark.parametrize("name", ["listed", "free"])
@pytest.mark.parametrize(
    "visit", [VISITS[0], *(pytest.param(one, marks=pytest.mark.slow) for one in VISITS[1:])]
)
def test_past_the_deadline_nothing_is_shown(
    visit: str, name: str, hurried: tuple[Guard, Browser], album: Album
) -> None:
    guard, browser = hurried
    with stopped(guard):
        showing = visits.VISITS[visit](browser, name, album[name])
    assert_no_picture(showing)


def test_after_the_detector_recovered_free_pictures_are_shown(
    hurried: tuple[Guard, Browser], album: Album
) -> None:
    guard, browser = hurried
    with stopped(guard):
        visits.strict(browser, "free", album["free"])
    showing = visits.strict(browser, "free", album["free"])
    assert not showing.missing(showing.cool)


@pytest.mark.parametrize("name", ["listed", pytest.param("free", marks=pytest.mark.slow)])
def test_without_a_detector_nothing_is_shown(
    name: str, guards: Guards, known: Path, album: Album
) -> None:
    with guards(lists=(known,)) as (guard, browser):
        end(guard.detector)
        for visit in VISITS:
            assert_no_picture(visits.VISITS[visit](browser, name, album[name]))


@pytest.mark.slow
def test_a_detector_killed_while_a_page_loads_shows_nothing_hidden(
    guards: Guards, known: Path, album: Album
) -> None:
    with guards(lists=(known,)) as (guard, browser):
        with page(browser) as (opened, film):
            opened.goto(f"{visits.SITE}/p/wall?set=listed", wait_until="commit")
            opened.wait_for_timeout(200)
            os.killpg(os.getpgid(guard.detector.pid), signal.SIGKILL)
            finish(opened)
            shown = Showing()
            shown.look(screenshot(opened), [])
            shown.watch(film)
        assert shown.frames > 0
        assert shown.warm_pixels == 0


def test_with_the_proxy_killed_no_page_opens(guards: Guards, known: Path) -> None:
    with guards(lists=(known,)) as (guard, browser):
        os.killpg(os.getpgid(guard.proxy.pid), signal.SIGKILL)
        with page(browser) as (opened, film):
            with pytest.raises(Error, match="ERR_PROXY_CONNECTION_FAILED"):
                opened.goto(f"{visits.SITE}/p/strict?set=listed")
            assert sum(film.warm) == 0


def assert_no_picture(showing: Showing) -> None:
    assert showing.frames > 0
    assert showing.warm_pixels == 0
    assert not any(showing.cool.values()), [cell for cell, cool in showing.cool.items() if cool]
