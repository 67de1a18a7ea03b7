"""One of the media of a VICS file: the fields of an object, and the entry that they make."""

import hashlib
from collections.abc import Mapping
from typing import Any

from protech.lists.entries import DIGESTS, PDQ_PER_ENTRY, WIDTHS, Entry
from protech.lists.formats.values import BadValue, from_hex, photodna

CARRIED = "vics"
"""Under what name an entry carries its category and flags."""

FLAGS = {
    "VictimIdentified": "victim_identified",
    "OffenderIdentified": "offender_identified",
    "IsDistributed": "is_distributed",
}
"""What is carried where it is true; series, tags and names of files are left out."""

KINDS = {
    **{name: name for name in ("md5", "sha1", "sha256", "pdq", "photodna")},
    "sha-1": "sha1",
    "sha-256": "sha256",
}
"""What ``HashName`` may say, in small letters; other hashes are left out."""

CATEGORY_CHARACTERS = 40
UNCATEGORIZED = "none"

CARRIED_KEPT = 1000
"""So many different pairs of category and flags are made once only."""

EMPTY = frozenset(hashlib.new(kind, usedforsecurity=False).digest() for kind in DIGESTS)
"""An entry with one of these would be met by every empty file."""

_SINGLE = (("MD5", "md5"), ("SHA1", "sha1"), ("PhotoDNA", "photodna"))
_SAID = ("Category", *FLAGS)


class MediaReader:
    """Makes entries of media; remembers what several of them carry in common."""

    def __init__(self) -> None:
        """Begin with nothing remembered."""
        self._carried: dict[tuple[object, ...], Mapping[str, object]] = {}

    def entry(self, fields: dict[str, Any]) -> Entry:
        """Return the entry of one of them.

        Raises:
            BadValue: An identifier is wrong, or there is none; the good ones are its ``kept``.
        """
        return self._usual(fields) or self._unusual(fields)

    def _usual(self, fields: dict[str, Any]) -> Entry | None:
        """Return the entry of fields as nearly all are: both digests, and nothing wrong."""
        try:
            md5_hex, sha1_hex, said = fields["MD5"], fields["SHA1"], fields.get("PhotoDNA")
            md5, sha1 = bytes.fromhex(md5_hex), bytes.fromhex(sha1_hex)
            carried = photodna(said) if said else None
        except (KeyError, TypeError, ValueError, AttributeError, BadValue):
            return None
        # Both lengths: blanks are passed over in hex.
        is_whole = len(md5) == 16 and len(md5_hex) == 32
        if not (is_whole and len(sha1) == 20 and len(sha1_hex) == 40):
            return None
        if "AlternativeHashes" in fields or md5 in EMPTY or sha1 in EMPTY:
            return None
        return Entry(md5=md5, sha1=sha1, photodna=carried, others=self._others(fields))

    def _unusual(self, fields: dict[str, Any]) -> Entry:
        if "MD5" not in fields and "SHA1" not in fields:
            fields = _renamed(fields)
        held: dict[str, Any] = {}
        wrong: list[str] = []
        for name, kind in _SINGLE:
            value = fields.get(name)
            if value:
                try:
                    held[kind] = _raw(kind, value)
                except BadValue as bad:
                    wrong.append(str(bad))
        if "AlternativeHashes" in fields:
            _add_alternatives(held, wrong, fields["AlternativeHashes"])
        if not EMPTY.isdisjoint(held.values()):
            raise BadValue("its digests are those of a file without content")
        entry = Entry(**held, others=self._others(fields)) if held else None
        if wrong or entry is None:
            raise BadValue("; ".join(wrong) or "it has no identifier", kept=entry)
        return entry

    def _others(self, fields: Mapping[str, Any]) -> Mapping[str, object]:
        """Return what an entry carries; the same object for entries that carry the same."""
        said = tuple(map(fields.get, _SAID))
        try:
            return self._carried[said]
        except KeyError:
            known = {CARRIED: _carried(fields)}
            if len(self._carried) < CARRIED_KEPT:
                self._carried[said] = known
            return known
        except TypeError:  # something in something
            return {CARRIED: _carried(fields)}


def _renamed(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields under the names that are known, however these are capitalised."""
    names = ("MD5", "SHA1", "PhotoDNA", "AlternativeHashes", "Category", *FLAGS)
    known = {name.lower(): name for name in names}
    return {known.get(name.lower(), name): value for name, value in fields.items()}


def _add_alternatives(held: dict[str, Any], wrong: list[str], value: object) -> None:
    """Add other hashes to what an entry holds, and what is wrong with them."""
    for one in value if isinstance(value, list) else ():
        name = one.get("HashName") if isinstance(one, dict) else None
        kind = KINDS.get(name.strip().lower()) if isinstance(name, str) else None
        if kind is None or not one.get("HashValue"):
            continue
        try:
            raw = _raw(kind, one["HashValue"])
        except BadValue as bad:
            wrong.append(str(bad))
            continue
        if kind == "pdq":
            hashes = held.get("pdq", ())
            held["pdq"] = hashes if raw in hashes else (*hashes, raw)[:PDQ_PER_ENTRY]
        elif held.setdefault(kind, raw) != raw:
            wrong.append(f"it has two different '{kind}'")


def _raw(kind: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise BadValue(f"'{kind}' is no text")
    if kind == "photodna":
        return photodna(value.strip())
    return from_hex(kind, value if len(value) == 2 * WIDTHS[kind] else value.strip())


def _carried(fields: Mapping[str, Any]) -> dict[str, object]:
    carried: dict[str, object] = {"category": _category(fields.get("Category"))}
    for name, flag in FLAGS.items():
        value = fields.get(name)
        if value and (value is True or str(value)[:5].strip().lower() in {"true", "1"}):
            carried[flag] = True
    return carried


def _category(value: object) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 100:
        return value
    text = value.strip() if isinstance(value, str) else ""
    if text.isascii() and text.isdecimal() and len(text) <= 2:
        return int(text)
    return text[:CATEGORY_CHARACTERS] if text.isprintable() and text else UNCATEGORIZED
