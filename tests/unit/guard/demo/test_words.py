"""The demo's table: right is said to be right, wrong is said to be wrong."""

from pathlib import Path

import numpy as np
import pytest

from protech.guard.demo.look import Seen
from protech.guard.demo.paint import Palette, paint
from protech.guard.demo.pictures import Photo, Pixels, Placing
from protech.guard.demo.words import Outcome, invitation, pictures, report
from protech.types import Reason

EVENING = paint(1, 64, 48, palette=Palette.WARM)
DAY = paint(1, 64, 48, palette=Palette.COOL)
PANEL: Pixels = np.full_like(DAY, 200)
STATE = {"lists": [{"name": "evenings", "version": 1, "count": 4}], "workers": 2}


def seen(pixels: Pixels) -> Seen:
    return Seen(pixels=pixels, content=pixels.tobytes())


def outcome(without: Pixels, through: Pixels, *, is_listed: bool) -> Outcome:
    return Outcome(
        photo=Photo(
            title="Evening lake",
            served="saved again",
            placing=Placing.BLOB,
            is_listed=is_listed,
            content=b"",
        ),
        reason=Reason.RESEMBLES if is_listed else Reason.NONE,
        without=seen(without),
        through=seen(through),
    )


@pytest.mark.parametrize(
    ("without", "through", "is_listed", "is_right", "word"),
    [
        (EVENING, PANEL, True, True, "hidden"),
        (EVENING, EVENING, True, False, "SHOWN"),
        (PANEL, PANEL, True, False, "NOT SHOWN"),
        (DAY, DAY, False, True, "shown"),
        (DAY, PANEL, False, False, "CHANGED"),
        (DAY, DAY[::-1], False, False, "CHANGED"),
        (PANEL, PANEL, False, False, "NOT SHOWN"),
    ],
)
def test_an_outcome_is_right_only_if_the_page_worked_and_the_guard_did(
    without: Pixels, through: Pixels, *, is_listed: bool, is_right: bool, word: str
) -> None:
    found = outcome(without, through, is_listed=is_listed)
    assert found.is_right is is_right
    assert word in report([found], STATE, has_browser=True)


def test_one_pixel_of_a_listed_photo_is_a_failure() -> None:
    nearly = PANEL.copy()
    nearly[0, 0] = EVENING[0, 0]
    found = outcome(EVENING, nearly, is_listed=True)
    assert not found.is_right
    assert "0 of 1 photos of the known list hidden" in report([found], STATE, has_browser=True)


def test_the_sum_counts_pixels_and_says_how_they_were_looked_at() -> None:
    found = [outcome(EVENING, PANEL, is_listed=True), outcome(DAY, DAY, is_listed=False)]
    with_browser = report(found, STATE, has_browser=True)
    assert "1 of 1 photos of the known list hidden: 3,072 of their pixels" in with_browser
    assert "0 with it" in with_browser
    assert "pixel for pixel" in with_browser
    assert "byte for byte" in report(found, STATE, has_browser=False)


def test_the_table_fits_a_wide_terminal() -> None:
    text = report([outcome(EVENING, PANEL, is_listed=True)], STATE, has_browser=True)
    assert max(map(len, text.splitlines())) <= 110


def test_the_screenshots_and_the_way_to_look_are_named() -> None:
    assert "/shots" in pictures(Path("/shots"), ["a.png"])
    told = invitation("chromium --x", page="http://page/")
    assert "chromium --x" in told
    assert "http://page/" in told
    assert "Ctrl-C" in invitation(None, page=None)
