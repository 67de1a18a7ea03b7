"""Reports: what is said, as values, and one PDF/A-3a and PDF/UA-1 made of it through Typst.

Every value reaches Typst as JSON and is shown as text: a peer that calls itself ``#panic()`` is
a peer with an odd name. The same document gives the same bytes. The only door to Typst.
Sources: ISO 19005-3 (PDF/A-3), ISO 14289-1 (PDF/UA-1), Typst 0.15.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Literal

import typst

from protech.errors import ConfigError
from protech.evidence.letters import shown

STANDARDS: tuple[Literal["a-3a"], Literal["ua-1"]] = ("a-3a", "ua-1")
"""A file that can be read in decades with what it holds, and by a screen reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A value to be copied letter by letter: an address, a digest."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strong:
    """A value that must not be overlooked."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOf:
    """The page on which the heading with this label stands."""

    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """Values below each other."""

    parts: tuple[str | Code, ...] = field(repr=False)


Cell = str | Code | Strong | PageOf | Several
Row = tuple[str, Cell]


def lines(text: str, *, width: int, after: str = "") -> Several:
    """Return what is to be copied in lines of at most ``width``, cut ``after`` if that is."""
    text, parts = shown(text), []
    while len(text) > width:
        cut = (text.rfind(after, 0, width) + 1 if after else 0) or width
        parts.append(Code(text=text[:cut]))
        text = text[cut:]
    return Several(parts=(*parts, Code(text=text)))


def digest(raw: bytes) -> Several:
    """Return a digest as hex for a narrow column, half of it a line."""
    return lines(raw.hex(), width=max(1, len(raw)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading of level 1 to 3; ``label`` lets ``PageOf`` find it."""

    level: int
    text: str = field(repr=False)
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One paragraph."""

    text: str = field(repr=False)
    is_small: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """A list of sentences."""

    items: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names and values, one a line."""

    rows: tuple[Row, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table; ``width`` is its share, 0 as wide as what it holds."""

    title: str
    width: int = 0
    is_number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a heading that is repeated on each page; ``size`` in points."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...] = field(repr=False)
    size: float = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One thing with its facts, kept on one page: two a line, then those that need a line."""

    title: str = field(repr=False)
    pairs: tuple[Row, ...] = field(repr=False)
    wide: tuple[Row, ...] = field(default=(), repr=False)
    is_strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A frame that nobody leafs past."""

    title: str
    paragraphs: tuple[str, ...] = field(repr=False)
    is_warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Blanks:
    """Lines that a person fills in by hand, below what they sign; kept on one page."""

    names: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPage:
    """What follows begins on a new page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The table of contents."""

    title: str


Block = Heading | Text | Points | Facts | Table | Card | Notice | Blanks | NewPage | Contents

Relationship = Literal["source", "data", "alternative", "supplement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file inside the report; text in UTF-8."""

    name: str
    text: str = field(repr=False)
    mime_type: str
    description: str
    relationship: Relationship = "supplement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """All that one PDF says.

    ``at`` is its date, aware: no clock is read. ``mark`` stands large behind the text of every
    page (``PROJET``, ``LAB``), where it is not empty.
    """

    language: str
    at: datetime
    title: str
    subtitle: str
    over: str
    running_head: str = field(repr=False)
    foot: str = field(repr=False)
    page_word: str
    author: str = "Protech"
    mark: str = ""
    blocks: tuple[Block, ...] = field(repr=False)
    attachments: tuple[Attachment, ...] = ()


def render(document: Document) -> bytes:
    """Return the PDF of a document; the same one for the same document.

    Raises:
        ValueError: Its date has no time zone, or a ``PageOf`` names no heading.
        ConfigError: The Typst that is installed cannot make it.

    Cost: 500 cards of a locate case take 3 s and 360 MB.
    """
    if document.at.tzinfo is None:
        raise ValueError("the date of a document has a time zone")
    _require_labels(document.blocks)
    template = resources.files("protech.evidence").joinpath("templates", "document.typ")
    try:
        made = typst.compile(
            template.read_bytes(),
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs={"document": json.dumps(_data(document), ensure_ascii=False)},
            pdf_standards=list(STANDARDS),
            timestamp=document.at.astimezone(UTC),
        )
    except typst.TypstError:
        # What it says may quote the document, which is evidence: the cause is not passed on.
        raise ConfigError(
            "The report could not be made: this Typst refuses the template. Install the version"
            " that the lock of this release names."
        ) from None
    return bytes(made)


def _require_labels(blocks: Sequence[Block]) -> None:
    labels = {one.label for one in blocks if isinstance(one, Heading)}
    tables = (one for one in blocks if isinstance(one, Table))
    cells = (cell for table in tables for row in table.rows for cell in row)
    if not {cell.label for cell in cells if isinstance(cell, PageOf)} <= labels:
        raise ValueError("a page is asked for that no heading has")


def _data(document: Document) -> dict[str, object]:
    at = document.at.astimezone(UTC)
    return {
        "language": document.language,
        "at": [at.year, at.month, at.day, at.hour, at.minute, at.second],
        "title": shown(document.title),
        "subtitle": shown(document.subtitle),
        "over": shown(document.over),
        "running-head": shown(document.running_head),
        "foot": shown(document.foot),
        "page-word": shown(document.page_word),
        "author": shown(document.author),
        "mark": shown(document.mark),
        "blocks": [_json(one) for one in document.blocks],
        "attachments": [
            {name.name: getattr(one, name.name) for name in fields(one)}
            for one in document.attachments
        ],
    }


def _json(value: object) -> object:
    """Return a block or cell as JSON, with its kind; texts as they may be shown."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    if is_dataclass(value):
        kind = "".join(
            f"_{one.lower()}" if one.isupper() else one for one in type(value).__name__
        )
        named = {one.name: _json(getattr(value, one.name)) for one in fields(value)}
        return {"kind": kind.lstrip("_"), **named}
    return value
