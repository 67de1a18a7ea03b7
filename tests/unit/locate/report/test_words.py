import re
import string
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from protech.evidence.letters import shown
from protech.locate.adapter import Level, Outcome, Source, Transport
from protech.locate.networks_listed import Flag
from protech.locate.papers import Power
from protech.locate.place import Verdict
from protech.locate.report.self_test import Rate
from protech.locate.report.words import NARROW, WIDE, Language, Words, load

ENGLISH, FRENCH = load(Language.ENGLISH), load(Language.FRENCH)
BOTH = pytest.mark.parametrize("words", [ENGLISH, FRENCH], ids=["en", "fr"])


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_both_languages_say_the_same_things_with_the_same_values() -> None:
    assert ENGLISH.sentences.keys() == FRENCH.sentences.keys()
    for name, sentence in ENGLISH.sentences.items():
        assert places(sentence) == places(FRENCH.sentences[name]), name


@BOTH
def test_every_letter_of_the_words_can_be_printed(words: Words) -> None:
    for sentence in words.sentences.values():
        assert shown(sentence) == sentence


@BOTH
def test_every_value_of_a_record_has_its_words(words: Words) -> None:
    groups: dict[str, Iterable[str]] = {
        "outcome": [
            one.value for one in Outcome if one not in {Outcome.UNREACHABLE, Outcome.SILENT}
        ],
        "transport": list(Transport),
        "source": list(Source),
        "flag": list(Flag),
        "value": list(Power),
        "place": list(Verdict),
    }
    below = {"other_protocol", "echo", "other_file", "nothing_held"}
    for group, values in groups.items():
        for value in set(values) - below:
            assert f"{group}_{value}" in words.sentences
    for level in Level:
        assert f"l{level.value}_not" in words.sentences


def test_a_value_is_never_read_as_a_sentence() -> None:
    assert ENGLISH.say("over", case="{n} {0}") == "Case {n} {0}"


def test_an_unknown_value_stands_for_itself() -> None:
    assert ENGLISH.named("outcome", "novel") == "novel"


def test_a_moment_is_in_utc_to_the_millisecond() -> None:
    moment = datetime(2026, 11, 28, 10, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    assert FRENCH.moment(moment) == f"2026-11-28 09:00:00.123{WIDE}UTC"
    assert FRENCH.moment(moment, thousandths=False) == f"2026-11-28 09:00:00{WIDE}UTC"
    assert ENGLISH.moment(moment.astimezone(UTC)) == FRENCH.moment(moment)


def test_a_moment_of_a_paper_is_told_like_any_other_and_what_is_none_as_it_is() -> None:
    assert ENGLISH.when("2026-11-28T09:00:00Z") == f"2026-11-28 09:00:00{WIDE}UTC"
    for text in ("", "FR", "2026-11-28T09:00:00"):
        assert ENGLISH.when(text) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.2 s"),
        (119, "119.0 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (172_799, "47 h"),
        (172_800, "2 days"),
    ],
)
def test_a_delay_is_in_a_unit_that_a_person_can_picture(seconds: float, text: str) -> None:
    assert ENGLISH.delay(timedelta(seconds=seconds)) == text


def test_numbers_follow_the_language() -> None:
    assert ENGLISH.number(1234567) == "1,234,567"
    assert FRENCH.number(1234567) == f"1{NARROW}234{NARROW}567"
    assert FRENCH.decimal(0.75, places=2) == "0,75"


def test_a_share_is_never_rounded_up() -> None:
    assert ENGLISH.share(0.99999) == f"99.99{WIDE}%"
    assert ENGLISH.share(1.0) == f"100.00{WIDE}%"
    assert ENGLISH.share(0.29) == f"29.00{WIDE}%"


def test_a_rate_has_its_counts_and_its_interval() -> None:
    rate = Rate(n=3100, right=3100, share=1.0, low=0.9988, high=1.0)
    assert ENGLISH.rate(rate).replace(WIDE, " ") == (
        "100.00 % (3,100 of 3,100; 95 % interval 99.88 % to 100.00 %)"
    )
    assert "not measured" in ENGLISH.rate(None)


def test_french_signs_stay_on_the_line_of_their_word() -> None:
    for name, sentence in FRENCH.sentences.items():
        assert not re.search(r" [:;!?»%]|« ", sentence), name


def test_several_names_or_none() -> None:
    assert ENGLISH.several(["a", "b"]) == "a, b"
    assert ENGLISH.several([]) == "none"


def test_why_a_run_ended_is_said_in_each_language_or_as_it_stands() -> None:
    assert FRENCH.term("stopped", "one round was asked for") == "un seul tour était demandé"
    assert FRENCH.term("stopped", "the list is stale") == "the list is stale"
