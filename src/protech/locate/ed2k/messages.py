"""The messages of eDonkey between clients, and between a client and a server; pure.

A message is a byte for the protocol, a little-endian length, an opcode, and what the opcode
says. Source: eMule Protocol Specification (Kulbak, Bickson, 2005), sections 6.2 and 6.4;
eMule's opcodes.h.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from protech.locate.ed2k.tags import Malformed, TagReader, written

EDONKEY = 0xE3
EMULE = 0xC5
PACKED = 0xD4
"""What follows is compressed: we never say that we can read that, and do not."""

HEADER = struct.Struct("<BI")
FRAME_BYTES = HEADER.size + 1
MESSAGE_BYTES = 64 * 1024
"""Clients send content in pieces of 10 KiB, and the hashes of a part take 2 KiB."""

HASH_BYTES = 16
AICH_BYTES = 20
PART_BYTES = 9_728_000
CONTENT_HEADER_BYTES = HASH_BYTES + 8
"""What stands before the content in a message of content: the file, and from where to where."""

TAGS = 64
NAME_CHARACTERS = 64


class Op(IntEnum):
    """Opcodes; those of eMule's extension are marked, all others are eDonkey's."""

    HELLO = 0x01
    HELLO_ANSWER = 0x4C
    REQUEST_PARTS = 0x47
    CONTENT = 0x46
    NO_SUCH_FILE = 0x48
    SET_FILE = 0x4F
    FILE_STATUS = 0x50
    START_UPLOAD = 0x54
    ACCEPT_UPLOAD = 0x55
    CANCEL_TRANSFER = 0x56
    OUT_OF_PARTS = 0x57
    REQUEST_NAME = 0x58
    NAME = 0x59
    QUEUE_RANK = 0x60
    """eMule's."""
    AICH_REQUEST = 0x9B
    """eMule's."""
    AICH_ANSWER = 0x9C
    """eMule's."""


EMULE_OPS = frozenset({Op.QUEUE_RANK, Op.AICH_REQUEST, Op.AICH_ANSWER})

INTRODUCTION_BYTES = 2048
CLEAR: dict[tuple[int, int], int] = {
    (EDONKEY, Op.HELLO): INTRODUCTION_BYTES,
    (EDONKEY, Op.HELLO_ANSWER): INTRODUCTION_BYTES,
    (EDONKEY, Op.NO_SUCH_FILE): HASH_BYTES,
    (EDONKEY, Op.FILE_STATUS): HASH_BYTES + 2 + 8192,
    (EDONKEY, Op.ACCEPT_UPLOAD): HASH_BYTES,
    (EDONKEY, Op.OUT_OF_PARTS): HASH_BYTES,
    (EMULE, Op.QUEUE_RANK): 16,
    (EMULE, Op.AICH_ANSWER): HASH_BYTES + 2 + AICH_BYTES + 4 + 512 * (4 + AICH_BYTES),
}
"""Messages that are kept whole, and how long each may be."""

