from datetime import UTC, datetime, timedelta, timezone

import pytest

from protech.locate.page.wording import Wording

EN, FR = Wording("en"), Wording("fr")


@pytest.mark.parametrize(
    ("number", "digits", "english", "french"),
    [
        (0, 0, "0", "0"),
        (1234567, 0, "1,234,567", "1\u202f234\u202f567"),
        (1.25, 1, "1.2", "1,2"),
    ],
)
def test_numbers_are_written_as_the_language_does(
    number: float, digits: int, english: str, french: str
) -> None:
    assert EN.count(number, digits=digits) == english
    assert FR.count(number, digits=digits) == french


def test_what_is_not_known_is_a_dash() -> None:
    assert EN.count(None) == EN.moment(None) == EN.moment("") == "–"


@pytest.mark.parametrize(
    ("number", "text"), [(999, "999"), (1000, "1k"), (45_600, "46k"), (2_000_000, "2M")]
)
def test_a_tile_has_room_for_four_characters(number: int, text: str) -> None:
    assert EN.short(number) == text


def test_times_are_utc_however_they_are_given() -> None:
    at = datetime(2026, 11, 28, 14, 26, 0, 123000, tzinfo=timezone(timedelta(hours=1)))
    ms = round(at.timestamp() * 1000)
    assert EN.moment(at) == EN.moment(ms) == EN.moment("2026-11-28T13:26:00.123Z")
    assert EN.moment(at, parts="millisecond") == "2026-11-28 13:26:00.123"
    assert EN.moment(at, parts="minute") == "2026-11-28 13:26"
    assert EN.moment(at, parts="short") == "11-28 13:26"
    assert EN.moment(at, parts="clock") == "13:26"
    assert EN.moment(at.astimezone(UTC), parts="day") == "2026-11-28"


def test_one_is_singular_and_in_french_none_is_too() -> None:
    assert EN.say("found", count=1) == "1 peer"
    assert EN.say("found", count=0) == "0 peers"
    assert FR.say("found", count=0) == "0 pair"
    assert FR.say("found", count=2000) == "2\u202f000 pairs"
    assert EN.say("found_delivered", count=1) == "1 at level 4"


def test_a_value_without_a_phrase_is_shown_as_it_is() -> None:
    assert EN.term("outcome", "served") == "delivered the listed piece"
    assert EN.term("outcome", "of_a_later_version") == "of_a_later_version"


def test_countries_have_names() -> None:
    assert FR.countries(("FR", "DE")) == "France, Allemagne"
    assert EN.country(None) == EN.country("none") == EN.country("") == "country not determined"
