"""The page of a case in a real browser: read by everybody, and true while the log grows."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.e2e.matrix.browser import chromium
from tests.unit.locate.page.made import case, counts, run, sighting
from tests.unit.locate.page.running import Running, running

PEERS = 10_000

pytestmark = pytest.mark.needs("chromium")

Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def browser(
    playwright_: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    home = tmp_path_factory.mktemp("home")
    with chromium(playwright_, environment={**os.environ, "HOME": str(home)}) as opened:
        yield opened


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = case(seed=4, peers=300, sightings=3000, end=datetime.now(UTC))
    with running(tmp_path_factory.mktemp("case"), made) as page:
        yield page


def opened(browser: Browser, running_page: Running, **context: Any) -> Page:
    page = browser.new_context(viewport={"width": 1300, "height": 900}, **context).new_page()
    page.set_default_timeout(20_000)
    page.goto(running_page.entry())
    page.wait_for_url("**/")
    page.wait_for_selector("h1")
    return page


@pytest.fixture
def page(browser: Browser, shown: Running) -> Iterator[Page]:
    page = opened(browser, shown, locale="en-GB")
    yield page
    page.context.close()


def to_first_peer(page: Page) -> None:
    page.click("table.peers tbody th a")
    page.wait_for_selector("table.history")


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1300, "light"),
        (380, "dark"),
        pytest.param(1300, "dark", marks=pytest.mark.slow),
        pytest.param(380, "light", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("which", ["case", "peer"])
def test_page_is_accessible(page: Page, scheme: Scheme, width: int, which: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    if which == "peer":
        to_first_peer(page)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [1300, 380])
def test_nothing_is_cut_off_beside_the_page(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    to_first_peer(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_on_the_page_breaks_its_own_policy(page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.reload()
    to_first_peer(page)
    page.wait_for_timeout(2500)  # a look of its own, too
    assert complaints == []


def test_nothing_is_asked_of_anybody_else(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_timeout(2500)
    origin = page.url.rstrip("/")
    assert asked
    assert all(url.startswith(origin) for url in asked)


def test_filters_narrow_the_list_and_can_be_cleared(page: Page) -> None:
    everybody = page.inner_text(".found strong")
    page.select_option("select[name=level]", "4")
    page.select_option("select[name=network]", "ed2k")
    page.click(".filters button")
    page.wait_for_url("**/?*level=4*")
    levels = page.locator("table.peers tbody .level .number").all_inner_texts()
    assert set(levels) == {"4"}
    assert set(page.locator("table.peers tbody th .quiet-text").all_inner_texts()) == {"eD2k"}
    assert page.inner_text(".found strong") != everybody
    page.click("text=Clear filters")
    expect(page.locator(".found strong")).to_have_text(everybody)


def test_a_tile_of_the_map_chooses_its_country(page: Page) -> None:
    tile = page.locator(".map a", has_text="BE")
    assert re.match(r"Belgium: \d+ peers", tile.get_attribute("aria-label") or "")
    tile.click()
    page.wait_for_url("**/?country=BE*")
    places = page.locator("table.peers tbody td:nth-child(3)").all_inner_texts()
    assert places
    assert all(text.startswith("Belgium") for text in places)
    assert page.locator(".map .chosen").count() == 1


def test_the_list_is_ordered_by_what_its_head_says(page: Page) -> None:
    page.click("thead a:has-text('Sightings')")
    page.wait_for_url("**/?sort=activity*")
    texts = page.locator("table.peers tbody td:nth-child(6)").all_inner_texts()
    numbers = [int(text.replace(",", "")) for text in texts]
    assert numbers == sorted(numbers, reverse=True)
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Sightings")


def test_a_peer_shows_its_history_and_leads_back(page: Page) -> None:
    address = page.inner_text("table.peers tbody tr:first-child th a")
    to_first_peer(page)
    assert page.inner_text("h1").startswith(address)
    assert address.split(":")[0] not in page.url
    assert page.locator("table.history tbody tr").count() > 0
    assert page.locator("svg.timeline circle").count() > 0
    assert page.is_visible("text=Can a subscriber request be proposed?")
    page.click(".back a")
    page.wait_for_selector("table.peers")


def test_the_chart_says_what_its_table_says(page: Page) -> None:
    page.click("summary")
    column = page.locator("table.numbers tbody td:nth-child(2)").all_inner_texts()
    total = sum(int(text.replace(",", "")) for text in column)
    label = page.get_attribute("#time svg.chart", "aria-label") or ""
    assert f"{total:,} at level 4" in label


def test_an_address_is_found_without_standing_in_a_url(page: Page) -> None:
    address = page.inner_text("table.peers tbody tr:nth-child(3) th a")
    page.fill("input[name=address]", address)
    page.press("input[name=address]", "Enter")
    page.wait_for_selector("table.history")
    assert page.inner_text("h1").startswith(address)
    assert address.split(":")[0] not in page.url


def test_everything_is_reached_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(200):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(({tagName, name, id, href}) => `${tagName} ${name || id || ''}`)"
                "(document.activeElement)"
            )
        )
    wanted = {"BUTTON live", "SELECT level", "SELECT sort", "INPUT entry", "INPUT address"}
    assert wanted <= reached
    page.focus("table.peers tbody tr:first-child th a")
    page.keyboard.press("Enter")
    page.wait_for_selector("table.history")


@pytest.mark.parametrize("which", ["case", "peer"])
def test_the_page_speaks_french(browser: Browser, shown: Running, which: str) -> None:
    page = opened(browser, shown, locale="fr-FR")
    if which == "peer":
        to_first_peer(page)
    assert page.get_attribute("html", "lang") == "fr"
    text = page.inner_text("body")
    assert "Ce que chaque niveau montre, et ce qu’il ne montre pas" in text
    for english in ("Sightings", "Delivered", "peers", "Level", "Last"):
        assert english not in text
    page.click("text=English")
    page.wait_for_selector("html[lang=en]")
    page.context.close()


def test_the_page_works_without_scripts(browser: Browser, shown: Running) -> None:
    page = opened(browser, shown, locale="en-GB", java_script_enabled=False)
    assert page.locator("table.peers tbody tr").count() > 0
    assert not page.is_visible("#live")
    page.select_option("select[name=level]", "3")
    page.click(".filters button")
    page.wait_for_url("**/?*level=3*")
    to_first_peer(page)
    page.context.close()


def test_a_new_proof_is_told_while_the_page_is_open(browser: Browser, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    records = [run(now), sighting(now, level=3), counts(now)]
    with running(tmp_path, records) as started:
        page = opened(browser, started, locale="en-GB")
        assert page.is_visible("text=No peer has delivered a piece yet.")
        page.focus("table.peers tbody th a")
        started.log.append(
            [sighting(now + timedelta(seconds=9), level=4, address="198.18.9.9", entry="ab12")]
        )
        page.wait_for_selector("#alert-list .fresh", timeout=20_000)
        assert "ab12" in page.inner_text("#alert-list")
        assert page.is_visible("#alert-list .new")
        assert "a piece of file ab12 was delivered" in page.inner_text("#announce[role=status]")
        assert page.title().startswith("(1) ")
        assert page.is_visible("text=198.18.9.9:6881")
        focused = page.evaluate("document.activeElement.textContent")
        assert focused == "198.18.1.1:6881", "whoever reads the list stays where they were"
        assert page.locator("svg.map a").count() == 1
        page.click("#seen")
        assert page.locator("#alert-list .fresh").count() == 0
        assert not page.title().startswith("(")
        page.context.close()


def test_updates_can_be_paused_and_a_lost_program_is_told(
    browser: Browser, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    with running(tmp_path, [run(now), sighting(now, level=3)]) as started:
        page = opened(browser, started, locale="en-GB")
        page.wait_for_timeout(500)
        page.click("#live")
        started.log.append([sighting(now, level=3, address="198.18.9.9")])
        page.wait_for_timeout(3000)
        assert not page.is_visible("text=198.18.9.9:6881")
        page.click("#live")
        page.wait_for_selector("text=198.18.9.9:6881", timeout=20_000)
        started.process.terminate()
        page.wait_for_selector("#lost", state="visible", timeout=20_000)
        page.context.close()


@pytest.mark.slow
def test_a_large_case_is_read_in_parts_and_stays_a_page_long(
    browser: Browser, tmp_path: Path
) -> None:
    made = case(seed=5, peers=PEERS, sightings=30_000, end=datetime.now(UTC))
    with running(tmp_path, made) as started:
        page = opened(browser, started, locale="en-GB")
        expect(page.locator("#case .warning")).to_have_count(0, timeout=120_000)
        found = int(page.inner_text(".found strong").split()[0].replace(",", ""))
        assert found > PEERS * 0.9
        assert page.locator("table.peers tbody tr").count() == 25
        page.click("a:has-text('Last') >> nth=-1")
        page.wait_for_url("**/?page=*")
        assert 0 < page.locator("table.peers tbody tr").count() <= 25
        page.context.close()
