"""The guard in front of a browser, against mitmproxy that passes everything on.

Same origin, same pictures (about 107 KB, TLS, HTTP/2, loopback), the two in turn. The peer is
buffered and has no addon of ours. ``hidden_pixels_shown`` and ``behaviours_broken`` visit the
pages of the browser matrix through both.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from tests.bench.frame import NO_PEER, Peer, Row, main, row
from tests.bench.guard_stage import PICTURES, Stage, browsing, page_ms, stage
from tests.e2e.guard_processes import WORKERS
from tests.e2e.known import make_album, make_known, read_album
from tests.e2e.matrix import visits
from tests.e2e.matrix.sums import received, sent
from tests.surrogate import make_surrogate

PEER = Peer.package("mitmproxy", what="passing everything on")
ROUNDS = 9
LOADS = 5
PAGE_PICTURES = 50
SLOW_MS = 20.0
SOAK, SOAK_WARM_UP, SOAKS = 10_000, 2_000, 3
HIDDEN = ("listed", "classified", "unsure", "unjudged")


def _in_turn(
    ours: Callable[[int], float], theirs: Callable[[int], float], *, rounds: int
) -> tuple[list[float], list[float]]:
    values: tuple[list[float], list[float]] = ([], [])
    for i in range(rounds):
        for which in (0, 1) if i % 2 == 0 else (1, 0):
            values[which].append((ours, theirs)[which](i))
    return values


def _p95(metric: str, *, at_once: int, slow_ms: float | None) -> Row:
    """One round is every picture once; its value is the round's p95."""
    with stage(slow_ms=slow_ms) as here:
        ways = (here.ours, here.theirs)
        for way in ways:
            way.fetch(here.paths, at_once=at_once)
        calls = [
            (lambda _, way=way: way.p95_ms(here.paths * 2, at_once=at_once)) for way in ways
        ]
        ours, theirs = _in_turn(calls[0], calls[1], rounds=ROUNDS)
    return row("guard", metric, unit="ms", ours=ours, theirs=theirs, peer=PEER)


def _throughput_share() -> Row:
    """Pictures a second at 32 at once, of those that the workers could judge at the most."""
    shares = []
    with stage(slow_ms=SLOW_MS) as here:
        here.ours.fetch(here.paths, at_once=32)
        for _ in range(ROUNDS):
            rate = here.ours.rate(here.paths * 4, at_once=32)
            shares.append(rate / (WORKERS * 1000 / SLOW_MS))
    return row("guard", "throughput_share", unit="fraction", ours=shares, is_less_better=False)


@contextmanager
def _browsers(here: Stage) -> Iterator[tuple[Browser, Browser]]:
    with (
        sync_playwright() as playwright,
        browsing(playwright, here.ours, here.directory / "home-ours") as ours,
        browsing(playwright, here.theirs, here.directory / "home-theirs") as theirs,
    ):
        yield ours, theirs


def _page(metric: str, *, slow_ms: float | None) -> Row:
    """A page of fresh pictures each time: no verdict is known beforehand."""
    with stage(slow_ms=slow_ms) as here, _browsers(here) as browsers:
        for browser in browsers:
            page_ms(browser, here.fresh_paths(PAGE_PICTURES, mark="warm"))
        calls = [
            (
                lambda i, browser=browser: page_ms(
                    browser, here.fresh_paths(PAGE_PICTURES, mark=f"load{i}")
                )
            )
            for browser in browsers
        ]
        ours, theirs = _in_turn(calls[0], calls[1], rounds=LOADS)
    return row("guard", metric, unit="ms", ours=ours, theirs=theirs, peer=PEER)


def _memory_growth() -> Row:
    """Of the processes that last, over fresh pictures with the real models; whole runs."""
    growth: tuple[list[float], list[float]] = ([], [])
    for _ in range(SOAKS):
        with stage() as here:
            for way, grown in zip((here.ours, here.theirs), growth, strict=True):
                way.fetch(here.fresh_paths(SOAK_WARM_UP, mark="warm"), at_once=6)
                before = way.lasting_mb()
                for part in range(SOAK // PICTURES):
                    way.fetch(here.fresh_paths(PICTURES, mark=f"soak{part}"), at_once=6)
                grown.append(way.lasting_mb() - before)
    ours, theirs = growth
    return row("guard", "memory_growth_10k", unit="MB", ours=ours, theirs=theirs, peer=PEER)


@contextmanager
def _matrix() -> Iterator[tuple[Browser, Browser, dict[str, visits.Group]]]:
    with TemporaryDirectory(prefix="bench-") as name:
        room = Path(name)
        make_album(room / "album")
        albums = read_album(room / "album")
        known = make_known(albums, room)
        models = make_surrogate(room / "models")
        with (
            stage(models=models, lists=(known,), pictures=room / "album") as here,
            _browsers(here) as (ours, theirs),
        ):
            yield ours, theirs, albums


def _hidden_pixels() -> Row:
    """Warm pixels in every frame of pages of hidden pictures; 0 is the product."""
    with _matrix() as (*browsers, albums):
        shown = [
            float(
                sum(
                    visit(browser, name, albums[name]).warm_pixels
                    for name in HIDDEN
                    for visit in visits.VISITS.values()
                )
            )
            for browser in browsers
        ]
    return row(
        "guard",
        "hidden_pixels_shown",
        unit="pixels",
        ours=shown[:1],
        theirs=shown[1:],
        peer=PEER,
    )


def _broken(browser: Browser, group: visits.Group) -> set[str]:
    """Return what a page of free pictures cannot do: deliveries, addresses, promises."""
    broken = set()
    for name, visit in visits.VISITS.items():
        showing = visit(browser, "free", group)
        broken |= {f"{name}/{cell.split('/')[0]}" for cell in showing.missing(showing.cool)}
        if name == "wall":
            expected = received(group)
            got = showing.result
            broken |= {k.split("/")[0] for k, v in expected.items() if got.get(k) != v}
        kept = {"strict": [], "integrity": True, "offline": (True, len(group)), "lazy": 0}
        if name in kept and showing.result != kept[name]:
            broken.add(f"{name}/promise")
    return broken | visits.differing(browser, "free", sent("free", group))


def _behaviours() -> Row:
    """Every delivery, address and promise of the matrix's site is one behaviour."""
    with _matrix() as (*browsers, albums):
        counts = [float(len(_broken(browser, albums["free"]))) for browser in browsers]
    return row(
        "guard",
        "behaviours_broken",
        unit="count",
        ours=counts[:1],
        theirs=counts[1:],
        peer=PEER,
    )


def _no_video() -> Row:
    """Video is hidden until it is judged; there is no first frame to time yet."""
    return row("guard", "video_first_frame", unit="ms", ours=(), peer=NO_PEER)


METRICS: dict[str, Callable[[], Row]] = {
    "p95_cached_c6": partial(_p95, "p95_cached_c6", at_once=6, slow_ms=None),
    "p95_20ms_c6": partial(_p95, "p95_20ms_c6", at_once=6, slow_ms=SLOW_MS),
    "p95_20ms_c32": partial(_p95, "p95_20ms_c32", at_once=32, slow_ms=SLOW_MS),
    "throughput_share": _throughput_share,
    "page_50": partial(_page, "page_50", slow_ms=None),
    "page_50_20ms": partial(_page, "page_50_20ms", slow_ms=SLOW_MS),
    "video_first_frame": _no_video,
    "hidden_pixels_shown": _hidden_pixels,
    "memory_growth_10k": _memory_growth,
    "behaviours_broken": _behaviours,
}

if __name__ == "__main__":
    sys.exit(main(METRICS))
