"""Visits of the site's pages; each gives what was on the screen, by cell and by frame."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page

from tests.e2e.matrix.browser import SETTLE_MS, Film, cells, finish, page, screenshot
from tests.e2e.matrix.pages import ANIMATED, wall_cells
from tests.e2e.matrix.pictures import FRAME_MS, Picture, Pixels, cool_pixels, warm_pixels

SITE = "https://site.example"
SHOWN_SHARE = 0.5
"""Of a cell's pixels; less is a picture that did not arrive."""

SHOTS = 12
"""Of an animation; enough that each of its frames is met."""

NAVIGATED = ("chunked", "slow", "gzip", "br", "twice", "mixed")
NAVIGATED_PIXELS = 20_000
"""A picture opened by itself lies on a black page; this much of it counts as wholly shown."""

Group = dict[str, Picture]


@dataclass(slots=True)
class Showing:
    """Shares of each cell that were warm and cool at the most, and warm pixels ever shown."""

    warm: dict[str, float] = field(default_factory=dict)
    cool: dict[str, float] = field(default_factory=dict)
    warm_pixels: int = 0
    frames: int = 0
    result: Any = None

    def look(self, shot: Pixels, names: list[str]) -> None:
        """Take in one screenshot of a wall with these cells."""
        self.warm_pixels += int(warm_pixels(shot).sum())
        for name, cell in cells(shot, names).items():
            self.warm[name] = max(self.warm.get(name, 0.0), float(warm_pixels(cell).mean()))
            self.cool[name] = max(self.cool.get(name, 0.0), float(cool_pixels(cell).mean()))

    def watch(self, film: Film) -> None:
        """Take in the frames that were filmed meanwhile."""
        self.warm_pixels += sum(film.warm)
        self.frames += len(film.warm)

    def warm_cells(self) -> list[str]:
        """Return the cells in which anything warm was seen."""
        return [name for name, share in self.warm.items() if share > 0]

    def missing(self, shares: dict[str, float]) -> list[str]:
        """Return the cells that show too little of their picture."""
        return [name for name, share in shares.items() if share < SHOWN_SHARE]


def wall(browser: Browser, name: str, group: Group) -> Showing:
    """Visit every delivery of the wall at once."""
    return _visit(browser, f"{SITE}/p/wall?set={name}", wall_cells(group))


def plain(browser: Browser, name: str, group: Group) -> Showing:
    """Visit a page and its pictures over HTTP without TLS."""
    showing = Showing()
    with page(browser) as (opened, film):
        opened.goto(f"http://plain.example/p/plain?set={name}")
        opened.wait_for_timeout(100)
        showing.look(screenshot(opened), [f"plain/{copy}" for copy in group])
        showing.watch(film)
    return showing


def lazy(browser: Browser, name: str, group: Group) -> Showing:
    """Scroll far down to pictures that load only then."""
    showing = Showing()
    with page(browser, height_px=240) as (opened, film):
        opened.goto(f"{SITE}/p/lazy?set={name}")
        early = opened.evaluate("[...document.images].filter(i => i.complete).length")
        opened.evaluate("document.getElementById('wall').scrollIntoView({block: 'end'})")
        opened.wait_for_function("[...document.images].every(i => i.complete)")
        opened.wait_for_timeout(100)
        names = [f"lazy/{copy}" for copy in group]
        shot = screenshot(opened)
        showing.look(shot[9000:], names)
        showing.watch(film)
        showing.result = early
    return showing


def animated(browser: Browser, name: str, group: Group) -> Showing:
    """Watch animations through all of their frames."""
    showing = Showing()
    names = [f"{delivery}/{copy}" for delivery in ANIMATED for copy in group]
    with page(browser, height_px=240) as (opened, film):
        opened.goto(f"{SITE}/p/animated?set={name}")
        finish(opened)
        for _ in range(SHOTS):
            showing.look(screenshot(opened), names)
            opened.wait_for_timeout(FRAME_MS / 3)
        showing.watch(film)
    return showing


