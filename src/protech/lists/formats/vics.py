"""VICS: the JSON of Project VIC 1.3 and 2.0, and of CAID; lists of media and whole cases.

An object with a key ``@odata.context`` (2.0) or ``odata.metadata`` (1.x, CAID) that names the
model, and an array ``value``: of media, or of cases that each have an array ``Media``. No
official schema is public; sources: IPED's importer (iped-engine, hashdb, HashDBTool.java) and
exports as tools write them (flags as texts, digests in either case, categories null).
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from protech.errors import ListFormatError
from protech.lists.entries import BadEntry, Entry
from protech.lists.formats.json_stream import Cut, JsonText, Lost, Malformed, TooLong
from protech.lists.formats.lines import UTF8_MARK, refuse_fetch_keys
from protech.lists.formats.values import BadValue
from protech.lists.formats.vics_media import CARRIED, UNCATEGORIZED, MediaReader

DEPTH = 3
"""An array of a case in an array of cases; deeper ones are passed over."""

LOST_MOST = 1000
"""So many entries without an end make a file no list."""

MODEL_KEYS = ('"@odata.context"', '"odata.metadata"')
_NAMES = ("MediaID", "MD5", "SHA1", "Category", "odata.id", "MediaFiles")
_ARRAYS = ("value", "Media")


def matches(head: bytes) -> bool:
    """Return whether the first bytes are of an object that names a model of Project VIC."""
    text = head.removeprefix(UTF8_MARK).decode(errors="replace").lstrip()
    return text.startswith("{") and (
        any(key in text for key in MODEL_KEYS) or "ProjectVic" in text
    )


def category_of(entry: Entry) -> str:
    """Return the category that an entry carries, ``UNCATEGORIZED`` where it has none."""
    carried = entry.others.get(CARRIED)
    return str(carried["category"]) if isinstance(carried, dict) else UNCATEGORIZED


def read(file: BinaryIO) -> Iterator[Entry | BadEntry]:
    """Yield an entry for each of the media, in the order of the file.

    An entry of which one identifier is wrong is yielded with the others, and its place named.

    Raises:
        ListFormatError: The file is in UTF-16, is no object with an array ``value``, holds
            fetch keys, or is broken in too many places.
    """
    yield from _Reader(JsonText(file)).entries()


class _Reader:
    """One file on its way."""

    def __init__(self, text: JsonText) -> None:
        refuse_fetch_keys(text.text[:4096].encode(errors="replace"))
        self._text = text
        self._place = 0
        self._lost = 0
        self._depth = 0
        self._lead = re.compile(rf'\{{\s*"(?:{"|".join(map(re.escape, _NAMES))})"\s*:')
        self._has_array = False
        self._entry = MediaReader().entry

    def entries(self) -> Iterator[Entry | BadEntry]:
        if not self._text.took("{"):
            raise _broken("it does not begin with an object")
        try:
            yield from self._object()
        except Cut:
            if not self._has_array:
                raise _broken("it ends before its entries begin") from None
            yield BadEntry(line=self._place + 1, reason="the file was cut here")
        except (Malformed, Lost, TooLong):
            if not self._has_array:
                raise _broken("it is no JSON") from None
            yield BadEntry(line=self._place + 1, reason="what stands after it is no JSON")
        if not self._has_array:
            raise _broken('it has no array "value"')

    def _object(self) -> Iterator[Entry | BadEntry]:
        """Go through an object key by key, into its arrays of entries."""
        self._depth += 1
        while not self._text.took("}"):
            key = self._text.value()
            if not isinstance(key, str) or not self._text.took(":"):
                raise Malformed
            if key in _ARRAYS and self._text.took("["):
                self._has_array = True
                yield from self._array()
            else:
                self._text.skip()
            if not self._text.took(",") and self._text.peek() != "}":
                raise Malformed if self._text.peek() else Cut
        self._depth -= 1

    def _array(self) -> Iterator[Entry | BadEntry]:
        text = self._text
        while not text.took("]"):  # after a comma, too: one too many is forgiven
            before = self._place
            for one in text.run():
                if "Media" in one:
                    yield from self._media(one)
                    continue
                self._place += 1
                try:
                    yield self._entry(one)
                except BadValue as bad:
                    yield from self._named(bad)
            if self._place == before or text.peek() != "]":
                yield from self._doubtful()

    def _doubtful(self) -> Iterator[Entry | BadEntry]:
        """Take one value of an array and what parts it from the next."""
        text = self._text
        try:
            value = text.value()
        except Malformed:
            yield self._bad("it is no JSON")
        except Lost:
            yield self._bad("it is no JSON, and where it ends was guessed")
            self._find_next()
            return
        except TooLong:
            yield from self._long()
        else:
            yield from self._media(value)
        if not text.took(",") and text.peek() != "]":
            if not text.peek():
                raise Cut
            yield BadEntry(line=self._place + 1, reason="no comma stands before it")
            if text.peek() != "{":
                self._find_next()

    def _bad(self, reason: str) -> BadEntry:
        self._place += 1
        return BadEntry(line=self._place, reason=reason)

    def _find_next(self) -> None:
        """Stand before what looks like the next entry."""
        self._lost += 1
        if self._lost > LOST_MOST:
            raise _broken("too many of its entries have no end")
        if not self._text.find(self._lead):
            raise Cut

    def _long(self) -> Iterator[Entry | BadEntry]:
        """Go into a case with many media; pass over an entry that is too long."""
        before = self._place
        if self._depth < DEPTH and self._text.took("{"):
            yield from self._object()
        else:
            self._text.skip()
        if self._place == before:
            yield self._bad("it is too long")

    def _media(self, value: object) -> Iterator[Entry | BadEntry]:
        """Yield the entry that a value is, or those of the case that it is."""
        media = value.get("Media") if isinstance(value, dict) else None
        for one in media if isinstance(media, list) else (value,):
            self._place += 1
            try:
                if not isinstance(one, dict):
                    raise BadValue("it is no object")
                yield self._entry(one)
            except BadValue as bad:
                yield from self._named(bad)

    def _named(self, bad: BadValue) -> Iterator[Entry | BadEntry]:
        if bad.kept is not None:
            yield bad.kept
        yield BadEntry(line=self._place, reason=str(bad))


def _broken(why: str) -> ListFormatError:
    return ListFormatError(
        f"The list is not in the format of VICS: {why}. Export it again as VICS or CAID"
        " JSON, or name its format with --format."
    )
