"""Trackers of the lab, over HTTP and UDP: an honest one, and one that names whom it likes.

Sources: BEP 3, BEP 7, BEP 15 and BEP 23.
"""

import asyncio
import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from random import Random
from urllib.parse import unquote_to_bytes, urlsplit

from protech.locate.bittorrent.bencode import Bencoded, encode

INTERVAL_S = 120
UDP_PROTOCOL = 0x41727101980
CONNECT, ANNOUNCE, ERROR = 0, 1, 3
STOPPED_UDP = 3

type Place = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What a client says of itself to a tracker."""

    info_hash: bytes = field(repr=False)
    place: Place = field(repr=False)
    is_stopped: bool


class Registry:
    """Who has announced what. A poisoned one names ``poison`` for everything."""

    def __init__(self, poison: Sequence[Place] = ()) -> None:
        """Begin with nobody."""
        self._poison = tuple(poison)
        self._known: dict[bytes, dict[Place, None]] = defaultdict(dict)

    def take(self, announced: Announced) -> list[Place]:
        """Enter or remove a client, and return whom to name to it."""
        known = self._known[announced.info_hash]
        if announced.is_stopped:
            known.pop(announced.place, None)
        elif announced.place[1]:
            known[announced.place] = None
        return [*known, *self._poison]


def compact(places: Sequence[Place]) -> tuple[bytes, bytes]:
    """Return places as BEP 23 packs those of IPv4, and BEP 7 those of IPv6."""
    packed: dict[int, list[bytes]] = {4: [], 6: []}
    for host, port in places:
        address = ip_address(host)
        packed[address.version].append(address.packed + port.to_bytes(2))
    return b"".join(packed[4]), b"".join(packed[6])


def read_target(target: str, host: str) -> Announced | None:
    """Return the announcement in the target of an HTTP request; None where it is none."""
    query = dict(
        one.partition("=")[::2] for one in urlsplit(target).query.split("&") if "=" in one
    )
    info_hash = unquote_to_bytes(query.get("info_hash", ""))
    port = query.get("port", "0")
    if len(info_hash) != 20 or not port.isdecimal() or int(port) > 65535:
        return None
    return Announced(
        info_hash=info_hash,
        place=(host, int(port)),
        is_stopped=query.get("event") == "stopped",
    )


async def serve_http(registry: Registry, host: str, port: int) -> asyncio.Server:
    """Answer announcements over HTTP until the server is closed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            writer.close()
            return
        target = head.split(" ", 2)[1] if head.count(" ") > 1 else ""
        announced = read_target(target, writer.get_extra_info("peername")[0])
        writer.write(_http(_answer(registry, announced)))
        writer.close()

    return await asyncio.start_server(answer, host, port, backlog=512)


def _answer(registry: Registry, announced: Announced | None) -> dict[bytes, Bencoded]:
    if announced is None:
        return {b"failure reason": b"no announcement"}
    fours, sixes = compact(registry.take(announced))
    return {b"interval": INTERVAL_S, b"peers": fours, b"peers6": sixes}


def _http(answer: dict[bytes, Bencoded]) -> bytes:
    body = encode(answer)
    return (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )


class UdpTracker(asyncio.DatagramProtocol):
    """A tracker over UDP (BEP 15)."""

    def __init__(self, registry: Registry, random: Random) -> None:
        """Hand out connection ids from ``random``."""
        self._registry = registry
        self._random = random
        self._connections: set[int] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.DatagramTransport)  # noqa: S101 - asyncio's contract
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a connection or an announcement; anything else goes unanswered."""
        if len(data) < 16:
            return
        connection, action, transaction = struct.unpack_from(">QII", data)
        if action == CONNECT and connection == UDP_PROTOCOL:
            made = self._random.getrandbits(63)
            self._connections.add(made)
            self._transport.sendto(struct.pack(">IIQ", CONNECT, transaction, made), addr)
        elif action == ANNOUNCE and connection in self._connections and len(data) >= 98:
            self._announce(data, addr)
        else:
            self._transport.sendto(struct.pack(">II", ERROR, transaction) + b"no", addr)

    def _announce(self, data: bytes, addr: tuple[str, int]) -> None:
        transaction = int.from_bytes(data[12:16])
        places = self._registry.take(
            Announced(
                info_hash=data[16:36],
                place=(addr[0], int.from_bytes(data[96:98])),
                is_stopped=int.from_bytes(data[80:84]) == STOPPED_UDP,
            )
        )
        is_six = isinstance(ip_address(addr[0]), IPv6Address)
        head = struct.pack(">IIIII", ANNOUNCE, transaction, INTERVAL_S, 0, len(places))
        self._transport.sendto(head + compact(places)[is_six], addr)


async def announce(tracker: Place, source: Place, info_hash: bytes) -> None:
    """Announce a hostile peer to a tracker over HTTP, from its own address."""
    reader, writer = await asyncio.open_connection(*tracker, local_addr=(source[0], 0))
    quoted = "".join(f"%{byte:02x}" for byte in info_hash)
    request = (
        f"GET /announce?info_hash={quoted}&peer_id=-LB0001-000000000000&port={source[1]}"
        "&uploaded=0&downloaded=0&left=0&compact=1 HTTP/1.0\r\n\r\n"
    )
    writer.write(request.encode())
    await reader.read()
    writer.close()
