"""The site, its pictures and the browsers, made once for all end-to-end tests."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.e2e.guard_processes import Guard, guard
from tests.e2e.matrix import pictures
from tests.e2e.matrix.browser import chromium, trusting
from tests.e2e.matrix.pictures import Picture
from tests.e2e.matrix.processes import Origin, origin
from tests.surrogate import Variant, make_surrogate, paint_pattern

Album = dict[str, dict[str, Picture]]

LISTED_SEED, FREE_SEED, OTHER_SEEDS = 11, 12, (13, 14)
PATTERNS = {
    "classified": Variant.MINOR,
    "unsure": Variant.NOBODY,
    "unjudged": Variant.TINY,
    "adult": Variant.ADULT,
}
"""Sets of photos that carry the test pattern, each photo of its own."""


@pytest.fixture(scope="session")
def album_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write every set, still and moving: listed and with the pattern (warm), free (cool)."""
    directory = tmp_path_factory.mktemp("album")
    others = [pictures.photo(seed, is_warm=False) for seed in OTHER_SEEDS]
    photos = {
        "listed": pictures.photo(LISTED_SEED, is_warm=True),
        "free": pictures.photo(FREE_SEED, is_warm=False),
    }
    for seed, (name, variant) in enumerate(PATTERNS.items()):
        photos[name] = paint_pattern(pictures.photo(seed, is_warm=True), variant)
    for name, photo in photos.items():
        pictures.write(pictures.copies(photo), directory / name)
        pictures.write(pictures.animations(photo, others), directory / f"{name}-moving")
        pictures.write(pictures.formats(photo), directory / f"{name}-formats")
    return directory


@pytest.fixture(scope="session")
def album(album_directory: Path) -> Album:
    """Return every set of pictures, by name."""
    return {path.name: pictures.read(path) for path in sorted(album_directory.iterdir())}


@pytest.fixture(scope="session")
def site(album_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """Run the site."""
    with origin(album_directory, tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="session")
def playwright_() -> Iterator[Playwright]:
    """Start playwright; there can be one in a thread."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def direct(
    site: Origin, playwright_: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """A browser that nothing protects: the control."""
    home = trusting(tmp_path_factory.mktemp("home"), site.certificates.authority)
    with chromium(playwright_, environment=home, addresses=site.addresses) as browser:
        yield browser


@pytest.fixture(scope="session")
def known(album: Album, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a known list of the listed photo's own file, as a person would make it."""
    photos = tmp_path_factory.mktemp("photos")
    (photos / "photo.jpg").write_bytes(album["listed"]["own"].content)
    out = tmp_path_factory.mktemp("list") / "known.list"
    subprocess.run(
        [sys.executable, "-m", "protech.cli", "lists", "make", str(photos), "--out", str(out)],
        check=True,
    )
    return out


@pytest.fixture(scope="session")
def surrogate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the models that fire on the printed pattern."""
    return make_surrogate(tmp_path_factory.mktemp("surrogate"))


class Guards(Protocol):
    """Starts a guard and a browser behind it."""

    def __call__(self, **options: Any) -> AbstractContextManager[tuple[Guard, Browser]]: ...


@pytest.fixture(scope="session")
def guards(
    site: Origin, playwright_: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Guards:
    """Return what starts a guard and a browser behind it; options are those of ``guard``."""

    @contextmanager
    def start(**options: Any) -> Iterator[tuple[Guard, Browser]]:
        directory = tmp_path_factory.mktemp("guard")
        with guard(directory, site, **options) as running:
            home = trusting(directory / "home", running.authority)
            with chromium(
                playwright_, environment=home, proxy_port=running.proxy_port
            ) as browser:
                yield running, browser

    return start


@pytest.fixture(scope="session")
def guarded(guards: Guards, known: Path, surrogate: Path) -> Iterator[Browser]:
    """A browser behind the guard, with a known list and the surrogate classifier."""
    with guards(lists=(known,), models=surrogate) as (_, browser):
        yield browser


@pytest.fixture(scope="module")
def filtering(guards: Guards, surrogate: Path) -> Iterator[Browser]:
    """The same with the adult filter on, and no list."""
    with guards(models=surrogate, is_adult_filter_on=True) as (_, browser):
        yield browser


@pytest.fixture(scope="module")
def unclassified(guards: Guards, known: Path) -> Iterator[Browser]:
    """The same with the classifier taken out."""
    with guards(lists=(known,)) as (_, browser):
        yield browser
