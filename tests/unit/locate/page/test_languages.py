"""Catalogues say the same things in each language, and never accuse."""

import re

import pytest

from protech.locate.adapter import Level, Network, Outcome, Source, Transport
from protech.locate.networks_listed import Flag
from protech.locate.page.languages import LANGUAGES, catalogue, preferred
from protech.locate.papers import Power
from protech.locate.place import Verdict

GAP = re.compile(r"\{(\w+)\}")

ACCUSING = re.compile(
    r"suspect|offend|criminal|culprit|perpetrat|guilt|paedo|pedo|p\u00e9do|coupable|d\u00e9linquant"
    r"|criminel|mis en cause|download|t\u00e9l\u00e9charg",
    re.IGNORECASE,
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_phrase_and_its_gaps(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert other.keys() == english.keys()
    for key, phrase in english.items():
        assert sorted(GAP.findall(other[key])) == sorted(GAP.findall(phrase)), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_phrase_accuses(language: str) -> None:
    assert [key for key, text in catalogue(language).items() if ACCUSING.search(text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_of_a_record_has_a_phrase(language: str) -> None:
    phrases = catalogue(language)
    kinds = {
        "outcome": Outcome,
        "transport": Transport,
        "source": Source,
        "network": Network,
        "verdict": Verdict,
        "flag": Flag,
        "power": Power,
    }
    missing = {
        f"{kind}_{value.value}"
        for kind, values in kinds.items()
        for value in values
        if f"{kind}_{value.value}" not in phrases
    }
    assert missing == set()
    for level in Level:
        assert phrases[f"shows_{level.value}"] != phrases[f"shows_not_{level.value}"]


def test_french_sets_narrow_spaces_before_its_signs() -> None:
    wrong = re.compile(r"[^\s\u00a0\u202f:]:(\s|$)| [:;!?]|\w[;!?]")
    bad = {key: text for key, text in catalogue("fr").items() if wrong.search(text)}
    assert bad == {}


@pytest.mark.parametrize(
    ("header", "language"), [("fr-FR,fr;q=0.9", "fr"), ("de, en", "en"), ("", "en")]
)
def test_a_language_that_the_page_does_not_speak_is_english(header: str, language: str) -> None:
    assert preferred(header) == language


def test_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="no such language"):
        catalogue("de")
