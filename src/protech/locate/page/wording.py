"""Phrases, numbers and times of the page in one language; times are always UTC."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from protech.locate.page.languages import catalogue
from protech.locate.page.query import NO_COUNTRY
from protech.locate.page.reading import moment_of
from protech.locate.page.world import country_name

_THOUSANDS = {"en": ",", "fr": "\N{NARROW NO-BREAK SPACE}"}
_POINT = {"en": ".", "fr": ","}

type Parts = Literal["day", "short", "minute", "clock", "second", "millisecond"]

_CUT: Mapping[str, slice] = {
    "day": slice(10),
    "minute": slice(16),
    "short": slice(5, 16),
    "clock": slice(11, 16),
    "second": slice(19),
    "millisecond": slice(23),
}


class Wording:
    """What templates ask for words."""

    def __init__(self, language: str) -> None:
        """Speak ``language``, one of ``LANGUAGES``."""
        self.language = language
        self._phrases: Mapping[str, str] = catalogue(language)

    def say(self, key: str, **gaps: object) -> str:
        """Return a phrase with its gaps filled; numbers as this language writes them."""
        filled = {
            name: self.count(value) if isinstance(value, int) else value
            for name, value in gaps.items()
        }
        if self._is_one(gaps) and f"{key}_one" in self._phrases:
            key = f"{key}_one"
        return self._phrases[key].format(**filled)

    def _is_one(self, gaps: Mapping[str, object]) -> bool:
        """Return whether the first number takes the singular: none does in French, too."""
        number = next((gap for gap in gaps.values() if isinstance(gap, int)), None)
        return number == 1 or (number == 0 and self.language == "fr")

    def term(self, kind: str, value: str) -> str:
        """Return the phrase for a value of a record; the value itself where there is none."""
        return self._phrases.get(f"{kind}_{value}", value)

    def count(self, number: float | None, *, digits: int = 0) -> str:
        """Return a number with its thousands apart; a dash for None."""
        if number is None:
            return "\N{EN DASH}"
        text = f"{number:,.{digits}f}"
        whole, _, fraction = text.partition(".")
        whole = whole.replace(",", _THOUSANDS[self.language])
        return f"{whole}{_POINT[self.language]}{fraction}" if fraction else whole

    def short(self, number: int) -> str:
        """Return a number in at most four characters, for a tile."""
        for limit, unit in ((1000, ""), (1_000_000, "k")):
            if number < limit:
                scaled = number if limit == 1000 else number / 1000
                return f"{scaled:.0f}{unit}"
        return f"{number / 1_000_000:.0f}M"

    def moment(self, at: datetime | str | int | None, *, parts: Parts = "second") -> str:
        """Return a time in UTC, given as a moment, its text, or ms since 1970."""
        match at:
            case None | "":
                return "\N{EN DASH}"
            case str():
                moment = datetime.fromisoformat(at)
            case int():
                moment = moment_of(at)
            case _:
                moment = at
        text = moment.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds")
        return text[_CUT[parts]]

    def country(self, code: str | None) -> str:
        """Return a country's name in this language, or that none is determined."""
        if code is None or code == NO_COUNTRY or not code:
            return self.say("country_none")
        return country_name(code, self.language)

    def countries(self, codes: tuple[str, ...]) -> str:
        """Return the names of countries in a row."""
        return ", ".join(self.country(code) for code in codes)
