"""The demo's site: what it shows, where it stands, and that it is served as said."""

from datetime import UTC, datetime

from protech.guard.demo.certificate import site_pair
from protech.guard.demo.look import Way, look_as_client
from protech.guard.demo.pictures import Placing
from protech.guard.demo.site import (
    HOST,
    LISTED_SEEDS,
    PAGE_WIDTH_PX,
    listed_files,
    page,
    page_height_px,
    path_of,
    photos,
    regions,
    served,
)


def test_every_placing_shows_a_listed_photo_and_another() -> None:
    shown = photos()
    for placing in Placing:
        kinds = {photo.is_listed for photo in shown if photo.placing is placing}
        assert kinds == {True, False}


def test_the_list_is_made_of_evenings_that_the_site_serves_as_they_are_and_as_copies() -> None:
    files = set(listed_files().values())
    assert len(files) == len(LISTED_SEEDS)
    as_is = [photo for photo in photos() if photo.content in files]
    assert {photo.served for photo in as_is} == {"the listed file"}
    copies = [photo for photo in photos() if photo.is_listed and photo.content not in files]
    assert len(copies) >= 4
    assert not any(photo.content in files for photo in photos() if not photo.is_listed)


def test_the_page_names_no_photo_by_what_it_is_and_says_nothing_of_a_guard() -> None:
    shown = photos()
    text = page(shown).decode().lower()
    for word in ("protech", "guard", "salus", "hidden"):
        assert word not in text
    paths = [path_of(photo) for photo in shown]
    assert len(set(paths)) == len(paths)


def test_photos_stand_beside_each_other_within_the_page() -> None:
    count = len(photos())
    found = regions(count)
    assert len({(region.left, region.top) for region in found}) == count
    assert max(region.left + region.width for region in found) <= PAGE_WIDTH_PX
    assert max(region.top + region.height for region in found) <= page_height_px(count)


def test_the_site_serves_what_it_shows_over_https() -> None:
    shown = photos()
    pair = site_pair(HOST, now=datetime.now(UTC))
    with served(shown, certificate=pair.chain, key=pair.key) as port:
        seen = look_as_client(Way(site=("127.0.0.1", port), authority=pair.authority), shown)
    assert [each.content for each in seen] == [photo.content for photo in shown]
