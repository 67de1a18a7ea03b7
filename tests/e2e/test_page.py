"""The person's page in a real browser: readable by everybody, and its buttons act."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Playwright

from protech.guard import consent
from protech.guard.record import Record, day_of
from protech.serve.tokens import OneTimeTokens
from protech.serve.web import entry_url
from tests.e2e.matrix.browser import chromium

REASONS = ("known", "resembles", "classified", "adult_filter", "unsure", "unscannable")

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    rooms = tmp_path_factory.mktemp("page")
    with Record.open(rooms / "record") as record:
        for back in range(14):
            day = day_of(datetime.now(UTC)) - timedelta(days=back)
            for rank, reason in enumerate(REASONS):
                record.count(
                    day=day, surface="proxy", reason=reason, times=1 + (back * rank) % 7
                )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "protech.guard.dashboard", "--port", str(port)]
    for option in ("detector", "record", "pause-file", "tokens", "place"):
        command += [f"--{option}", str(rooms / option)]
    command += ["--listen", "127.0.0.1:8899"]
    with subprocess.Popen(command) as process:
        try:
            yield rooms
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def page(rooms: Path, playwright_: Playwright) -> Iterator[Page]:
    with chromium(playwright_, environment={**os.environ, "HOME": str(rooms)}) as browser:
        page = browser.new_page(viewport={"width": 1000, "height": 900}, locale="en-GB")
        address = None
        for _ in range(100):
            address = entry_url(rooms / "place", OneTimeTokens(rooms / "tokens"))
            if address is not None:
                break
            page.wait_for_timeout(100)
        assert address is not None
        page.goto(address)
        page.wait_for_selector("h1")
        yield page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 380])
def test_page_is_accessible(page: Page, scheme: Literal["light", "dark"], width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_nothing_on_the_page_breaks_its_own_policy(page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.reload()
    page.wait_for_selector("svg.chart")
    assert complaints == []
    assert page.locator("svg.chart rect").count() > 0


def test_chart_says_what_the_table_says(page: Page) -> None:
    page.click("summary")
    assert page.locator("tbody tr").count() == 14
    assert page.locator("svg.chart").get_attribute("aria-label")


def test_pause_button_pauses_and_the_page_says_so(page: Page, rooms: Path) -> None:
    page.click("text=Pause for 10 minutes")
    page.wait_for_selector("text=The guard is paused")
    until = consent.paused_until(rooms / "pause-file", now=datetime.now(UTC))
    assert until is not None
    page.click("text=Resume now")
    page.wait_for_selector("text=Pause for 10 minutes")
    assert consent.paused_until(rooms / "pause-file", now=datetime.now(UTC)) is None


def test_page_left_open_follows_the_state(page: Page, rooms: Path) -> None:
    consent.pause(rooms / "pause-file", now=datetime.now(UTC), minutes=10)
    page.wait_for_selector("text=The guard is paused", timeout=10_000)
    consent.resume(rooms / "pause-file")
    page.wait_for_selector("text=Pause for 10 minutes", timeout=10_000)
