"""Discovery against trackers and nodes that lie, flood, drip and loop; all on loopback.

Reference: BEP 3, BEP 5, BEP 15 and BEP 23 as an attacker reads them; libtorrent 2.1 asks nodes.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from random import Random

import pytest

from protech.errors import AuthorityError
from protech.locate.adapter import Endpoint
from protech.locate.bittorrent import bencode
from protech.locate.bittorrent.dht import DhtLimits, open_dht
from protech.locate.bittorrent.discover import reachable
from protech.locate.bittorrent.relay import Passed
from protech.locate.bittorrent.tracker import Announce, Answer, Said, parse_tracker
from protech.locate.bittorrent.trackers import visit
from protech.locate.door import Door

OURS = ip_address("127.8.0.2")
HOST = "127.8.1.3"
INFO_HASH = b"\x43" * 20
SAID = Announce(info_hash=INFO_HASH, peer_id=b"p" * 20, key=b"keyk", left_bytes=9)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def at(host: str, port: int) -> Endpoint:
    return Endpoint(address=ip_address(host), port=port)


async def asked_over_http(serve: Serve, *, timeout_s: float = 5.0) -> Answer:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(one, HOST, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        tracker = parse_tracker(f"http://{HOST}:{port}/announce")
        assert tracker is not None
        door = Door(lambda _: None, source=OURS)
        return await visit(door, tracker, ip_address(HOST), SAID, timeout_s=timeout_s)


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer for ever, a byte at a time."""
    if b"event=stopped" in await reader.readuntil(b"\r\n\r\n"):
        return
    writer.write(b"HTTP/1.1 200 OK\r\n\r\nd5:peers6000:")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer without an end, as fast as it goes."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hang up at once."""


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what came."""
    writer.write(await reader.readuntil(b"\r\n\r\n"))
    await writer.drain()


@pytest.mark.parametrize(
    ("serve", "timeout_s", "said"),
    [
        (drip, 0.3, Said.TIMED_OUT),
        (flood, 5.0, Said.MALFORMED),
        (hang_up, 5.0, Said.MALFORMED),
        (echo, 5.0, Said.MALFORMED),
    ],
)
def test_no_http_tracker_holds_us_up_or_makes_us_fail(
    serve: Serve, timeout_s: float, said: Said
) -> None:
    answer = asyncio.run(asked_over_http(serve, timeout_s=timeout_s))
    assert answer.said in {said, Said.UNREACHABLE}
    assert answer.peers == ()


class UdpTracker(asyncio.DatagramProtocol):
    """Answers as it is told; ``stranger`` is another socket of the same host."""

    def __init__(self, lie: Callable[["UdpTracker", bytes, tuple[str, int]], None]) -> None:
        self._lie = lie
        self.transport: asyncio.DatagramTransport
        self.stranger: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._lie(self, data, addr)


def true_answer(question: bytes) -> bytes:
    if question[8:12] == bytes(4):
        return bytes(4) + question[12:16] + b"CONNECT1"
    return question[8:16] + bytes(12) + ip_address("127.1.0.1").packed + b"\x1a\xe1"


def from_a_stranger(of: UdpTracker, data: bytes, addr: tuple[str, int]) -> None:
    of.stranger.sendto(true_answer(data), addr)


def of_another_number(of: UdpTracker, data: bytes, addr: tuple[str, int]) -> None:
    for _ in range(100):
        of.transport.sendto(bytes(4) + b"lies" + bytes(8), addr)


def garbage(of: UdpTracker, data: bytes, addr: tuple[str, int]) -> None:
    of.transport.sendto(Random(1).randbytes(60_000), addr)
    of.transport.sendto(b"", addr)
    of.transport.sendto(true_answer(data), addr)


async def asked_over_udp(
    lie: Callable[[UdpTracker, bytes, tuple[str, int]], None], *, timeout_s: float
) -> Answer:
    loop = asyncio.get_running_loop()
    transport, tracker = await loop.create_datagram_endpoint(
        lambda: UdpTracker(lie), local_addr=(HOST, 0)
    )
    tracker.stranger, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=(HOST, 0)
    )
    try:
        place = parse_tracker(f"udp://{HOST}:{transport.get_extra_info('sockname')[1]}")
        assert place is not None
        door = Door(lambda _: None, source=OURS)
        return await visit(door, place, ip_address(HOST), SAID, timeout_s=timeout_s)
    finally:
        transport.close()
        tracker.stranger.close()


def test_an_answer_from_elsewhere_is_not_heard() -> None:
    answer = asyncio.run(asked_over_udp(from_a_stranger, timeout_s=0.3))
    assert (answer.said, answer.peers) == (Said.TIMED_OUT, ())


def test_a_flood_of_other_numbers_ends_the_conversation() -> None:
    assert asyncio.run(asked_over_udp(of_another_number, timeout_s=5)).said is Said.MALFORMED


def test_garbage_before_the_answer_is_passed_over() -> None:
    answer = asyncio.run(asked_over_udp(garbage, timeout_s=5))
    assert (answer.said, answer.peers) == (Said.PEERS, (at("127.1.0.1", 6881),))
    assert answer.strays >= 2


Lie = Callable[["LyingNode", dict[bytes, bencode.Bencoded], tuple[str, int]], None]


class LyingNode(asyncio.DatagramProtocol):
    """A node of the DHT that answers as it is told, and remembers what it was asked."""

    def __init__(self, lie: Lie) -> None:
        self._lie = lie
        self.random = Random(4)
        self.asked: list[dict[bytes, bencode.Bencoded]] = []
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        fields = bencode.decode(data)
        self.asked.append(fields)
        self._lie(self, fields, addr)

    @property
    def port(self) -> int:
        return int(self.transport.get_extra_info("sockname")[1])

    def answer(
        self,
        question: dict[bytes, bencode.Bencoded],
        addr: tuple[str, int],
        *,
        values: list[bencode.Bencoded],
        nodes: bytes = b"",
    ) -> None:
        fields: dict[bytes, bencode.Bencoded] = {
            b"id": b"n" * 20,
            b"token": b"t",
            b"nodes": nodes,
            b"values": values,
        }
        reply: dict[bytes, bencode.Bencoded] = {b"t": question[b"t"], b"y": b"r", b"r": fields}
        self.transport.sendto(bencode.encode(reply), addr)


def packed(host: str, port: int) -> bytes:
    return ip_address(host).packed + port.to_bytes(2)


POISON: list[bencode.Bencoded] = [
    packed("224.0.0.1", 6881),
    packed("255.255.255.255", 6881),
    packed("0.0.0.0", 6881),
    packed("127.1.0.1", 0),
    b"short",
    b"",
    bytes(40),
]


def poison(
    of: LyingNode, question: dict[bytes, bencode.Bencoded], addr: tuple[str, int]
) -> None:
    """Name what can be no peer, one that can, and nodes far away and nowhere."""
    away = [("8.8.8.8", 53), ("192.168.0.1", 80), ("224.0.0.1", 1), ("127.9.2.1", 0)]
    nodes = b"".join(of.random.randbytes(20) + packed(*place) for place in away)
    of.answer(question, addr, values=[*POISON, packed("127.1.0.1", 6881)], nodes=nodes)


def loop(of: LyingNode, question: dict[bytes, bencode.Bencoded], addr: tuple[str, int]) -> None:
    """Name itself under ever closer ids, and ever more peers."""
    nodes = b"".join(
        INFO_HASH[:18] + of.random.randbytes(2) + packed("127.9.1.1", of.port) for _ in range(8)
    )
    values: list[bencode.Bencoded] = [
        packed(f"127.1.{of.random.randrange(256)}.{of.random.randrange(256)}", 6881)
        for _ in range(50)
    ]
    of.answer(question, addr, values=values, nodes=nodes)


def ask_back(
    of: LyingNode, question: dict[bytes, bencode.Bencoded], addr: tuple[str, int]
) -> None:
    """Ask us: whoever answers is a node."""
    ask: dict[bytes, bencode.Bencoded] = {
        b"t": b"aa",
        b"y": b"q",
        b"q": b"get_peers",
        b"a": {b"id": b"n" * 20, b"info_hash": INFO_HASH},
    }
    for _ in range(5):
        of.transport.sendto(bencode.encode(ask), addr)


def nonsense(
    of: LyingNode, question: dict[bytes, bencode.Bencoded], addr: tuple[str, int]
) -> None:
    """Send what is no answer."""
    of.transport.sendto(of.random.randbytes(9_000), addr)
    of.transport.sendto(b"d" * 1_000, addr)
    of.transport.sendto(b"d1:rd2:id999999:", addr)


@asynccontextmanager
async def lying(lie: Lie) -> AsyncIterator[LyingNode]:
    transport, node = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: LyingNode(lie), local_addr=("127.9.1.1", 0)
    )
    try:
        yield node
    finally:
        transport.close()


async def looked_up(
    lie: Lie,
) -> tuple[LyingNode, set[Endpoint], Counter[Passed], list[Endpoint]]:
    """Return the node, whom it named, what became of datagrams, and where leave was asked."""
    leave: list[Endpoint] = []
    door = Door(leave.append, source=OURS)
    limits = DhtLimits(lookup_s=3.0, quiet_s=1.0, answers=50)
    got: set[Endpoint] = set()
    async with lying(lie) as node:
        async with open_dht(
            door,
            bootstrap=[at("127.9.1.1", node.port)],
            may_reach=reachable(lab=True),
            limits=limits,
            lab=True,
        ) as dht:
            async for peers in dht.peers(INFO_HASH):
                got.update(peers)
        return node, got, dht.counts, leave


@pytest.mark.parametrize("lie", [poison, loop, ask_back, nonsense])
def test_no_node_leads_us_astray_or_holds_us_up(lie: Lie) -> None:
    node, got, counts, leave = asyncio.run(looked_up(lie))
    print(lie.__name__, len(got), dict(counts))
    assert node.asked
    assert all(one.get(b"ro") == 1 and one.get(b"y") == b"q" for one in node.asked)
    assert all(reachable(lab=True)(one.address) and one.port for one in [*got, *leave])
    assert counts[Passed.SENT] < 500


def test_of_poisoned_names_only_what_can_be_a_peer_is_left() -> None:
    _, got, counts, leave = asyncio.run(looked_up(poison))
    assert got == {at("127.1.0.1", 6881)}
    assert counts[Passed.NOT_REACHABLE] > 0
    assert {str(one.address) for one in leave} == {"127.9.1.1"}


def test_after_the_leave_libtorrent_finds_no_other_way() -> None:
    """Nodes are on loopback, as is its socket: it could, if it went past the relay."""

    async def scene() -> tuple[int, int]:
        def permit(_: Endpoint) -> None:
            if door.datagrams_sent >= 2:
                raise AuthorityError("It is over.")

        door = Door(permit, source=OURS)
        async with (
            lying(loop) as node,
            open_dht(
                door,
                bootstrap=[at("127.9.1.1", node.port)],
                may_reach=reachable(lab=True),
                lab=True,
            ) as dht,
        ):
            with pytest.raises(AuthorityError):
                async for _ in dht.peers(INFO_HASH):
                    pass
            await asyncio.sleep(
                3.0
            )  # in which libtorrent goes on, and asks for its proxy again
            return len(node.asked), door.datagrams_sent

    assert asyncio.run(scene()) == (2, 2)
