"""Bencoding, BitTorrent's one way to write values: read by libtorrent, within limits.

No reader of our own: hostile input goes through a well-kept one in C++, which recurses no
deeper than it allows. Source: BEP 3.
"""

from collections.abc import Mapping
from typing import Any, cast

import libtorrent

MESSAGE_BYTES = 64 * 1024
"""What a message between peers may hold; what it makes in memory is about 40 times as large."""

DEPTH = 16
"""Nothing that is read here nests deeper than five; libtorrent would go to 100."""

Bencoded = int | bytes | list["Bencoded"] | dict[bytes, "Bencoded"]


class NotBencoded(Exception):
    """Why bytes are no bencoded dictionary; it quotes nothing of them."""


def decode(data: bytes, *, limit_bytes: int = MESSAGE_BYTES) -> dict[bytes, Bencoded]:
    """Return the dictionary that ``data`` begins with; what follows it is left alone.

    A number that does not fit 64 bits is 0, as libtorrent reads it.

    Raises:
        NotBencoded: It is none, larger than ``limit_bytes``, or nested deeper than ``DEPTH``.
    """
    if len(data) > limit_bytes:
        raise NotBencoded(f"it is larger than {limit_bytes} bytes")
    if not data.startswith(b"d"):
        raise NotBencoded("it is no dictionary")
    try:
        value = cast("Bencoded", libtorrent.bdecode(data))
    except RuntimeError as refused:
        raise NotBencoded("it breaks the encoding") from refused
    if not isinstance(value, dict):
        raise NotBencoded("it is no dictionary")
    if _is_deep(value):
        raise NotBencoded(f"it is nested deeper than {DEPTH}")
    return value


def encode(value: Mapping[bytes, Bencoded]) -> bytes:
    """Return a dictionary as its bytes, keys in order."""
    return bytes(libtorrent.bencode(cast("Any", value)))


def _is_deep(value: Bencoded) -> bool:
    level: list[Bencoded] = [value]
    for _ in range(DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Bencoded) -> list[Bencoded]:
    if isinstance(value, dict):
        return [one for one in value.values() if isinstance(one, dict | list)]
    if isinstance(value, list):
        return [one for one in value if isinstance(one, dict | list)]
    return []
