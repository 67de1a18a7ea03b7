"""The lines of an own list as they are written: one entry each, always in the same order."""

import json
from collections.abc import Mapping

from protech.lists.entries import DIGESTS, Entry

SINGLE = (*DIGESTS, "photodna")
"""Identifiers of which an entry has one at most."""

OTHERS_KEPT = 1000

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def line(fields: Mapping[str, object]) -> bytes:
    """Return a JSON object as it stands on a line."""
    # A lone surrogate stands for a byte of a name that was not UTF-8.
    return _encode(fields).encode(errors="replace") + b"\n"


class EntryLines:
    """Writes entries as lines; remembers what several of them carry in common."""

    def __init__(self) -> None:
        """Begin with nothing remembered."""
        self._others: dict[int, tuple[Mapping[str, object], str]] = {}

    def line(self, entry: Entry) -> bytes:
        """Return an entry as it stands on a line."""
        parts = [] if entry.label is None else [f'"label":{_encode(entry.label)}']
        if entry.md5 is not None:
            parts.append(f'"md5":"{entry.md5.hex()}"')
        if entry.sha1 is not None:
            parts.append(f'"sha1":"{entry.sha1.hex()}"')
        if entry.sha256 is not None:
            parts.append(f'"sha256":"{entry.sha256.hex()}"')
        if entry.photodna is not None:
            parts.append(f'"photodna":"{entry.photodna.hex()}"')
        if entry.pdq:
            parts.append(_hashes("pdq", entry.pdq))
        if entry.vpdq:
            parts.append(_hashes("vpdq", entry.vpdq))
        if entry.others:
            parts.append(self._carried(entry.others))
        return f"{{{','.join(parts)}}}\n".encode(errors="replace")

    def _carried(self, others: Mapping[str, object]) -> str:
        known = self._others.get(id(others))
        if known is not None:
            return known[1]
        text = _encode(others)[1:-1]
        if len(self._others) < OTHERS_KEPT:
            self._others[id(others)] = others, text  # held, so that its id stays its own
        return text


def _hashes(name: str, hashes: tuple[bytes, ...]) -> str:
    joined = '","'.join([one.hex() for one in hashes])
    return f'"{name}":["{joined}"]'
