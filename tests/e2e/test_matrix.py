"""The browser matrix: through the guard not one pixel of a hidden picture is shown, ever.

Every delivery of every copy, read back from screenshots and from each frame that was painted
meanwhile; and everything that is not hidden arrives as it was sent. ``test_matrix_control``
shows that the same checks fail where nothing hides.
"""

from collections.abc import Container, Iterable
from typing import Any

import pytest
from playwright.sync_api import Browser

from protech.serve.detector_client import DetectorClient
from protech.types import Reason
from tests.e2e.guard_processes import Guard
from tests.e2e.known import Album
from tests.e2e.matrix import sums, visits
from tests.e2e.matrix.browser import finish, page
from tests.e2e.matrix.deliveries import UNJUDGEABLE
from tests.e2e.matrix.visits import Showing
from tests.loops import in_own_loop

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("certutil")]

HIDDEN = ("listed", "classified", "unsure", "unjudged")
SLOW = pytest.mark.slow


def thin(values: Iterable[Any], *, of: Container[Any]) -> list[Any]:
    """Return values of which every check takes those of ``of``, and a slow one all."""
    return [pytest.param(one, marks=[] if one in of else [SLOW]) for one in values]


THIN = {("wall", "listed"), ("strict", "classified"), ("strict", "unsure")}
CELLS = [
    pytest.param(visit, name, marks=[] if (visit, name) in THIN else [SLOW])
    for visit in visits.VISITS
    for name in HIDDEN
]
"""Every visit of every set: the whole matrix, of which every check takes a thin part."""
QUICK = thin(["strict", "wall"], of={"strict"})
"""A page of a few deliveries, and the page of all of them."""


def assert_nothing_was_shown(showing: Showing) -> None:
    assert showing.frames > 0
    assert showing.warm_cells() == []
    assert showing.warm_pixels == 0


def not_shown(showing: Showing, shares: dict[str, float]) -> set[str]:
    """Return the deliveries of which some copy is missing."""
    return {cell.split("/")[0] for cell in showing.missing(shares)}


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("listed", {Reason.KNOWN, Reason.RESEMBLES}),
        ("classified", {Reason.CLASSIFIED}),
        ("unsure", {Reason.UNSURE}),
        ("unjudged", {Reason.UNSURE}),
        ("adult", {Reason.NONE}),
        ("free", {Reason.NONE}),
    ],
)
def test_each_set_is_judged_for_its_own_reason(
    name: str, reasons: set[Reason], guarding: tuple[Guard, Browser], album: Album
) -> None:
    async def judged() -> set[Reason]:
        async with DetectorClient(guarding[0].socket) as client:
            return {
                (await client.inspect(picture.content, deadline_s=20)).reason
                for picture in album[name].values()
            }

    assert in_own_loop(judged) == reasons


@pytest.mark.parametrize(("visit", "name"), CELLS)
def test_no_pixel_of_a_hidden_photo_is_shown(
    visit: str, name: str, guarded: Browser, album: Album
) -> None:
    assert_nothing_was_shown(visits.VISITS[visit](guarded, name, album[name]))


@pytest.mark.parametrize("name", thin(HIDDEN, of={"listed", "classified"}))
def test_no_frame_of_a_hidden_animation_is_shown(
    name: str, guarded: Browser, album: Album
) -> None:
    moving = f"{name}-moving"
    assert_nothing_was_shown(visits.animated(guarded, moving, album[moving]))


@pytest.mark.parametrize("visit", thin(visits.VISITS, of={"strict"}))
def test_the_adult_filter_hides_what_it_is_switched_on_for(
    visit: str, filtering: Browser, album: Album
) -> None:
    assert_nothing_was_shown(visits.VISITS[visit](filtering, "adult", album["adult"]))


@pytest.mark.parametrize("name", thin(HIDDEN, of={"listed"}))
def test_no_pixel_of_a_hidden_photo_is_shown_in_any_format(
    name: str, guarded: Browser, album: Album
) -> None:
    group = f"{name}-formats"
    assert_nothing_was_shown(visits.formats(guarded, group, album[group]))


