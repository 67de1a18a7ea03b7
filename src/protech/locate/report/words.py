"""The words of a report in its language, and how times and numbers are written in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib import resources

from protech.locate.report.self_test import Rate

NARROW = "\u202f"
"""The space of French before ``;``, ``!`` and ``?``, at which no line breaks."""
WIDE = "\u00a0"


class Language(StrEnum):
    """A language that reports are written in."""

    FRENCH = "fr"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """All that is said in one language."""

    language: Language
    sentences: Mapping[str, str] = field(repr=False)

    def say(self, name: str, /, **values: object) -> str:
        """Return a sentence with its values in their places; values are never read as words.

        Raises:
            KeyError: There is no such sentence, or a value is missing.
        """
        return self.sentences[name].format(**values)

    def term(self, kind: str, value: str) -> str:
        """Return the sentence for a value of a record; the value itself where there is none."""
        return self.sentences.get(f"{kind}_{value}", value)

    def named(self, group: str, name: str) -> str:
        """Return the word for a value of a record, or the value itself where there is none."""
        return self.sentences.get(f"{group}_{name}", name)

    def moment(self, moment: datetime, *, thousandths: bool = True) -> str:
        """Return ``2026-11-28 13:26:00.123 UTC``: the same in every language, on purpose."""
        text = (
            moment.astimezone(UTC)
            .replace(tzinfo=None)
            .isoformat(sep=" ", timespec="milliseconds" if thousandths else "seconds")
        )
        return f"{text}{WIDE}UTC"

    def when(self, text: str) -> str:
        """Return a moment in a signed paper as ``moment`` does; any other text as it is."""
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            return text
        return text if found.tzinfo is None else self.moment(found, thousandths=False)

    def delay(self, delay: timedelta) -> str:
        """Return how long, in the largest unit of which there are two or more."""
        seconds = delay.total_seconds()
        for name, unit in (("delay_d", 86_400), ("delay_h", 3600), ("delay_min", 60)):
            if seconds >= 2 * unit:
                return self.say(name, n=self.number(int(seconds // unit)))
        return self.say("delay_s", n=self.decimal(seconds, places=1))

    def number(self, number: int) -> str:
        """Return a whole number in groups of three."""
        return f"{number:,}".replace(",", self.sentences["thousands"])

    def decimal(self, number: float, *, places: int) -> str:
        """Return a number with so many decimal places."""
        return f"{number:.{places}f}".replace(".", self.sentences["decimal"])

    def share(self, share: float) -> str:
        """Return a share of 1 as a percentage with two decimal places, never rounded up."""
        percent = int(share * 10_000 + 1e-9) / 100
        return f"{self.decimal(percent, places=2)}{WIDE}%"

    def rate(self, rate: Rate | None) -> str:
        """Return a measured share with its counts and interval, or that there is none."""
        if rate is None:
            return self.say("not_measured")
        return self.say(
            "rate",
            share=self.share(rate.share),
            right=self.number(rate.right),
            n=self.number(rate.n),
            low=self.share(rate.low),
            high=self.share(rate.high),
        )

    def several(self, names: list[str]) -> str:
        """Return names with commas between them, or that there are none."""
        return ", ".join(names) if names else self.say("none")


def load(language: Language) -> Words:
    """Return the words of a language."""
    file = resources.files("protech.locate.report").joinpath("languages", f"{language}.json")
    sentences = json.loads(file.read_text(encoding="utf-8"))
    if language is Language.FRENCH:
        sentences = {name: _spaced(text) for name, text in sentences.items()}
    return Words(language=language, sentences=sentences)


def _spaced(text: str) -> str:
    """Return a French sentence whose signs stay on the line of the word before them."""
    for sign, space in ((":", WIDE), (";", NARROW), ("!", NARROW), ("?", NARROW)):
        text = text.replace(f" {sign}", f"{space}{sign}")
    return text.replace("« ", f"«{WIDE}").replace(" »", f"{WIDE}»").replace(" %", f"{WIDE}%")
