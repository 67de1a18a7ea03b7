"""The formats that lists come in: how each is told by its first bytes, and who reads it.

Used inside the locked process only (``lists.convert``); nothing else reads foreign files.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from protech.db import ForeignDatabase
from protech.errors import ListFormatError
from protech.lists.entries import BadEntry, Category, Entry
from protech.lists.formats import circl, hma, icse, ncmec, nsrl, own, tables, vics
from protech.lists.formats.lines import HEAD_BYTES, UTF8_MARK
from protech.lists.formats.vics_media import UNCATEGORIZED
from protech.lists.formats.writers import EXPORT


class Format(StrEnum):
    """The formats that are read, by the words of ``--format``."""

    OWN = "own"
    VICS = "vics"
    NCMEC = "ncmec"
    HMA = "hma"
    NSRL = "nsrl"
    CIRCL = "circl"
    ICSE = "icse"
    CSV = "csv"
    TEXT = "text"


Read = Callable[[BinaryIO], Iterator[Entry | BadEntry]]

NOT_READ = (
    "The file is a Bloom filter, which cannot be made into a list: it is used as it is, as a"
    " list of harmless files. Name it where lists are named."
)

NOT_YOURS = (
    "The file is a known list already, and not one of your own: its header says what it may be"
    " used for, and another header would not. Use it as it is."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One format: whether a file's first bytes are of it, and what reads a file.

    ``category`` tells the category of an entry in the words of the file, where its format has
    any: such a list is imported only once it is said which of them are listed.
    """

    matches: Callable[[bytes], bool]
    read: Read
    category: Callable[[Entry], str] | None = None


def detect(head: bytes) -> Format:
    """Return the format of a file by its first bytes.

    Raises:
        ListFormatError: It may be none, or several.
    """
    for format_, known in FORMATS.items():
        if known.matches(head):
            return format_
    raise ListFormatError(
        "Nothing at the beginning of the file tells in which format it is; say it with"
        f" --format, one of {', '.join(Format)}."
    )


def reader_of(format_: Format, database: ForeignDatabase | None) -> Read:
    """Return what reads a file of a format.

    Args:
        format_: Of the file.
        database: What ``nsrl.prepare`` made of the file before the process was locked.

    Raises:
        ListFormatError: Such a file is not read, or not without a database.
    """
    if format_ is Format.NSRL and database is not None:
        return lambda _: nsrl.read(database)
    if format_ is Format.NSRL:
        raise ListFormatError("The file is no SQLite database, so it is no data set of NSRL.")
    return FORMATS[format_].read


def check_category(format_: Format, category: Category) -> None:
    """See to it that harmless files are not listed as harmful ones.

    Raises:
        ListFormatError: What the format is made for is of another category.
    """
    if format_ is Format.NSRL and category is not Category.KNOWN_GOOD:
        raise ListFormatError(
            "The file is a data set of NSRL, which lists harmless files; import it with"
            f" --category {Category.KNOWN_GOOD}."
        )


def _read_own(file: BinaryIO) -> Iterator[Entry | BadEntry]:
    header = own.read_header(file)
    if header.category is not Category.OWN and header.others.get(EXPORT) is not True:
        raise ListFormatError(NOT_YOURS)
    return own.read_entries(file)


def _is_own(head: bytes) -> bool:
    line = head.removeprefix(UTF8_MARK).lstrip()[:HEAD_BYTES]
    return line.startswith(b"{") and f'"{own.MAGIC}"'.encode() in line.partition(b"\n")[0]


def _classification(entry: Entry) -> str:
    about = entry.others.get("ncmec")
    said = about.get("classification") if isinstance(about, Mapping) else None
    return str(said or UNCATEGORIZED)


def _refuse(_: BinaryIO) -> Iterator[Entry | BadEntry]:
    raise ListFormatError(NOT_READ)


FORMATS: Mapping[Format, Known] = {
    Format.OWN: Known(matches=_is_own, read=_read_own),
    Format.NSRL: Known(matches=nsrl.matches, read=_refuse),
    Format.VICS: Known(matches=vics.matches, read=vics.read, category=vics.category_of),
    Format.NCMEC: Known(matches=ncmec.matches, read=ncmec.read, category=_classification),
    Format.ICSE: Known(matches=icse.matches, read=icse.read),
    Format.HMA: Known(matches=hma.matches, read=hma.read),
    Format.CSV: Known(matches=tables.csv_matches, read=tables.read_csv),
    Format.TEXT: Known(matches=tables.text_matches, read=tables.read_text),
    Format.CIRCL: Known(matches=circl.matches, read=_refuse),
}
"""In the order in which they are tried."""
