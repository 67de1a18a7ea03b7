"""The messages of Kad, eMule's network of nodes without servers, that a reader needs; pure.

A number of 128 bits is sent as four of 32, each little-endian: of an MD4 the bytes stand turned
round in fours. Addresses are sent turned round, too.
Source: the packet handlers of aMule's KademliaUDPListener; there is no specification.
"""

import struct
import zlib
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Endpoint
from protech.locate.ed2k.tags import Malformed, TagReader

KAD = 0xE4
PACKED = 0xE5
"""What follows the opcode is compressed (zlib)."""

BOOTSTRAP, BOOTSTRAP_ANSWER = 0x01, 0x09
FIND, FIND_ANSWER = 0x21, 0x29
SEARCH_SOURCES, SEARCH_ANSWER = 0x34, 0x3B

WANTED = 0x04
"""How many nodes to name: as one asks for that looks for who keeps something."""

ID_BYTES = 16
CONTACT_BYTES = 25
CONTACTS = 40
"""Of one answer: nodes name at most 32, and 20 to newcomers."""
DATAGRAM_BYTES = 8192
UNPACKED_BYTES = 64 * 1024
RESULTS = 300
TAGS = 32

SOURCE_TYPE, SOURCE_IP, SOURCE_PORT = b"\xff", b"\xfe", b"\xfd"
CALLABLE = frozenset({1, 4})
"""Types of sources that can be called; others are behind somebody else, or call back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A node that another one named."""

    node_id: bytes = field(repr=False)
    place: Endpoint = field(repr=False)


def on_the_wire(value: bytes) -> bytes:
    """Return a number of 128 bits as it is sent, or back."""
    return b"".join(value[at : at + 4][::-1] for at in range(0, ID_BYTES, 4))


def bootstrap() -> bytes:
    """Return the question for any nodes."""
    return bytes([KAD, BOOTSTRAP])


def find(file_hash: bytes, node_id: bytes) -> bytes:
    """Return the question to a node for those that are nearest to a file."""
    return bytes([KAD, FIND, WANTED]) + on_the_wire(file_hash) + on_the_wire(node_id)


def search_sources(key: Ed2kFile) -> bytes:
    """Return the question for the sources of a file that a node keeps."""
    return (
        bytes([KAD, SEARCH_SOURCES])
        + on_the_wire(key.md4)
        + struct.pack("<HQ", 0, key.size_bytes)
    )


def opened(datagram: bytes) -> tuple[int, bytes]:
    """Return opcode and content of a datagram.

    Raises:
        Malformed: It is none of Kad, or too large once unpacked.
    """
    if len(datagram) < 2 or datagram[0] not in {KAD, PACKED}:
        raise Malformed("it is no datagram of Kad")
    if datagram[0] == KAD:
        return datagram[1], datagram[2:]
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(datagram[2:], UNPACKED_BYTES)
    except zlib.error:
        raise Malformed("it is not packed as it says") from None
    if not reader.eof:
        raise Malformed("it is cut, or too large once unpacked")
    return datagram[1], content


def parse_bootstrap(content: bytes) -> tuple[bytes, list[Contact]]:
    """Return a node's own number, and the nodes that it names.

    Raises:
        Malformed: It does not hold together.
    """
    if len(content) < ID_BYTES + 5:
        raise Malformed("an answer is too short")
    (count,) = struct.unpack_from("<H", content, ID_BYTES + 3)
    own = on_the_wire(content[:ID_BYTES])
    return own, _contacts(content[ID_BYTES + 5 :], count)


def parse_found(content: bytes, file_hash: bytes) -> list[Contact]:
    """Return the nodes that a node names as near to a file.

    Raises:
        Malformed: It does not hold together, or is about something else.
    """
    if len(content) <= ID_BYTES or on_the_wire(content[:ID_BYTES]) != file_hash:
        raise Malformed("an answer is about something else")
    return _contacts(content[ID_BYTES + 1 :], content[ID_BYTES])


def _contacts(packed: bytes, count: int) -> list[Contact]:
    if count > CONTACTS or len(packed) != count * CONTACT_BYTES:
        raise Malformed("nodes are too many, or fewer than said")
    found = []
    for at in range(0, len(packed), CONTACT_BYTES):
        address, port = struct.unpack_from("<IH", packed, at + ID_BYTES)
        if port:
            place = Endpoint(address=IPv4Address(address), port=port)
            node_id = on_the_wire(packed[at : at + ID_BYTES])
            found.append(Contact(node_id=node_id, place=place))
    return found


def parse_sources(content: bytes, file_hash: bytes) -> list[Endpoint]:
    """Return the sources of a file that a node names, of those that can be called.

    Raises:
        Malformed: It does not hold together, or is about something else.
    """
    head = 2 * ID_BYTES
    if len(content) < head + 2 or on_the_wire(content[ID_BYTES:head]) != file_hash:
        raise Malformed("an answer is about something else")
    (count,) = struct.unpack_from("<H", content, head)
    if count > RESULTS:
        raise Malformed("sources are too many")
    at = head + 2
    found = []
    for _ in range(count):
        at += ID_BYTES
        tags, at = _tags(content, at)
        source = _source_of(tags)
        if source is not None:
            found.append(source)
    return found


def _tags(content: bytes, at: int) -> tuple[dict[bytes, int], int]:
    """Return the numbers among the next tags, and where they end."""
    if at >= len(content) or content[at] > TAGS:
        raise Malformed("tags are too many, or end too early")
    reader = TagReader(content, at + 1)
    found: dict[bytes, int] = {}
    for _ in range(content[at]):
        name, value = reader.tag()
        if isinstance(value, int):
            found.setdefault(name, value)
    return found, reader.at


def _source_of(tags: dict[bytes, int]) -> Endpoint | None:
    address, port = tags.get(SOURCE_IP, 0), tags.get(SOURCE_PORT, 0)
    is_sound = 0 < address < 1 << 32 and 0 < port < 1 << 16
    if tags.get(SOURCE_TYPE) not in CALLABLE or not is_sound:
        return None
    return Endpoint(address=IPv4Address(address), port=port)
