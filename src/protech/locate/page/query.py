"""What is asked of the list of peers: filters, order and place; from and to a query string."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self
from urllib.parse import urlencode

SORTS = ("level", "recent", "files", "activity")
VERDICTS = ("inside", "undetermined", "outside")
NAMED_LEVELS = ("4", "3")
WINDOWS_H: Mapping[str, int] = {"hour": 1, "day": 24, "week": 7 * 24, "month": 30 * 24}

NO_COUNTRY = "none"
"""How a query asks for peers whose country is not determined."""

TEXT_LENGTH = 80
PAGES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Empty text means "all"; what a query string says besides, or wrongly, means that, too."""

    level: str = ""
    verdict: str = ""
    country: str = ""
    asn: str = ""
    network: str = ""
    listed: str = ""
    """A list by its place among those of the case."""
    entry: str = ""
    flag: str = ""
    window: str = ""
    sort: str = "level"
    page: int = 1

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """Return the query that a query string asks for; never an error."""
        text = {
            field.name: given[field.name]
            for field in fields(cls)
            if field.name != "page" and len(given.get(field.name, "")) <= TEXT_LENGTH
            if field.name in given
        }
        one_of = {"level": NAMED_LEVELS, "verdict": VERDICTS, "window": (*WINDOWS_H,)}
        for name, choices in one_of.items():
            if text.get(name) not in choices:
                text.pop(name, None)
        for name in ("asn", "listed"):
            if not _is_number(text.get(name, "")):
                text.pop(name, None)
        if text.get("sort") not in SORTS:
            text.pop("sort", None)
        page = given.get("page", "")
        number = min(int(page), PAGES) if _is_number(page) else 1
        return cls(**text, page=max(1, number))

    def but(self, **changes: Any) -> Self:  # noqa: ANN401 - a field's own value
        """Return this query with ``changes``, from its first page on."""
        return replace(self, **{"page": 1, **changes})

    @property
    def url(self) -> str:
        """The page's address for this query; what is the default is left out."""
        plain = type(self)()
        said = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != getattr(plain, field.name)
        }
        return f"/?{urlencode(said)}" if said else "/"

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves peers out."""
        return replace(self, page=1, sort="level") != type(self)()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(1 << 32))
