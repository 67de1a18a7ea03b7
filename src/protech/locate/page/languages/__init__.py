"""What the page of a case says: one JSON catalogue a language, English the reference."""

from collections.abc import Mapping
from functools import cache

from protech.serve.languages import preferred as preferred_of_pages
from protech.serve.languages import read_phrases

LANGUAGES = ("en", "fr")


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return the phrases of ``language`` by their key.

    Raises:
        ValueError: The language is none of ``LANGUAGES``.
    """
    if language not in LANGUAGES:
        raise ValueError("no such language")
    return read_phrases(__package__, language)


def preferred(accept_language: str) -> str:
    """Return the language that a header asks for where this page speaks it, else English."""
    asked = preferred_of_pages(accept_language)
    return asked if asked in LANGUAGES else "en"
