"""The messages of eDonkey between clients, and between a client and a server; pure.

A message is a byte for the protocol, a little-endian length, an opcode, and what the opcode
says. Source: eMule Protocol Specification (Kulbak, Bickson, 2005), sections 6.2 and 6.4;
eMule's opcodes.h.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

EDONKEY = 0xE3
EMULE = 0xC5
PACKED = 0xD4
"""What follows is compressed; we never say that we can read that."""

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

ELIDED: dict[tuple[int, int], tuple[str, int]] = {
    (EDONKEY, Op.NAME): ("name", HASH_BYTES),
    (EDONKEY, Op.CONTENT): ("block", CONTENT_HEADER_BYTES),
}
"""Messages of which only the beginning is kept, how that is called, and how long it is."""


class Malformed(Exception):
    """The peer broke the protocol, or a limit; it quotes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """How a client introduces itself: never an identity."""

    user_hash: bytes = field(repr=False)
    name: str = ""
    """What its user calls it; printable."""


def message(op: Op, content: bytes = b"") -> bytes:
    """Return a message as it is sent."""
    protocol = EMULE if op in EMULE_OPS else EDONKEY
    return HEADER.pack(protocol, 1 + len(content)) + bytes([op]) + content


def hello(user_hash: bytes, *, port: int) -> bytes:
    """Return our introduction: the least that clients take, offering nothing.

    That we read AICH's hashes is said, since clients give them to no one else.
    """
    tags: list[tuple[int, bytes | int]] = [
        (0x01, b"protech"),  # CT_NAME
        (0x11, 0x3C),  # CT_VERSION: eDonkey's, as eMule sends it
        (0xFA, 1 << 29 | 1 << 28),  # CT_EMULE_MISCOPTIONS1: AICH and UTF-8, nothing else
        (0xFB, 50 << 7),  # CT_EMULE_VERSION: 0.50
    ]
    listed = b"".join(_tag(name, value) for name, value in tags)
    return message(
        Op.HELLO,
        bytes([HASH_BYTES])
        + user_hash
        + struct.pack("<IHI", 0, port, len(tags))
        + listed
        + struct.pack("<IH", 0, 0),  # no server
    )


def _tag(name: int, value: bytes | int) -> bytes:
    if isinstance(value, bytes):
        return struct.pack("<BHBH", 0x02, 1, name, len(value)) + value
    return struct.pack("<BHBI", 0x03, 1, name, value)


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
    reader = _Reader(content, HASH_BYTES + 10)
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


class _Reader:
    """Reads tags one after the other, in all the forms that clients write them in."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content = content
        self._at = at

    def tag(self) -> tuple[bytes, bytes | int | None]:
        (kind,) = self._take(1)
        if kind & 0x80:
            kind &= 0x7F
            name = self._take(1)
        else:
            name = self._take(int.from_bytes(self._take(2), "little"))
        return name, self._value(kind)

    def _value(self, kind: int) -> bytes | int | None:
        match kind:
            case 0x02:
                return self._take(int.from_bytes(self._take(2), "little"))
            case 0x03 | 0x08 | 0x09 | 0x0B:
                width = {0x03: 4, 0x08: 2, 0x09: 1, 0x0B: 8}[kind]
                return int.from_bytes(self._take(width), "little")
            case 0x01 | 0x04 | 0x05:
                self._take({0x01: 16, 0x04: 4, 0x05: 1}[kind])
                return None
            case 0x07:
                self._take(int.from_bytes(self._take(4), "little"))
                return None
            case _ if 0x11 <= kind <= 0x20:
                return self._take(kind - 0x10)
            case _:
                raise Malformed("a tag is of no known type")

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._content):
            raise Malformed("a tag ends too early")
        found = self._content[self._at : end]
        self._at = end
        return found


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
    """Ask for one range of a file, below 4 GiB."""
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
