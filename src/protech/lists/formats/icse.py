"""INTERPOL ICSE exports: a table with semicolons, MD5, SHA-1 and PhotoDNA of each image.

Source of the columns: IPED's importer (iped-engine, hashdb, HashDBTool.java); INTERPOL
publishes no description.
"""

from collections.abc import Iterator
from typing import BinaryIO

from protech.errors import ListFormatError
from protech.lists.entries import BadEntry, Entry
from protech.lists.formats.lines import entries, first_line, lines
from protech.lists.formats.tables import cells, named, require_once
from protech.lists.formats.values import BadValue, entry_of

DELIMITER = ";"

IDENTIFIERS = {"md5": "md5", "sha1": "sha1", "photodna": "photodna"}
FLAGS = {
    "is distributed": "is_distributed",
    "victim identified": "victim_identified",
    "offender identified": "offender_identified",
    "baseline": "baseline",
}
TEXTS = {"image id": "image_id", "media type": "media_type"}
"""What is carried with an entry; series and numbers of submissions are left out."""

NEEDED = ("md5", "sha1", "image_id")
YES = {"y", "yes", "t", "true", "1"}

TEXT_CHARACTERS = 200


def matches(head: bytes) -> bool:
    """Return whether the first line has the columns of an ICSE export."""
    return _columns(first_line(head)) is not None


def read(file: BinaryIO) -> Iterator[Entry | BadEntry]:
    """Yield an entry for each row.

    Raises:
        ListFormatError: The first line has other columns.
    """
    numbered = lines(file)
    columns = _columns(next(numbered, (1, ""))[1] or "")
    if columns is None:
        raise ListFormatError(
            "The table has not the columns MD5;SHA1;Image ID of an ICSE export in its first"
            " line; for any other table use --format csv."
        )
    yield from entries(numbered, lambda line: _entry(line, columns))


def _columns(line: str) -> dict[str, int] | None:
    try:
        names = [name.lower() for name in cells(line, DELIMITER)]
    except BadValue:
        return None
    wanted = {**IDENTIFIERS, **FLAGS, **TEXTS}
    columns = {wanted[name]: at for at, name in enumerate(names) if name in wanted}
    if not columns.keys() >= set(NEEDED):
        return None
    require_once(name for name in names if name in wanted)
    return columns


def _entry(line: str, columns: dict[str, int]) -> Entry | None:
    row = cells(line, DELIMITER)
    if not any(row):
        return None
    held = named(row, columns)
    about: dict[str, object] = {
        name: held.pop(name).lower() in YES for name in FLAGS.values() if name in held
    }
    for name in TEXTS.values():
        if name in held:
            about[name] = held.pop(name)[:TEXT_CHARACTERS]
    return entry_of(held, others={"icse": about})
