"""A server of eDonkey for the lab: clients log in and offer files, anybody asks for sources.

A poisoned one names whom it likes beside those who offered. It gives each client a high id, as
if it had called it back.
Source: eMule Protocol Specification (Kulbak, Bickson, 2005), sections 3 and 6.2.
"""

import asyncio
import struct
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address

from protech.locate.lab.trackers import Place

EDONKEY = 0xE3
LOGIN, OFFER_FILES = 0x01, 0x15
ID_CHANGE, SERVER_MESSAGE, SERVER_STATUS = 0x40, 0x38, 0x34
GET_SOURCES, FOUND_SOURCES = 0x94, 0x9B
HASH_BYTES = 16
MESSAGE_BYTES = 1 << 18
UDP_AFTER_TCP = 4
NAMED = 255
GREETING = b"A laboratory of random bytes"


class Offers:
    """Who has offered what. A poisoned server names ``poison`` for everything."""

    def __init__(self, poison: Sequence[Place] = ()) -> None:
        """Begin with nobody."""
        self._poison = tuple(poison)
        self._known: dict[bytes, dict[Place, None]] = defaultdict(dict)

    def offer(self, file_hash: bytes, place: Place) -> None:
        """Enter a client for a file."""
        self._known[file_hash][place] = None

    def leave(self, place: Place) -> None:
        """Remove a client."""
        for known in self._known.values():
            known.pop(place, None)

    def named(self, file_hash: bytes) -> list[Place]:
        """Return whom to name for a file."""
        return [*self._known.get(file_hash, ()), *self._poison][:NAMED]


def message(op: int, content: bytes) -> bytes:
    """Return a message as it is sent."""
    return struct.pack("<BIB", EDONKEY, 1 + len(content), op) + content


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return opcode and content of the next message; EOFError where there is no other."""
    head = await reader.readexactly(5)
    protocol, length = struct.unpack("<BI", head)
    if protocol != EDONKEY or not 0 < length <= MESSAGE_BYTES:
        raise EOFError
    content = await reader.readexactly(length)
    return content[0], content[1:]


def offered(content: bytes) -> list[bytes]:
    """Return the hashes of the files that a client offers; those before what is unreadable."""
    (count,) = struct.unpack_from("<I", content) if len(content) >= 4 else (0,)
    found: list[bytes] = []
    at = 4
    with suppress(IndexError, KeyError, struct.error):
        for _ in range(count):
            file_hash = content[at : at + HASH_BYTES]
            at = _behind_tags(content, at + HASH_BYTES + 6)
            found.append(file_hash)
    return found


def _behind_tags(content: bytes, at: int) -> int:
    (count,) = struct.unpack_from("<I", content, at)
    at += 4
    for _ in range(count):
        kind = content[at]
        at += 1
        at += 1 if kind & 0x80 else 2 + struct.unpack_from("<H", content, at)[0]
        kind &= 0x7F
        if kind == 0x02:
            at += 2 + struct.unpack_from("<H", content, at)[0]
        elif 0x11 <= kind <= 0x20:
            at += kind - 0x10
        else:
            at += {0x03: 4, 0x04: 4, 0x08: 2, 0x09: 1, 0x0B: 8}[kind]
    return at


class Clients:
    """The server's side of clients that log in."""

    def __init__(self, offers: Offers) -> None:
        """Enter clients in ``offers``."""
        self._offers = offers

    async def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it leaves."""
        host = str(writer.get_extra_info("peername")[0])
        place: Place | None = None
        with suppress(EOFError, OSError):
            while True:
                op, content = await _read(reader)
                if op == LOGIN and len(content) >= HASH_BYTES + 6:
                    (port,) = struct.unpack_from("<H", content, HASH_BYTES + 4)
                    place = (host, port)
                    own = ip_address(host).packed
                    writer.write(message(SERVER_MESSAGE, _counted(GREETING)))
                    writer.write(message(ID_CHANGE, own + bytes(4)))
                    writer.write(message(SERVER_STATUS, struct.pack("<II", 1, 1)))
                elif op == OFFER_FILES and place is not None:
                    for file_hash in offered(content):
                        self._offers.offer(file_hash, place)
                await writer.drain()
        if place is not None:
            self._offers.leave(place)
        writer.close()


def _counted(text: bytes) -> bytes:
    return struct.pack("<H", len(text)) + text


class Questions(asyncio.DatagramProtocol):
    """Answers whoever asks for sources, logged in or not."""

    def __init__(self, offers: Offers) -> None:
        """Name whom ``offers`` does."""
        self.asked = 0
        self._offers = offers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.DatagramTransport)  # noqa: S101 - asyncio's contract
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question; what is none is left alone."""
        if data[:2] != bytes([EDONKEY, GET_SOURCES]) or len(data) < 2 + HASH_BYTES:
            return
        self.asked += 1
        file_hash = data[2 : 2 + HASH_BYTES]
        named = self._offers.named(file_hash)
        packed = b"".join(
            ip_address(host).packed + struct.pack("<H", port) for host, port in named
        )
        if named:
            answer = bytes([EDONKEY, FOUND_SOURCES]) + file_hash + bytes([len(named)]) + packed
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def serve(place: Place, offers: Offers) -> AsyncIterator[Questions]:
    """Give a server at a place, over TCP there and for datagrams four ports above."""
    loop = asyncio.get_running_loop()
    host, port = place
    transport, questions = await loop.create_datagram_endpoint(
        lambda: Questions(offers), (host, port + UDP_AFTER_TCP)
    )
    try:
        async with await asyncio.start_server(Clients(offers).visit, host, port):
            yield questions
    finally:
        transport.close()


def server_list(place: Place) -> bytes:
    """Return the file (`server.met`) by which clients know a server."""
    host, port = place
    return struct.pack("<BI", 0x0E, 1) + ip_address(host).packed + struct.pack("<HI", port, 0)
