"""The site, its pictures and the browsers, made once for all end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.e2e.matrix import pictures
from tests.e2e.matrix.browser import chromium
from tests.e2e.matrix.pictures import Picture
from tests.e2e.matrix.processes import Origin, origin

Album = dict[str, dict[str, Picture]]

SEEDS = {"listed": 11, "free": 12}
OTHER_SEEDS = (13, 14)


@pytest.fixture(scope="session")
def album_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write every set: of listed photos (warm) and of free ones (cool), still and moving."""
    directory = tmp_path_factory.mktemp("album")
    others = [pictures.photo(seed, is_warm=False) for seed in OTHER_SEEDS]
    for name, seed in SEEDS.items():
        photo = pictures.photo(seed, is_warm=name == "listed")
        pictures.write(pictures.copies(photo), directory / name)
        pictures.write(pictures.animations(photo, others), directory / f"{name}-moving")
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
def direct(site: Origin, playwright_: Playwright) -> Iterator[Browser]:
    """A browser that nothing protects: the control."""
    with chromium(
        playwright_, spki=[site.certificates.spki], addresses=site.addresses
    ) as browser:
        yield browser
