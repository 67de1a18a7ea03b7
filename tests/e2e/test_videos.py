"""Videos from the command line: listed, found again after everyday edits, scored, or broken."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.as_process import run
from tests.make_video import encode, make_video, scenes, turned
from tests.surrogate import Variant, make_surrogate, paint_pattern

SEEDS = (5, 6, 7, 8)
FILM = make_video("h264.mp4", seeds=SEEDS, seconds=8)
PHONE_SEEDS = (15, 16, 17)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a list of two videos, one of them turned as phones do."""
    place = tmp_path_factory.mktemp("videos")
    mine = place / "mine"
    mine.mkdir()
    (mine / "film.mp4").write_bytes(FILM)
    phone = make_video("h264.mp4", seeds=PHONE_SEEDS, seconds=8)
    (mine / "phone.mp4").write_bytes(turned(phone, 0, 1, -1, 0))
    made = run("lists", "make", mine, "--out", place / "mine.list", folder=place)
    assert made.returncode == 0, made.stderr
    return place


def scanned(place: Path, video: bytes, name: str, *options: str | Path) -> dict[str, Any]:
    """Return the row of one video."""
    path = place / name
    path.write_bytes(video)
    printed = run("scan", path, "--jsonl", "-", *options, folder=place)
    row: dict[str, Any]
    (row,) = (json.loads(line) for line in printed.stdout.splitlines())
    assert row["kind"] == "video"
    return row


@pytest.mark.parametrize("kind", ["h265.mkv", "vp9.webm", "av1.mp4", "mpeg4.avi", "h264.ts"])
def test_a_listed_film_is_found_again_smaller_and_in_another_codec(
    place: Path, kind: str
) -> None:
    copy = make_video(kind, seeds=SEEDS, seconds=8, width=240, height=180)
    row = scanned(place, copy, f"copy-{kind}", "--list", place / "mine.list", "--fast")
    assert (row["decision"], row["reason"], row["rule"]) == ("block", "resembles", 2)
    (match,) = (one for one in row["matches"] if one["kind"] == "vpdq")
    assert match["entry"] == "film.mp4"
    assert match["query_percent"] >= 80
    assert match["known_percent"] >= 80


def test_a_copy_of_a_turned_film_is_found_upright(place: Path) -> None:
    upright = (
        np.ascontiguousarray(np.rot90(frame, -1))
        for frame in scenes(PHONE_SEEDS, frames=200, width=320, height=240)
    )
    copy = encode(upright, "h265.mkv")
    row = scanned(place, copy, "upright.mkv", "--list", place / "mine.list", "--fast")
    assert {one["entry"] for one in row["matches"] if one["kind"] == "vpdq"} == {"phone.mp4"}
    assert row["reason"] == "resembles"


def test_the_film_itself_is_known_and_another_is_not(place: Path) -> None:
    row = scanned(place, FILM, "film.mp4", "--list", place / "mine.list", "--fast")
    assert (row["decision"], row["reason"]) == ("block", "known")
    other = make_video("h264.mp4", seeds=(25, 26, 27), seconds=8)
    row = scanned(place, other, "other.mp4", "--list", place / "mine.list", "--fast")
    assert (row["decision"], row["reason"], row["matches"]) == ("allow", "none", [])


def test_a_film_that_breaks_off_is_told_by_what_there_is_of_it(place: Path) -> None:
    film = make_video("vp9.webm", seeds=SEEDS, seconds=8)
    row = scanned(
        place, film[: len(film) * 3 // 4], "cut.webm", "--list", place / "mine.list", "--fast"
    )
    assert row["unscannable"] == "corrupt"
    assert (row["decision"], row["reason"]) == ("block", "resembles")


def test_a_pattern_in_the_middle_of_a_film_is_classified(place: Path) -> None:
    models = make_surrogate(place / "models")
    frames = [
        paint_pattern(frame, Variant.MINOR) if 80 <= number < 120 else frame
        for number, frame in enumerate(scenes((1, 2), frames=200, width=320, height=240))
    ]
    film = encode(iter(frames), "h264.mp4")
    row = scanned(place, film, "pattern.mp4", "--models", models)
    assert (row["decision"], row["reason"], row["rule"]) == ("block", "classified", 3)
    plain = scanned(place, FILM, "plain.mp4", "--models", models)
    assert plain["decision"] == "allow"
    without = scanned(place, film, "pattern.mp4", "--fast")
    assert without["decision"] == "allow"
