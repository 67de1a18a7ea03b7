"""The site, its pictures and the browsers, made once for all end-to-end tests."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.e2e.guard_processes import Guard, guard
from tests.e2e.known import Album, make_album, make_known, read_album
from tests.e2e.matrix.browser import chromium, trusting
from tests.e2e.matrix.processes import Origin, origin
from tests.surrogate import make_surrogate


@pytest.fixture(scope="session")
def album_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write every set of pictures."""
    directory = tmp_path_factory.mktemp("album")
    make_album(directory)
    return directory


@pytest.fixture(scope="session")
def album(album_directory: Path) -> Album:
    """Return every set of pictures, by name."""
    return read_album(album_directory)


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
    """Make a known list of the listed photo's own file."""
    return make_known(album, tmp_path_factory.mktemp("known"))


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
def guarding(guards: Guards, known: Path, surrogate: Path) -> Iterator[tuple[Guard, Browser]]:
    """A guard with a known list and the surrogate classifier, and a browser behind it."""
    with guards(lists=(known,), models=surrogate) as both:
        yield both


@pytest.fixture(scope="session")
def guarded(guarding: tuple[Guard, Browser]) -> Browser:
    """The browser of ``guarding``."""
    return guarding[1]


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