@SLOW
def test_the_adult_filter_hides_animations(filtering: Browser, album: Album) -> None:
    assert_nothing_was_shown(visits.animated(filtering, "adult-moving", album["adult-moving"]))


@pytest.mark.parametrize("visit", QUICK)
def test_without_the_adult_filter_adults_are_shown(
    visit: str, guarded: Browser, album: Album
) -> None:
    showing = visits.VISITS[visit](guarded, "adult", album["adult"])
    assert not_shown(showing, showing.warm) <= UNJUDGEABLE


@pytest.mark.parametrize(
    "name", thin(["classified", "unsure", "unjudged", "adult"], of={"classified"})
)
@pytest.mark.parametrize("visit", QUICK)
def test_with_the_classifier_taken_out_the_check_fails(
    visit: str, name: str, unclassified: Browser, album: Album
) -> None:
    showing = visits.VISITS[visit](unclassified, name, album[name])
    assert not_shown(showing, showing.warm) <= UNJUDGEABLE
    with pytest.raises(AssertionError):
        assert_nothing_was_shown(showing)


@pytest.mark.parametrize("visit", QUICK)
def test_with_the_classifier_taken_out_known_photos_stay_hidden(
    visit: str, unclassified: Browser, album: Album
) -> None:
    showing = visits.VISITS[visit](unclassified, "listed", album["listed"])
    assert_nothing_was_shown(showing)


@pytest.mark.parametrize("visit", thin(visits.VISITS, of={"lazy", "strict"}))
def test_free_photos_are_shown(visit: str, guarded: Browser, album: Album) -> None:
    showing = visits.VISITS[visit](guarded, "free", album["free"])
    assert not_shown(showing, showing.cool) <= UNJUDGEABLE


def test_free_animations_are_shown(guarded: Browser, album: Album) -> None:
    showing = visits.animated(guarded, "free-moving", album["free-moving"])
    assert not showing.missing(showing.cool)


def test_free_formats_are_shown(guarded: Browser, album: Album) -> None:
    showing = visits.formats(guarded, "free-formats", album["free-formats"])
    assert set(showing.missing(showing.cool)) == {"formats/truncated"}


@SLOW
def test_every_byte_of_what_is_free_arrives(guarded: Browser, album: Album) -> None:
    expected = sums.sent("free", album["free"])
    with page(guarded) as (opened, _):
        opened.goto(f"{visits.SITE}/p/wall?set=free")
        reported = finish(opened)
    assert not visits.differing(guarded, "free", expected)
    assert sums.received(album["free"]).items() <= reported.items()


def test_a_strict_policy_is_neither_broken_nor_loosened(guarded: Browser, album: Album) -> None:
    assert visits.strict(guarded, "free", album["free"]).result == []
    assert visits.strict(guarded, "listed", album["listed"]).result == []


def test_a_script_with_integrity_runs_untouched_and_not_at_all_when_touched(
    guarded: Browser, album: Album
) -> None:
    assert visits.integrity(guarded, "free", album["free"]).result is True
    assert visits.integrity(guarded, "listed", album["listed"]).result is False


@SLOW
def test_a_service_worker_keeps_and_serves_pictures(guarded: Browser, album: Album) -> None:
    showing = visits.offline(guarded, "free", album["free"])
    assert showing.result == (True, len(album["free"]))


@SLOW
def test_lazy_pictures_load_late(guarded: Browser, album: Album) -> None:
    assert visits.lazy(guarded, "free", album["free"]).result == 0


def test_http2_reaches_from_end_to_end(guarded: Browser, direct: Browser) -> None:
    with page(guarded) as (opened, _):
        opened.goto(f"{visits.SITE}/p/strict?set=free")
        finish(opened)
        entries = opened.evaluate(
            "performance.getEntriesByType('resource').map(e => [e.name, e.nextHopProtocol])"
        )
        seen = opened.evaluate("fetch('/seen').then(answer => answer.json())")
    assert {protocol for _, protocol in entries} == {"h2"}
    assert len(entries) > 12
    assert {one["http"] for one in seen if one["path"].startswith("/p/strict")} == {"2"}
