"""The messages between BitTorrent peers: how each is framed, and which lengths may be.

Sources: BEP 3, BEP 5 (port), BEP 6 (fast), BEP 10 (extensions), BEP 52 (hashes).
"""

import os
import struct
from enum import IntEnum

PROTOCOL = b"\x13BitTorrent protocol"
RESERVED = bytes((0, 0, 0, 0, 0, 0x10, 0, 0x04))
"""What we can: extensions and fast. No DHT, and no upgrade to a hybrid's other hash."""
HANDSHAKE_BYTES = 68
HASH_BYTES = 20
"""Of an info-hash in a handshake: of SHA-256 the first 20 (BEP 52)."""

MESSAGE_BYTES = 4 << 20
"""The longest bitfield takes 2 MiB, and no other message comes near."""
HEADER_BYTES = 13
"""Length, kind, piece and offset: what comes before the data of a piece."""


class Kind(IntEnum):
    """What a message says; those that are not here are passed over."""

    CHOKE = 0
    UNCHOKE = 1
    INTERESTED = 2
    NOT_INTERESTED = 3
    HAVE = 4
    BITFIELD = 5
    REQUEST = 6
    PIECE = 7
    CANCEL = 8
    PORT = 9
    SUGGEST = 13
    HAVE_ALL = 14
    HAVE_NONE = 15
    REJECT = 16
    ALLOWED_FAST = 17
    EXTENDED = 20
    HASH_REQUEST = 21
    HASHES = 22
    HASH_REJECT = 23


LENGTHS: dict[int, int] = {
    Kind.CHOKE: 1,
    Kind.UNCHOKE: 1,
    Kind.INTERESTED: 1,
    Kind.NOT_INTERESTED: 1,
    Kind.HAVE: 5,
    Kind.REQUEST: 13,
    Kind.CANCEL: 13,
    Kind.PORT: 3,
    Kind.SUGGEST: 5,
    Kind.HAVE_ALL: 1,
    Kind.HAVE_NONE: 1,
    Kind.REJECT: 13,
    Kind.ALLOWED_FAST: 5,
    Kind.HASH_REQUEST: 49,
    Kind.HASH_REJECT: 49,
}
"""Of those that have one length, their kind counted."""

LEAST: dict[int, int] = {Kind.PIECE: 9, Kind.EXTENDED: 2, Kind.HASHES: 49}

FAST = range(Kind.SUGGEST, Kind.ALLOWED_FAST + 1)
"""Where one side has not said that it speaks BEP 6, these break the protocol."""

INTERESTED = bytes((0, 0, 0, 1, Kind.INTERESTED))
HAVE_NONE = bytes((0, 0, 0, 1, Kind.HAVE_NONE))


class Malformed(Exception):
    """A message breaks the protocol, or a limit."""


def is_length(kind: int, length: int, *, pieces: int, is_fast: bool) -> bool:
    """Return whether a message of this kind may be so long, its kind counted.

    What the fields of ``HASHES`` say of its length is checked where they are read.
    """
    if kind in FAST and not is_fast:
        return False
    if kind == Kind.BITFIELD:
        return length == 1 + (pieces + 7) // 8
    exact = LENGTHS.get(kind)
    if exact is not None:
        return length == exact
    return length >= LEAST.get(kind, 1)


def handshake(info_hash: bytes) -> bytes:
    """Return a handshake under a peer id that was never used, and never will be again."""
    return PROTOCOL + RESERVED + info_hash[:HASH_BYTES] + os.urandom(20)


def is_fast(reserved: bytes) -> bool:
    """Return whether whoever sent these bits speaks BEP 6."""
    return bool(reserved[7] & 0x04)


def is_extended(reserved: bytes) -> bool:
    """Return whether whoever sent these bits speaks BEP 10."""
    return bool(reserved[5] & 0x10)


def framed(kind: Kind, content: bytes = b"") -> bytes:
    """Return a message."""
    return struct.pack(">IB", 1 + len(content), kind) + content


def request(piece: int, offset: int, length: int) -> bytes:
    """Return what asks for a block."""
    return struct.pack(">IBIII", 13, Kind.REQUEST, piece, offset, length)


def hash_fields(root: bytes, *, index: int, count: int, proof_layers: int) -> bytes:
    """Return the 48 bytes that name ``count`` leaves of a tree, and the hashes above."""
    return root + struct.pack(">IIII", 0, index, count, proof_layers)


def hash_count(fields: bytes | memoryview) -> int | None:
    """Return how many hashes answer a request of these 48 bytes; None where none may."""
    _, index, count, proof_layers = struct.unpack_from(">IIII", fields, 32)
    if count < 2 or count.bit_count() != 1 or index % count:
        return None
    return int(count + max(0, proof_layers - (count.bit_length() - 2)))
