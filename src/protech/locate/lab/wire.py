"""The least of BitTorrent's peer protocol that a hostile peer needs (BEP 3, 6, 10 and 52)."""

import asyncio
import struct
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field

PROTOCOL = b"\x13BitTorrent protocol"
HANDSHAKE_BYTES = 68
MESSAGE_BYTES = 1 << 17
RESERVED = bytes([0, 0, 0, 0, 0, 0x10, 0, 0x14])
"""Extensions (BEP 10), fast (BEP 6) and version 2 (BEP 52)."""

UNCHOKE, HAVE, BITFIELD, REQUEST, PIECE = 1, 4, 5, 6, 7
HAVE_ALL, HAVE_NONE, REJECT, EXTENDED = 14, 15, 16, 20
HASH_REQUEST, HASHES, HASH_REJECT = 21, 22, 23


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """What begins a conversation."""

    info_hash: bytes = field(repr=False)
    peer_id: bytes = field(repr=False)
    reserved: bytes = RESERVED

    @property
    def content(self) -> bytes:
        """As it is sent."""
        return PROTOCOL + self.reserved + self.info_hash + self.peer_id


async def read_handshake(reader: asyncio.StreamReader) -> Handshake | None:
    """Return what the other side begins with; None where that is no handshake."""
    try:
        content = await reader.readexactly(HANDSHAKE_BYTES)
    except (asyncio.IncompleteReadError, OSError):
        return None
    if not content.startswith(PROTOCOL):
        return None
    return Handshake(
        reserved=content[20:28], info_hash=content[28:48], peer_id=content[48:HANDSHAKE_BYTES]
    )


async def read_messages(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, bytes]]:
    """Yield the messages of the other side, until it hangs up or sends what is too long."""
    while True:
        try:
            length = int.from_bytes(await reader.readexactly(4))
            if length > MESSAGE_BYTES:
                return
            content = await reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError):
            return
        if content:
            yield content[0], content[1:]


def message(kind: int, content: bytes = b"") -> bytes:
    """Return one message as it is sent."""
    return struct.pack(">IB", 1 + len(content), kind) + content


def bitfield(pieces: Collection[int], total: int) -> bytes:
    """Return the message that claims these of ``total`` pieces."""
    bits = bytearray(-(-total // 8))
    for i in pieces:
        bits[i // 8] |= 0x80 >> i % 8
    return message(BITFIELD, bytes(bits))
