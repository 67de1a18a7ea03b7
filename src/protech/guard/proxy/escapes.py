"""Reading what JSON, HTML, JavaScript and URLs escape, as far as base64 needs it."""

import re
from base64 import b64encode, urlsafe_b64encode
from binascii import Error, a2b_base64
from enum import StrEnum
from typing import assert_never
from urllib.parse import quote_from_bytes

_STANDARD = bytes.maketrans(b"-_", b"+/")
"""From the alphabet of RFC 4648 5 to that of section 4."""

_WIDE = re.compile(rb"(?:\0[\x21-\x7e]){8}")
"""Eight letters of ASCII in UTF-16; the low half comes first where they stand at odd places."""

_NAMES = {b"sol": b"/", b"plus": b"+", b"equals": b"="}
_ESCAPE = re.compile(
    rb"\\/|%[0-9A-Fa-f]{2}|\\u00([0-9A-Fa-f]{2})|\\[nrt]|&#(?:(\d+)|[xX]([0-9A-Fa-f]+));|&(\w+);"
)


class Written(StrEnum):
    """How the bytes of a picture stand in a text."""

    BASE64 = "base64"
    URLSAFE = "urlsafe"
    PERCENT = "percent"
    RAW = "raw"


def plain(text: bytes) -> bytes:
    """Return ``text`` with the escapes of JSON, URLs and HTML undone."""

    def undone(match: re.Match[bytes]) -> bytes:
        escape = match[0]
        if escape.startswith(b"%"):
            return bytes.fromhex(escape[1:].decode())
        if match[1]:
            return bytes.fromhex(match[1].decode())
        if match[2] or match[3]:
            code = int(match[2]) if match[2] else int(match[3], 16)
            return bytes((code,)) if code < 128 else b""
        if match[4]:
            return _NAMES.get(match[4], b"")
        return b"/" if escape == rb"\/" else b"\n"

    return _ESCAPE.sub(undone, text) if b"\\" in text or b"%" in text or b"&" in text else text


def from_base64(text: bytes) -> bytes:
    """Return the bytes that a browser would decode, b"" where there are none."""
    symbols = plain(text).translate(_STANDARD, b" \t\r\n\\").rstrip(b"=")
    symbols = symbols[: len(symbols) - (len(symbols) % 4 == 1)]
    try:
        return a2b_base64(symbols + b"=" * (-len(symbols) % 4))
    except Error:
        return b""


def wide_encoding(body: bytes) -> str | None:
    """Return the encoding of UTF-16 text by its byte order mark, None for any other body."""
    marks = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
    return marks.get(body[:2])


def unmarked_wide_encoding(body: bytes) -> str | None:
    """Return the encoding of what may be UTF-16, as a header or a declaration may say it."""
    found = _WIDE.search(body) if b"\0" in body else None
    return found and ("utf-16-le" if found.start() % 2 else "utf-16-be")


def written(content: bytes, *, as_: Written, is_escaped: bool) -> bytes:
    """Return ``content`` in the way of writing, percent signs where the text has some."""
    match as_:
        case Written.RAW:
            return content
        case Written.PERCENT:
            return quote_from_bytes(content).encode()
        case Written.URLSAFE:
            text = urlsafe_b64encode(content)
        case Written.BASE64:
            text = b64encode(content)
        case _:
            assert_never(as_)
    return quote_from_bytes(text, safe="").encode() if is_escaped else text
