"""NSRL's Reference Data Set, version 3: a SQLite database of files of known programs.

Source: its published schema (RDS_*.schema.sql) and NIST's notes on RDSv3: in the minimal sets
FILE is a table, in the full ones a view of the table METADATA. A view is never run here.
"""

from collections.abc import Iterator

from protech.db import ForeignDatabase, Row
from protech.errors import ListFormatError, SourceError
from protech.lists.entries import DIGESTS, BadEntry, Entry
from protech.lists.formats.values import BadValue, entry_of

MAGIC = b"SQLite format 3\0"
"""Source: sqlite.org/fileformat.html, section 1.3."""

TABLES = ("FILE", "METADATA")


def matches(head: bytes) -> bool:
    """Return whether the first bytes are of a SQLite database."""
    return head.startswith(MAGIC)


def prepare(descriptor: int) -> ForeignDatabase:
    """Open the database in a file before this process locks itself; nothing of it is read.

    Raises:
        ListFormatError: It cannot be opened.
    """
    try:
        return ForeignDatabase.open(descriptor)
    except SourceError as refused:
        raise _broken(str(refused)) from refused


def read(database: ForeignDatabase) -> Iterator[Entry | BadEntry]:
    """Yield an entry for each file; its place is counted from 1.

    A file that stands there under several names or packages is yielded once where the set has
    an index for it (the minimal sets have), else where its rows follow each other.

    Raises:
        ListFormatError: It is no such database, or is damaged.
    """
    try:
        table, columns = _table(database)
        earlier: Row = ()
        for place, row in enumerate(database.rows(table, columns), start=1):
            if row == earlier:
                continue
            earlier = row
            yield from _entries(place, columns, row)
    except SourceError as refused:
        raise _broken(str(refused)) from refused


def _table(database: ForeignDatabase) -> tuple[str, list[str]]:
    for table in TABLES:
        columns = [name for name in database.columns(table) if name.lower() in DIGESTS]
        if columns:
            return table, columns
    raise _broken("It has no table FILE or METADATA with md5, sha1 or sha256.")


def _entries(place: int, columns: list[str], row: Row) -> Iterator[Entry | BadEntry]:
    held = {
        name.lower(): value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        for name, value in zip(columns, row, strict=True)
        if value is not None
    }
    try:
        yield entry_of(held)
    except BadValue as bad:
        if bad.kept is not None:
            yield bad.kept
        yield BadEntry(line=place, reason=str(bad))


def _broken(why: str) -> ListFormatError:
    return ListFormatError(f"The list is no data set of NSRL (RDSv3, SQLite). {why}")
