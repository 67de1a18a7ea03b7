"""The control of the browser matrix: with nothing in between, every picture is shown.

Each check of the matrix counts warm pixels; here they must be found in every cell, so that the
same check can fail.
"""

import pytest
from playwright.sync_api import Browser

from tests.e2e.known import Album
from tests.e2e.matrix import sums, visits
from tests.e2e.matrix.browser import finish, page

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("certutil")]


@pytest.mark.parametrize(
    "visit",
    [
        pytest.param(visit, marks=[] if visit in ("wall", "strict") else [pytest.mark.slow])
        for visit in visits.VISITS
    ],
)
def test_without_guard_every_delivery_shows_every_listed_copy(
    visit: str, direct: Browser, album: Album
) -> None:
    showing = visits.VISITS[visit](direct, "listed", album["listed"])
    assert not showing.missing(showing.warm)
    assert showing.warm_pixels > 5_000
    assert showing.frames > 0


def test_without_guard_every_animation_shows_its_listed_frame(
    direct: Browser, album: Album
) -> None:
    showing = visits.animated(direct, "listed-moving", album["listed-moving"])
    assert not showing.missing(showing.warm)


def test_without_guard_every_format_is_painted(direct: Browser, album: Album) -> None:
    showing = visits.formats(direct, "listed-formats", album["listed-formats"])
    assert not showing.missing(showing.warm)


@pytest.mark.slow
def test_without_guard_free_pictures_show_no_warm_pixel(direct: Browser, album: Album) -> None:
    showing = visits.wall(direct, "free", album["free"])
    assert not showing.missing(showing.cool)
    assert showing.warm_pixels == 0


@pytest.mark.slow
def test_without_guard_every_byte_arrives(direct: Browser, album: Album) -> None:
    expected = sums.sent("free", album["free"])
    with page(direct) as (opened, _):
        opened.goto(f"{visits.SITE}/p/wall?set=free")
        reported = finish(opened)
        received = opened.evaluate("addresses => sums(addresses)", list(expected))
    assert received == expected
    assert sums.received(album["free"]).items() <= reported.items()
