"""Catalogues say the same things, with the same gaps to fill, in every language."""

import re

import pytest

from protech.serve.languages import LANGUAGES, catalogue, preferred

GAP = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_phrase_and_its_gaps(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert other.keys() == english.keys()
    for key, phrase in english.items():
        assert sorted(GAP.findall(other[key])) == sorted(GAP.findall(phrase)), key


@pytest.mark.parametrize(
    ("header", "language"),
    [("fr-FR,fr;q=0.9,en;q=0.8", "fr"), ("xx, de;q=0.5", "de"), ("", "en"), ("NL", "nl")],
)
def test_first_language_we_speak_is_taken(header: str, language: str) -> None:
    assert preferred(header) == language


def test_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="no such language"):
        catalogue("xx")
