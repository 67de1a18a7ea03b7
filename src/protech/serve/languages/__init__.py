"""What pages say, in each language: one JSON catalogue a language, English the reference."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "fr", "de", "nl")


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return the phrases of ``language`` by their key.

    Raises:
        ValueError: The language is none of ``LANGUAGES``.
    """
    if language not in LANGUAGES:
        raise ValueError("no such language")
    return read_phrases(__package__, language)


def read_phrases(package: str, language: str) -> Mapping[str, str]:
    """Return what stands in a package's catalogue of ``language``."""
    text = (files(package) / f"{language}.json").read_text(encoding="utf-8")
    phrases: dict[str, str] = json.loads(text)
    return phrases


def preferred(accept_language: str) -> str:
    """Return the first of our languages that an Accept-Language header asks for, else English.

    Weights are read as the header's order, which is how browsers write it (RFC 9110 12.5.4).
    """
    for part in accept_language.split(","):
        primary = part.split(";")[0].strip().lower().split("-")[0]
        if primary in LANGUAGES:
            return primary
    return "en"
