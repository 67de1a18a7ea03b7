"""What the guard's bench runs: an origin, a guard and a peer in front of it, clients."""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import Browser, Playwright

from protech.guard.proxy.certificates import CERTIFICATE_FILE
from tests.bench.h2_client import Fetched, H2Client
from tests.bench.passing_proxy import CERTIFICATE
from tests.e2e.guard_processes import (
    WORKERS,
    detector_arguments,
    proxy_arguments,
    wait_for,
)
from tests.e2e.matrix.browser import chromium, page, trusting
from tests.e2e.matrix.pictures import Picture, write
from tests.e2e.matrix.processes import Origin, launched, origin, started
from tests.loops import in_own_loop
from tests.make_data import encode, make_photo

PICTURES = 60
WIDTH_PX, HEIGHT_PX, QUALITY = 960, 720, 87
"""A JPEG of about 107 KB."""

HOST = "site.example"


WORKER = "protech.salus.worker"
"""The module that a worker runs, as its command line names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A proxy to go through: its port, the authority to trust, and its processes."""

    port: int
    authority: Path
    processes: tuple[int, ...]

    def fetch(self, paths: Sequence[str], *, at_once: int) -> list[Fetched]:
        """Return what came of ``paths``, all of them whole."""

        async def all_of_them() -> list[Fetched]:
            async with H2Client(HOST, proxy_port=self.port, authority=self.authority) as client:
                return await client.fetch_all(paths, at_once=at_once)

        fetched = in_own_loop(all_of_them)
        if any(one.status != 200 or not one.size_bytes for one in fetched):
            raise RuntimeError("an answer is missing; the figures would mean nothing")
        return fetched

    def p95_ms(self, paths: Sequence[str], *, at_once: int) -> float:
        """Return the 95th percentile of the milliseconds of one picture."""
        seconds = [one.seconds for one in self.fetch(paths, at_once=at_once)]
        return float(np.percentile(seconds, 95)) * 1000

    def rate(self, paths: Sequence[str], *, at_once: int) -> float:
        """Return how many pictures a second came while ``at_once`` were under way.

        The last ones, when fewer are under way, are counted but their time is as well.
        """
        began = time.perf_counter()
        return len(self.fetch(paths, at_once=at_once)) / (time.perf_counter() - began)

    def lasting_mb(self) -> float:
        """Return the resident memory of all processes that last as long as the guard does.

        Workers are left out: each is replaced after some items, so its memory goes up and down
        with its age and says nothing of growth.
        """
        total = 0
        for number in self.processes:
            process = psutil.Process(number)
            for one in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):  # replaced since
                    if WORKER not in one.cmdline():
                        total += one.memory_info().rss
        return total / 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The origin, and the two ways to it."""

    site: Origin
    directory: Path
    ours: Way
    theirs: Way

    @property
    def paths(self) -> list[str]:
        """Addresses of every picture."""
        return [f"/m/plain/bench/p{i:02}" for i in range(PICTURES)]

    def fresh_paths(self, count: int, *, mark: str) -> list[str]:
        """Addresses of pictures that nobody has judged before."""
        return [f"/m/numbered/bench/p{i % PICTURES:02}?n={mark}-{i}" for i in range(count)]


def album(directory: Path) -> Path:
    """Write the pictures of the bench."""
    photo = make_photo(7, WIDTH_PX, HEIGHT_PX)
    pictures = [
        Picture(
            copy=f"p{i:02}",
            media_type="image/jpeg",
            content=encode(np.roll(photo, 13 * i, axis=1), "JPEG", quality=QUALITY),
        )
        for i in range(PICTURES)
    ]
    write(pictures, directory / "bench")
    return directory


@contextlib.contextmanager
def stage(
    *,
    models: Path | str = "packaged",
    lists: tuple[Path, ...] = (),
    slow_ms: float | None = None,
    pictures: Path | None = None,
) -> Iterator[Stage]:
    """Run everything; with ``slow_ms`` the detector is a stand-in that takes so long."""
    with contextlib.ExitStack() as stack:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        for name in ("album", "site", "ours", "theirs"):
            (room / name).mkdir(mode=0o700)
        shown = album(room / "album") if pictures is None else pictures
        site = stack.enter_context(origin(shown, room / "site"))
        ours, theirs = room / "ours", room / "theirs"
        socket = ours / "detector"
        if slow_ms is None:
            judge = detector_arguments(socket, lists=lists, models=models)
        else:
            judge = ["-m", "tests.bench.slow_detector", str(socket), str(slow_ms), str(WORKERS)]
        detector = stack.enter_context(launched(judge, home=ours))
        wait_for(socket, detector)
        proxy, ready = stack.enter_context(started(proxy_arguments(ours, site), home=ours))
        peer, peer_ready = stack.enter_context(started(_peer_arguments(theirs, site)))
        yield Stage(
            site=site,
            directory=room,
            ours=Way(
                port=_port(ready),
                authority=ours / "state" / CERTIFICATE_FILE,
                processes=(detector.pid, proxy.pid),
            ),
            theirs=Way(
                port=_port(peer_ready), authority=theirs / CERTIFICATE, processes=(peer.pid,)
            ),
        )


@contextlib.contextmanager
def browsing(playwright: Playwright, way: Way, home: Path) -> Iterator[Browser]:
    """Start Chromium behind one way."""
    environment = trusting(home, way.authority)
    with chromium(playwright, environment=environment, proxy_port=way.port) as browser:
        yield browser


LOAD = """paths => Promise.all(paths.map(path => new Promise((resolve, reject) => {
  const image = new Image();
  image.onload = resolve;
  image.onerror = reject;
  image.src = path;
  document.body.append(image);
})))"""


def page_ms(browser: Browser, paths: Sequence[str]) -> float:
    """Return the milliseconds that a new page takes until all its pictures have loaded."""
    with page(browser, is_filmed=False) as (opened, _):
        opened.goto(f"https://{HOST}/nothing")
        began = time.perf_counter()
        opened.evaluate(LOAD, list(paths))
        return (time.perf_counter() - began) * 1000


def _peer_arguments(directory: Path, site: Origin) -> list[str]:
    hosts = [f"{host.rpartition(':')[0]}={place}" for host, place in site.addresses.items()]
    authority = str(site.certificates.authority)
    return ["-m", "tests.bench.passing_proxy", str(directory), authority, *hosts]


def _port(ready: str) -> int:
    return int(ready.rpartition(":")[2])
