from datetime import UTC, datetime

from protech.locate.page.reading import endpoint, fields, moment_of, ms_of, text, words


def test_what_is_not_there_is_not_made_up() -> None:
    assert fields(None) == {}
    assert fields({"a": 1}) == {"a": 1}
    assert text({"a": None}, "a") == text({}, "a") == ""
    assert text({"a": 0}, "a") == "0"
    assert words(None) == words("text") == ()
    assert words(["a", None, 3]) == ("a", "3")


def test_an_endpoint_is_written_as_people_write_it() -> None:
    assert endpoint("198.18.0.1", 6881) == "198.18.0.1:6881"
    assert endpoint("2001:2::1", 6881) == "[2001:2::1]:6881"


def test_times_are_kept_to_the_millisecond() -> None:
    at = datetime(2026, 11, 28, 13, 26, 0, 123000, tzinfo=UTC)
    assert moment_of(ms_of("2026-11-28T13:26:00.123Z")) == at
