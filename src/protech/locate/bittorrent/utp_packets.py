"""The packets of uTP, BitTorrent's transport over UDP; pure. Source: BEP 29."""

import struct
from dataclasses import dataclass
from enum import IntEnum

HEADER = struct.Struct(">BBHIIIHH")
HEADER_BYTES = HEADER.size
VERSION = 1
NUMBERS = 1 << 16
"""Sequence numbers begin again after so many."""
EXTENSIONS = 8


class PacketKind(IntEnum):
    """What a packet does."""

    DATA = 0
    FIN = 1
    STATE = 2
    RESET = 3
    SYN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """The header of one packet; ``payload_at`` is where its data begins."""

    kind: PacketKind
    connection: int
    sent_us: int
    window: int
    sequence: int
    acknowledged: int
    payload_at: int


def parse(data: memoryview) -> Packet | None:
    """Return what a datagram says; None where it is no packet."""
    if len(data) < HEADER_BYTES:
        return None
    first, extension, connection, sent_us, _, window, sequence, acknowledged = (
        HEADER.unpack_from(data)
    )
    if first & 15 != VERSION or first >> 4 > PacketKind.SYN:
        return None
    at = HEADER_BYTES
    for _ in range(EXTENSIONS):
        if not extension:
            break
        if len(data) < at + 2:
            return None
        extension, size = data[at], data[at + 1]
        at += 2 + size
    if extension or at > len(data):
        return None
    return Packet(
        kind=PacketKind(first >> 4),
        connection=connection,
        sent_us=sent_us,
        window=window,
        sequence=sequence,
        acknowledged=acknowledged,
        payload_at=at,
    )


def ahead(number: int, of: int) -> int:
    """Return how far one sequence number is ahead of another; negative where it is behind."""
    distance = (number - of) % NUMBERS
    return distance - NUMBERS if distance >= NUMBERS // 2 else distance
