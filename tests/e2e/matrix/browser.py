"""A real Chromium, driven by playwright, that remembers every frame it has shown."""

import base64
import contextlib
import io
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Error, Page, Playwright, ProxySettings

from tests.e2e.matrix.pages import CELL_HEIGHT_PX, CELL_WIDTH_PX, COLUMNS
from tests.e2e.matrix.pictures import Pixels, warm_pixels

CHROMIUM = "/usr/bin/chromium"
SETTLE_MS = 150


@dataclass(slots=True)
class Film:
    """The frames of a page as it was shown; only the count of warm pixels is kept of each."""

    warm: list[int] = field(default_factory=list)

    def add(self, picture: bytes) -> None:
        """Count one encoded frame."""
        self.warm.append(int(warm_pixels(pixels_of(picture)).sum()))


def trusting(home: Path, authority: Path) -> dict[str, str]:
    """Return an environment in which Chromium trusts ``authority``, as a person would make it.

    The browser then checks the whole chain itself: names, constraints, dates and purposes.
    """
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True, exist_ok=True)
    database = f"sql:{store}"
    subprocess.run(["certutil", "-N", "-d", database, "--empty-password"], check=True)
    subprocess.run(
        ["certutil", "-A", "-d", database, "-n", "test", "-t", "C,,", "-i", str(authority)],
        check=True,
    )
    return {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "share")}


@contextlib.contextmanager
def chromium(
    playwright: Playwright,
    *,
    environment: dict[str, str],
    proxy_port: int | None = None,
    addresses: dict[str, str] | None = None,
) -> Iterator[Browser]:
    """Start Chromium, through the proxy on ``proxy_port`` or straight to ``addresses``."""
    arguments = [
        "--no-sandbox",
        "--disable-component-update",
        "--disable-background-networking",
        "--force-color-profile=srgb",
    ]
    if addresses:
        rules = ",".join(f"MAP {host} {place}" for host, place in addresses.items())
        arguments.append(f"--host-resolver-rules={rules}")
    proxy: ProxySettings = {
        "server": f"http://127.0.0.1:{proxy_port}",
        "bypass": "<-loopback>",  # else Chromium reaches loopback past the proxy
    }
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=arguments,
        env={**environment},
        proxy=proxy if proxy_port else None,
    )
    try:
        yield browser
    finally:
        browser.close()


@contextlib.contextmanager
def page(
    browser: Browser, *, height_px: int = 800, is_filmed: bool = True
) -> Iterator[tuple[Page, Film]]:
    """Open a page as wide as the wall, and film it until the ``with`` ends."""
    context = browser.new_context(
        viewport={"width": COLUMNS * CELL_WIDTH_PX, "height": height_px}
    )
    opened = context.new_page()
    film = Film()
    if is_filmed:
        _record(context.new_cdp_session(opened), film)
    try:
        yield opened, film
    finally:
        context.close()


def _record(session: CDPSession, film: Film) -> None:
    def keep(event: dict[str, Any]) -> None:
        film.add(base64.b64decode(event["data"]))
        with contextlib.suppress(Error):  # the page may be closing
            session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    session.on("Page.screencastFrame", keep)
    session.send("Page.startScreencast", {"format": "jpeg", "quality": 90})


def finish(opened: Page) -> Any:
    """Wait for the page's own ``finished`` promise and for the last paint; return its value."""
    result = opened.evaluate("window.finished")
    opened.wait_for_timeout(SETTLE_MS)
    return result


def screenshot(opened: Page) -> Pixels:
    """Return what the whole page shows now, (height, width, 3) uint8 sRGB."""
    return pixels_of(opened.screenshot(full_page=True))


def pixels_of(picture: bytes) -> Pixels:
    """Decode a screenshot of our own."""
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def cells(shot: Pixels, names: list[str], *, top_px: int = 0) -> dict[str, Pixels]:
    """Cut a screenshot of a wall into its cells."""
    cut = {}
    for place, name in enumerate(names):
        row, column = divmod(place, COLUMNS)
        top, left = top_px + row * CELL_HEIGHT_PX, column * CELL_WIDTH_PX
        cut[name] = shot[top : top + CELL_HEIGHT_PX, left : left + CELL_WIDTH_PX]
    return cut
