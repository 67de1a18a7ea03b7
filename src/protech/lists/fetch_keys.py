"""What ``locate`` asks peer-to-peer networks for: a list that nothing else reads.

JSON lines: a header whose first key is the magic, then one key a line. With such a key anybody
could fetch a file, so there is no other format of it: no reader of ``lists.formats`` reads it,
no writer exports it, and only ``locate`` may import this module.
Sources: BEP 3 and BEP 52 (BitTorrent), the eD2k and AICH hashes of eMule.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO

from protech.errors import ListFormatError, TrustError
from protech.lists.entries import BadEntry, Category, ListHeader, Use
from protech.lists.fetch_key import KINDS, FetchKey, NoFetchKey, parse_key
from protech.lists.formats import own

FORMAT_VERSION = 2

MAGIC = "protech_fetch_keys"
"""The header's first key; its value is the format's version."""

LINE_BYTES = 8 * 1024 * 1024


def read_header(file: BinaryIO) -> ListHeader:
    """Return the header, leaving ``file`` at the first key.

    Raises:
        ListFormatError: It is no list of fetch keys.
        TrustError: It is not a list for locate alone, of an authority.
    """
    line = file.readline(LINE_BYTES + 1)
    if not line.startswith(b'{"' + MAGIC.encode() + b'":'):
        raise ListFormatError("The list does not begin with the header of a list for locate.")
    try:
        fields = _object(line)
    except NoFetchKey as bad:
        raise ListFormatError(f"The list for locate cannot be read: {bad} (line 1).") from bad
    if fields.pop(MAGIC) != FORMAT_VERSION:
        raise ListFormatError(
            f"The list for locate is in another version than {FORMAT_VERSION}, which is read."
        )
    as_own = {own.MAGIC: own.FORMAT_VERSION, **fields}
    header = own.parse_header(json.dumps(as_own).encode())
    _check(header)
    return header


def read_keys(file: BinaryIO) -> Iterator[FetchKey | BadEntry]:
    """Yield what stands on each line after the header, the good and the bad."""
    number = 1
    while line := file.readline(LINE_BYTES + 1):
        number += 1
        try:
            if len(line) > LINE_BYTES and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = file.readline(LINE_BYTES)
                raise NoFetchKey(f"the line is longer than {LINE_BYTES} bytes")
            yield parse_key(_object(line))
        except NoFetchKey as bad:
            yield BadEntry(line=number, reason=str(bad))


class KeyWriter:
    """Writes a list key by key; the header is put right when it is finished."""

    def __init__(self, file: BinaryIO, header: ListHeader) -> None:
        """Begin a list in ``file``, which must be seekable; the count of ``header`` is ours.

        Raises:
            TrustError: The header is not of a list for locate alone, of an authority.
        """
        _check(header)
        self._file = file
        self._header = header
        self._start = file.tell()
        self.count = 0
        self._write_header()

    def write(self, key: FetchKey) -> None:
        """Append one key.

        Raises:
            ValueError: It does not hold together.
        """
        fields = key_fields(key)
        try:
            parse_key(dict(fields))
        except NoFetchKey as bad:
            raise ValueError(f"the fetch key does not hold together: {bad}") from bad
        self._file.write(_line(fields))
        self.count += 1

    def finish(self) -> None:
        """Write the count into the header."""
        end = self._file.tell()
        self._file.seek(self._start)
        self._write_header()
        self._file.seek(end)

    def _write_header(self) -> None:
        padding = b" " * (own.COUNT_DIGITS - len(str(self.count)))
        fields = own.header_fields(replace(self._header, count=self.count))
        del fields[own.MAGIC]
        line = _line({MAGIC: FORMAT_VERSION, **fields})
        self._file.write(line[:-1] + padding + b"\n")


def key_fields(key: FetchKey) -> dict[str, object]:
    """Return a key as its line holds it; what it has not is left out."""
    kind = next(name for name, one in KINDS.items() if isinstance(key, one))
    fields = {name: getattr(key, name) for name in key.__dataclass_fields__}
    held = {name: _as_json(value) for name, value in fields.items() if value is not None}
    return {"kind": kind, **held}


def key_line(key: FetchKey) -> bytes:
    """Return the line of a key, which is what is committed to where one is disclosed."""
    return _line(key_fields(key))


def _check(header: ListHeader) -> None:
    if header.uses != {Use.LOCATE} or header.category is not Category.CSAM:
        raise TrustError(
            "Fetch keys stand only in a list whose one use is locate and whose category is"
            " csam; its authority must publish it so."
        )


def _line(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _as_json(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    return [_as_json(one) for one in value] if isinstance(value, tuple) else value


def _object(line: bytes) -> dict[str, object]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise NoFetchKey("the line is no JSON object in UTF-8")
    return fields
