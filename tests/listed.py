"""Small known lists for tests: an entry, a header to change, and a file of both."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from protech.lists.entries import OWN_USES, Category, Entry, ListHeader
from protech.lists.formats.own import ListWriter
from protech.types import Digests, PdqHash

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ENTRY = Entry(label="a.jpg", md5=bytes(16), sha1=bytes(20), sha256=bytes(32), pdq=(bytes(32),))
ASKED = Digests(md5=bytes(16), sha1=bytes(20), sha256=bytes(32))
HASH = PdqHash(bits=bytes(31) + b"\1", quality=80)


HEADER = ListHeader(
    name="mine", version=3, category=Category.OWN, uses=OWN_USES, created_at=NOW
)


def header(**changes: Any) -> ListHeader:
    """Return the header with some fields changed."""
    return replace(HEADER, **changes)


def write(path: Path, head: ListHeader, entries: Iterable[Entry] = (ENTRY,)) -> Path:
    """Write a list."""
    with path.open("wb") as file:
        writer = ListWriter(file, head)
        for entry in entries:
            writer.write(entry)
        writer.finish()
    return path
