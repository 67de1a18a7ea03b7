"""Identifiers as foreign lists write them: hex digits, base64, numbers between commas."""

import base64
from collections.abc import Mapping
from typing import Any

from protech.lists.entries import (
    DIGESTS,
    LABEL_CHARACTERS,
    PDQ_PER_ENTRY,
    VPDQ_PER_ENTRY,
    WIDTHS,
    Entry,
)

PHOTODNA_BASE64 = WIDTHS["photodna"] * 4 // 3
PHOTODNA_TEXT = WIDTHS["photodna"] * 4
"""The longest form: 144 numbers of three digits, each with its comma."""


class BadValue(Exception):
    """Why a value is no identifier, or a line no entry; quotes nothing of either.

    ``kept`` is the entry that the rest of a line makes, where one of its identifiers is wrong.
    """

    def __init__(self, reason: str, *, kept: Entry | None = None) -> None:
        super().__init__(reason)
        self.kept = kept


def entry_of(
    held: Mapping[str, str],
    *,
    label: str | None = None,
    others: Mapping[str, object] | None = None,
) -> Entry:
    """Return the entry that identifiers make, each under its name of ``WIDTHS``.

    Several hashes under ``pdq`` or ``vpdq`` stand apart by blanks.

    Raises:
        BadValue: One is wrong, or there is none; the good ones are its ``kept``.
    """
    raw: dict[str, Any] = {}
    wrong = []
    if label is not None and len(label) > LABEL_CHARACTERS:
        wrong.append(f"'label' is no text of at most {LABEL_CHARACTERS} characters")
        label = None
    for kind, text in held.items():
        try:
            raw[kind] = _read(kind, text)
        except BadValue as bad:
            wrong.append(str(bad))
    if not raw:
        raise BadValue("; ".join(wrong) or "there is no identifier")
    entry = Entry(label=label, **raw, others=others or {})
    if wrong:
        raise BadValue("; ".join(wrong), kept=entry)
    return entry


def _read(kind: str, text: str) -> bytes | tuple[bytes, ...]:
    if kind in DIGESTS:
        return from_hex(kind, text)
    if kind == "photodna":
        return photodna(text)
    most = VPDQ_PER_ENTRY if kind == "vpdq" else PDQ_PER_ENTRY
    found = text.split(maxsplit=most)
    if len(found) > most:
        raise BadValue(f"'{kind}' has more than {most} hashes")
    return tuple(from_hex(kind, one) for one in found or [""])


def from_hex(kind: str, text: str) -> bytes:
    """Return the identifier of a ``kind`` of ``WIDTHS`` that is written in hex digits.

    Raises:
        BadValue: There are fewer or more digits, or something else.
    """
    width = WIDTHS[kind]
    try:
        raw = bytes.fromhex(text) if len(text) == 2 * width and text.isascii() else b""
    except ValueError:
        raw = b""
    if len(raw) != width:  # ``fromhex`` passes over spaces
        raise BadValue(f"'{kind}' is not {2 * width} hex digits")
    return raw


def photodna(text: str) -> bytes:
    """Return a PhotoDNA hash, written as hex, as base64 or as 144 numbers; it is only carried.

    Raises:
        BadValue: It is none of the three.
    """
    try:
        if len(text) == PHOTODNA_BASE64:
            raw = base64.b64decode(text, validate=True)
        elif "," in text:
            raw = bytes(_number(one) for one in text[: PHOTODNA_TEXT + 1].split(","))
        else:
            raw = from_hex("photodna", text)
    except (ValueError, BadValue):  # what base64 raises is a ValueError
        raw = b""
    if len(raw) != WIDTHS["photodna"]:
        raise BadValue("'photodna' is not 144 bytes in hex, base64 or decimal")
    return raw


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 3):
        raise ValueError
    return int(text)
