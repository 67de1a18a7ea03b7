"""Plain lists: a digest a line, and tables with a head (CSV)."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import BinaryIO

from protech.errors import ListFormatError
from protech.lists.entries import DIGESTS, BadEntry, Entry
from protech.lists.formats.lines import UTF8_MARK, entries, first_line, lines
from protech.lists.formats.values import BadValue, entry_of

DELIMITERS = (";", ",", "\t")

FORMULA = re.compile(r"'*[=+\-@\t\uff1d\uff0b\uff0d\uff20]")
"""A cell that begins with such a sign, in East Asian width, too, is a formula to a spreadsheet
(OWASP, CSV injection)."""
GUARD = "'"
"""What a table has before such a label, to make it text; one more where there are some."""


class Wide(StrEnum):
    """What 64 hex digits are that stand alone: SHA-256 and PDQ are of one length."""

    SHA256 = "sha256"
    PDQ = "pdq"


KIND_WORD = re.compile(r"(md5|sha-?1|sha-?256|pdq)\s*[:=,\s]\s*", re.IGNORECASE)


def text_matches(head: bytes) -> bool:
    """Return whether the first bytes are of a text whose first line has a digest.

    64 digits alone may be of two kinds, so that the person must say which.
    """
    first = next((line for line in _said(head) if line), "")
    try:
        kind, _ = _word(first)
        return _one(first, Wide.SHA256) is not None and (
            kind is not None or len(first.split()[0]) != 64 or len(first.split()) > 1
        )
    except BadValue:
        return False


def read_text(file: BinaryIO, *, wide: Wide = Wide.SHA256) -> Iterator[Entry | BadEntry]:
    """Yield an entry for each line of digests, their kind told by length or by a word before.

    ``#`` begins a comment. What stands after a digest, as in what ``sha256sum`` prints, is left
    out.

    Args:
        file: From its first byte.
        wide: What 64 digits without a word are.

    Raises:
        ListFormatError: It is in UTF-16 or binary, or holds fetch keys.
    """
    yield from entries(_text_only(lines(file)), lambda line: _one(_bare(line), wide))


def csv_matches(head: bytes) -> bool:
    """Return whether the first line names a column of digests."""
    return _columns(first_line(head)) is not None


def read_csv(file: BinaryIO) -> Iterator[Entry | BadEntry]:
    """Yield an entry for each row under a head that names md5, sha1, sha256, pdq or photodna.

    Names are read in any case and order, ``-``, ``_`` and blanks aside; ``label`` and ``vpdq``
    as our own writer names them; other columns are left out. A row is one line: a quoted
    line break is no part of a digest.

    Raises:
        ListFormatError: No column is one of these, or two are the same.
    """
    numbered = lines(file)
    head = next(((number, line) for number, line in numbered if line is None or line), (1, ""))
    found = None if head[1] is None else _columns(head[1])
    if found is None:
        raise ListFormatError(
            "The table has no column md5, sha1, sha256, pdq or photodna in its first line, so"
            " it is no list; write these names above the columns of digests."
        )
    delimiter, columns = found
    require_once(filter(None, map(_kind, cells(head[1] or "", delimiter))))
    yield from entries(numbered, lambda line: _row(line, delimiter, columns))


def cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of one row, without the quotes around them (RFC 4180).

    Raises:
        BadValue: Its quotes do not close.
    """
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    row: list[str] = []
    at = 0
    while at <= len(line):
        cell = _CELL[delimiter].match(line, at)
        if cell is None:
            raise BadValue("the row is no row of a table: see its quotes")
        quoted, bare = cell.groups()
        row.append(bare.strip() if quoted is None else quoted.replace('""', '"'))
        at = cell.end() + 1
    return row


_CELL = {
    delimiter: re.compile(rf'(?:"((?:[^"]|"")*)"|([^"{delimiter}]*))(?=[{delimiter}]|$)')
    for delimiter in DELIMITERS
}


def named(row: list[str], columns: Mapping[str, int]) -> dict[str, str]:
    """Return the cells that are not empty, each under the name of its column."""
    return {name: row[at] for name, at in columns.items() if at < len(row) and row[at]}


def _row(line: str, delimiter: str, columns: Mapping[str, int]) -> Entry | None:
    row = cells(line, delimiter)
    if not any(row):
        return None
    held = named(row, columns)
    label = held.pop("label", None)
    return entry_of(held, label=label and _unguarded(label))


def quoted(label: str) -> str:
    """Return a label as a cell of a table, which no spreadsheet takes for a formula.

    A line break or a zero byte in it becomes the replacement character.
    """
    one_line = re.sub(r"[\r\n\0]", "\ufffd", label)
    guard = GUARD if FORMULA.match(one_line) else ""
    return '"' + (guard + one_line).replace('"', '""') + '"' if one_line else ""


def _unguarded(label: str) -> str:
    return label[1:] if label.startswith(GUARD) and FORMULA.match(label) else label


def _columns(line: str) -> tuple[str, dict[str, int]] | None:
    """Return the delimiter under which most columns are known, and where they stand."""
    tried = [(delimiter, _known(line, delimiter)) for delimiter in DELIMITERS]
    delimiter, columns = max(tried, key=lambda one: len(one[1]))
    return (delimiter, columns) if columns.keys() - {"label"} else None


def _known(line: str, delimiter: str) -> dict[str, int]:
    try:
        names = cells(line, delimiter)
    except BadValue:
        names = []
    columns: dict[str, int] = {}
    for at, name in enumerate(names):
        known = _kind(name)
        if known is not None:
            columns.setdefault(known, at)
    return columns


def _kind(name: str) -> str | None:
    return _KNOWN.get(re.sub(r"[^a-z0-9]", "", name.lower()))


def require_once(names: Iterable[str]) -> None:
    """See to it that no column is there twice: which of the two is meant, nobody can tell.

    Raises:
        ListFormatError: One is.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ListFormatError(
            f"The table has more than one column {', '.join(sorted(twice))}; leave one of each."
        )


_KNOWN = {
    **{
        name + ending: name for name in (*DIGESTS, "pdq", "photodna") for ending in ("", "hash")
    },
    "vpdq": "vpdq",
    "label": "label",
}


def _one(line: str, wide: Wide) -> Entry | None:
    if not line:
        return None
    kind, rest = _word(line)
    digest = rest.split(maxsplit=1)[0] if rest.strip() else ""
    if kind is None:
        kind = {32: "md5", 40: "sha1", 64: wide.value}.get(len(digest))
    if kind is None:
        raise BadValue("the line begins with no digest of 32, 40 or 64 hex digits")
    return entry_of({kind: digest})


def _word(line: str) -> tuple[str | None, str]:
    word = KIND_WORD.match(line)
    return (word[1].lower().replace("-", ""), line[word.end() :]) if word else (None, line)


def _bare(line: str) -> str:
    return line.partition("#")[0].strip()


def _said(head: bytes) -> Iterator[str]:
    return (
        _bare(line)
        for line in head.removeprefix(UTF8_MARK).decode(errors="replace").splitlines()
    )


def _text_only(numbered: Iterator[tuple[int, str | None]]) -> Iterator[tuple[int, str | None]]:
    for number, line in numbered:
        if number == 1 and line is not None and "\0" in line:
            raise ListFormatError("The list is no text; see --format for what can be read.")
        yield number, line