def formats(browser: Browser, name: str, group: Group) -> Showing:
    """Visit one page of pictures in every format that Chromium paints."""
    showing = Showing()
    with page(browser) as (opened, film):
        opened.goto(f"{SITE}/p/formats?set={name}")
        opened.wait_for_timeout(SETTLE_MS)
        showing.look(screenshot(opened), [f"formats/{copy}" for copy in group])
        showing.watch(film)
    return showing


def strict(browser: Browser, name: str, group: Group) -> Showing:
    """Visit a page under ``default-src 'self'``; the result is what violated the policy."""

    def violations(opened: Page) -> Any:
        return opened.evaluate("window.violations")

    kinds = ("img", "canvas", "stylesheet")
    names = [f"{kind}/{copy}" for kind in kinds for copy in group]
    return _visit(browser, f"{SITE}/p/strict?set={name}", names, ask=violations)


def integrity(browser: Browser, name: str, group: Group) -> Showing:
    """Visit a page whose script has an integrity digest; the result is whether it ran."""
    names = [f"integrity/{copy}" for copy in group]
    return _visit(browser, f"{SITE}/p/integrity?set={name}", names)


def offline(browser: Browser, name: str, group: Group) -> Showing:
    """Visit three times: a service worker arrives, keeps the pictures, serves them itself."""
    showing = Showing()
    with page(browser) as (opened, film):
        for _ in range(3):
            opened.goto(f"{SITE}/p/offline?set={name}")
            showing.result = finish(opened)
            showing.look(screenshot(opened), [f"offline/{copy}" for copy in group])
        kept = opened.evaluate("caches.open('kept').then(c => c.keys()).then(k => k.length)")
        showing.result = (showing.result, kept)
        showing.watch(film)
    return showing


def navigation(browser: Browser, name: str, group: Group) -> Showing:
    """Open each picture by itself, as an address in the address bar."""
    showing = Showing()
    with page(browser) as (opened, film):
        for cell in [f"plain/{copy}" for copy in group] + [f"{t}/own" for t in NAVIGATED]:
            transport, copy = cell.split("/")
            opened.goto(f"{SITE}/m/{transport}/{name}/{copy}?opened")
            shot = screenshot(opened)
            showing.warm_pixels += int(warm_pixels(shot).sum())
            showing.warm[cell] = int(warm_pixels(shot).sum()) / NAVIGATED_PIXELS
            showing.cool[cell] = int(cool_pixels(shot).sum()) / NAVIGATED_PIXELS
        showing.watch(film)
    return showing


DIFFERING = """async expected => {
  const wrong = [];
  for (const [address, sent] of Object.entries(expected)) {
    const got = await sums([address]).catch(error => ({[address]: String(error)}));
    if (got[address] !== sent) wrong.push(address);
  }
  return wrong;
}"""


def differing(browser: Browser, name: str, expected: dict[str, str]) -> set[str]:
    """Return the addresses whose bytes do not arrive as the origin sent them."""
    with page(browser, is_filmed=False) as (opened, _):
        opened.goto(f"{SITE}/p/animated?set={name}-moving")
        finish(opened)
        return set(opened.evaluate(DIFFERING, expected))


def _visit(
    browser: Browser, url: str, names: list[str], *, ask: Callable[[Page], Any] | None = None
) -> Showing:
    showing = Showing()
    with page(browser) as (opened, film):
        opened.goto(url)
        showing.result = finish(opened)
        if ask is not None:
            showing.result = ask(opened)
        showing.look(screenshot(opened), names)
        showing.watch(film)
    return showing


VISITS: dict[str, Callable[[Browser, str, Group], Showing]] = {
    "wall": wall,
    "plain": plain,
    "lazy": lazy,
    "strict": strict,
    "integrity": integrity,
    "offline": offline,
    "navigation": navigation,
}
