"""Reading what JSON, HTML, JavaScript and URLs escape, as far as base64 needs it."""

import re
from binascii import Error, a2b_base64

_STANDARD = bytes.maketrans(b"-_", b"+/")
"""From the alphabet of RFC 4648 5 to that of section 4."""

_NAMES = {b"sol": b"/", b"plus": b"+", b"equals": b"="}
_ESCAPE = re.compile(
    rb"\\/|%[0-9A-Fa-f]{2}|\\u00([0-9A-Fa-f]{2})|\\[nrt]|&#(?:(\d+)|[xX]([0-9A-Fa-f]+));|&(\w+);"
)


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
