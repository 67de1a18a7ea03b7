"""The picture that stands where one is hidden: uniform grey, of the same displayed size.

It is an ordinary PNG of one palette colour and carries nothing else, so that a page that reads
it learns no more than that there is a grey picture.
"""

import struct
import zlib
from functools import lru_cache

GREY = 0xC8
SIDE_PX = 16_384
"""Browsers paint no picture beyond this side; a longer one keeps its proportions."""

PIXELS = 64 * 1024 * 1024
"""A larger one is scaled down: 8 MB of rows before compression, some 10 ms."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def placeholder(width_px: int | None, height_px: int | None) -> bytes:
    """Return a PNG of this displayed size; of one pixel where the size is not known."""
    if not width_px or not height_px or width_px < 0 or height_px < 0:
        return _png(1, 1)
    scale = min(
        1.0,
        SIDE_PX / max(width_px, height_px),
        (PIXELS / (width_px * height_px)) ** 0.5,
    )
    return _png(max(1, int(width_px * scale)), max(1, int(height_px * scale)))


@lru_cache(maxsize=256)
def _png(width_px: int, height_px: int) -> bytes:
    header = struct.pack(">IIBBBBB", width_px, height_px, 1, 3, 0, 0, 0)
    row_bytes = 1 + (width_px + 7) // 8
    rows = zlib.compress(bytes(row_bytes * height_px), 6)
    palette = bytes((GREY, GREY, GREY))
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", rows), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(name))
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)