BEGUN: dict[tuple[int, int], tuple[str, int]] = {
    (EDONKEY, Op.NAME): ("name", HASH_BYTES),
    (EDONKEY, Op.CONTENT): ("block", CONTENT_HEADER_BYTES),
}
"""Messages of which the beginning is kept: how the rest is called, and how long it is.

Of all others nothing is kept but what they are: a peer may put content in any of them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """How a client introduces itself: never an identity, since anybody can say it."""

    user_hash: bytes = field(repr=False)
    name: str = ""
    """What its user calls it; printable."""


def kept_of(protocol: int, op: int, length: int) -> tuple[str, int]:
    """Return how many bytes behind the opcode are kept, and how the rest is called.

    Args:
        protocol: Of the message.
        op: Its opcode.
        length: Of what follows the opcode.

    Raises:
        Malformed: It may not be so long.
    """
    longest = CLEAR.get((protocol, op))
    if longest is None:
        kind, kept = BEGUN.get((protocol, op), ("other", 0))
        return kind, min(kept, length)
    if length > longest:
        raise Malformed("a message is too long")
    return "", length


def message(op: Op, content: bytes = b"") -> bytes:
    """Return a message as it is sent."""
    protocol = EMULE if op in EMULE_OPS else EDONKEY
    return HEADER.pack(protocol, 1 + len(content)) + bytes([op]) + content


def hello(user_hash: bytes, *, port: int) -> bytes:
    """Return our introduction: the least that clients take, offering nothing.

    That we read AICH's hashes and know of files beyond 4 GiB is said: clients answer nobody
    else about them.
    """
    tags: list[tuple[int, bytes | int]] = [
        (0x01, b"protech"),  # CT_NAME
        (0x11, 0x3C),  # CT_VERSION: eDonkey's, as eMule sends it
        (0xFA, 1 << 29 | 1 << 28),  # CT_EMULE_MISCOPTIONS1: AICH and UTF-8, nothing else
        (0xFB, 50 << 7),  # CT_EMULE_VERSION: 0.50
        (0xFE, 1 << 4),  # CT_EMULE_MISCOPTIONS2: large files, nothing else
    ]
    listed = b"".join(written(name, value) for name, value in tags)
    return message(
        Op.HELLO,
        bytes([HASH_BYTES])
        + user_hash
        + struct.pack("<IHI", 0, port, len(tags))
        + listed
        + struct.pack("<IH", 0, 0),  # no server
    )


def parse_hello_answer(content: bytes) -> Hello:
    """Return who a client says it is.

    Raises:
        Malformed: It says so in no way that is known.
    """
    if len(content) < HASH_BYTES + 10:
        raise Malformed("an introduction is too short")
    user_hash = content[:HASH_BYTES]
    (count,) = struct.unpack_from("<I", content, HASH_BYTES + 6)
    if count > TAGS:
        raise Malformed("an introduction has too many tags")
    name = ""
    reader = TagReader(content, HASH_BYTES + 10)
    for _ in range(count):
        tag, value = reader.tag()
        if tag == b"\x01" and isinstance(value, bytes):
            name = printable(value)
    return Hello(user_hash=user_hash, name=name)


def printable(raw: bytes) -> str:
    """Return a text of a peer's that is safe to show."""
    text = raw.decode(errors="replace")
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)[
        :NAME_CHARACTERS
    ]


def status_parts(size_bytes: int) -> int:
    """Return how many parts a file status of such a file has: one more than whole parts."""
    return size_bytes // PART_BYTES + 1


def parts_of(size_bytes: int) -> int:
    """Return how many parts a file has."""
    return -(-size_bytes // PART_BYTES)


def parse_status(content: bytes, *, size_bytes: int) -> frozenset[int]:
    """Return which parts of a file a client says it has, from what follows the file's hash.

    Raises:
        Malformed: It has another number of parts than the file.
    """
    if len(content) < 2:
        raise Malformed("a file status is too short")
    (count,) = struct.unpack_from("<H", content)
    whole = frozenset(range(parts_of(size_bytes)))
    if count == 0 and len(content) == 2:
        return whole
    if count != status_parts(size_bytes) or len(content) != 2 + -(-count // 8):
        raise Malformed("a file status is of another file")
    bits = content[2:]
    return frozenset(part for part in whole if bits[part // 8] >> (part % 8) & 1)


def request_parts(file_hash: bytes, begin: int, end: int) -> bytes:
    """Ask for one range of a file, below 4 GiB.

    Whoever can be proved to has the whole file (``probe.choose``), so that no range beyond is
    ever needed.
    """
    ranges = struct.pack("<6I", begin, 0, 0, end, 0, 0)
    return message(Op.REQUEST_PARTS, file_hash + ranges)


def aich_request(file_hash: bytes, part: int, root: bytes) -> bytes:
    """Ask for the hashes of a part's blocks and of those beside them."""
    return message(Op.AICH_REQUEST, file_hash + struct.pack("<H", part) + root)


def frames(data: bytearray) -> Iterator[tuple[int, int, bytes]]:
    """Take each whole message from the beginning of ``data``: protocol, opcode and the rest.

    Raises:
        Malformed: What comes next is no message, or too long.
    """
    at = 0
    try:
        while len(data) - at >= FRAME_BYTES:
            length = frame_length(data, at)
            end = at + HEADER.size + length
            if end > len(data):
                return
            found = data[at], data[at + HEADER.size], bytes(data[at + FRAME_BYTES : end])
            at = end
            yield found
    finally:
        del data[:at]


def frame_length(data: bytearray | bytes, at: int = 0) -> int:
    """Return the length in the header at ``at``, which counts the opcode.

    Raises:
        Malformed: It is no header, or too long.
    """
    protocol, length = HEADER.unpack_from(data, at)
    if protocol not in {EDONKEY, EMULE, PACKED}:
        raise Malformed("it speaks another protocol")
    if not 1 <= length <= MESSAGE_BYTES:
        raise Malformed("a message has a length that it may not have")
    return int(length)
