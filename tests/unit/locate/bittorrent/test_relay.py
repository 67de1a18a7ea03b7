"""Nothing passes the relay without leave, and only answers come back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from protech.errors import AuthorityError, ConfigError, ProtechError
from protech.locate.adapter import Endpoint
from protech.locate.bittorrent import relay as relays
from protech.locate.bittorrent.relay import DATAGRAM_BYTES, OPEN, WAITING, Pace, Passed, Relay
from protech.locate.bittorrent.socks import USER, Carried, wrap
from protech.locate.loss import Loss, Lost

NODE = Endpoint(address=ip_address("198.18.0.1"), port=6881)
QUESTION = Carried(node=NODE, data=b"question")


class Node:
    """A node that answers when it is told to."""

    local = Endpoint(address=ip_address("127.0.0.1"), port=4000)

    def __init__(self, ways: "Ways", place: Endpoint) -> None:
        self._ways = ways
        self._place = place
        self.answers: asyncio.Queue[bytes | Lost] = asyncio.Queue()
        self.is_closed = False

    def send(self, data: bytes) -> None:
        self._ways.ask(self._place)
        self._ways.sent.append(Carried(node=self._place, data=data))
        self._ways.has_sent.set()

    async def receive_into(self, memory: memoryview) -> int:
        answer = await self.answers.get()
        if isinstance(answer, Lost):
            raise answer
        memory[: len(answer)] = answer
        return len(answer)

    def close(self) -> None:
        self.is_closed = True


class Ways:
    """The door, which gives leave until it is told otherwise."""

    def __init__(self) -> None:
        self.sent: list[Carried] = []
        self.has_sent = asyncio.Event()
        self.nodes: list[Node] = []
        self.over: ProtechError | None = None

    def ask(self, peer: Endpoint) -> None:
        if self.over is not None:
            raise self.over

    def datagrams(self, peer: Endpoint) -> Node:
        self.ask(peer)
        if peer.port == 1:
            raise Lost(Loss.UNREACHABLE)
        self.nodes.append(Node(self, peer))
        return self.nodes[-1]


def made(ways: Ways, *, burst: int = 1000, now: Callable[[], float] = lambda: 0.0) -> Relay:
    return Relay(
        ways,
        may_send=lambda data: data.startswith(b"question"),
        may_reach=lambda address: not address.is_multicast,
        pace=Pace(per_s=1, burst=burst),
        now=now,
    )


def run(scene: Callable[[Ways, Relay], Awaitable[None]], *, burst: int = 1000) -> None:
    async def within() -> None:
        ways = Ways()
        async with made(ways, burst=burst) as relay:
            await scene(ways, relay)

    asyncio.run(within())


class Inbox(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.got: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.got.put_nowait(data)


@asynccontextmanager
async def client(relay: Relay) -> AsyncIterator[tuple[Callable[[bytes], None], Inbox]]:
    """Be libtorrent: associate, and give the socket on loopback."""
    loop = asyncio.get_running_loop()
    transport, inbox = await loop.create_datagram_endpoint(Inbox, local_addr=("127.0.0.1", 0))
    ours = transport.get_extra_info("sockname")[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    try:
        user, secret = USER.encode(), relay.secret.encode()
        writer.write(b"\x05\x01\x02\x01" + bytes([len(user)]) + user)
        writer.write(bytes([len(secret)]) + secret)
        writer.write(b"\x05\x03\x00\x01\x7f\x00\x00\x01" + ours.to_bytes(2))
        answer = await reader.readexactly(14)
        await relay.associated.wait()
        place = ("127.0.0.1", int.from_bytes(answer[-2:]))
        yield lambda data: transport.sendto(data, place), inbox
    finally:
        transport.close()
        writer.close()
        await writer.wait_closed()


def test_a_question_goes_out_and_its_answer_comes_back() -> None:
    async def scene(ways: Ways, relay: Relay) -> None:
        async with client(relay) as (send, inbox):
            send(wrap(QUESTION))
            await ways.has_sent.wait()
            ways.nodes[0].answers.put_nowait(b"answer")
            assert await inbox.got.get() == wrap(Carried(node=NODE, data=b"answer"))
        assert ways.sent == [QUESTION]
        assert relay.counts == {Passed.SENT: 1, Passed.RETURNED: 1}
        assert ways.nodes[0].is_closed

    run(scene)


@pytest.mark.parametrize(
    ("datagram", "passed"),
    [
        (b"", Passed.NOT_ALLOWED),
        (wrap(Carried(node=NODE, data=b"announcement")), Passed.NOT_ALLOWED),
        (
            wrap(Carried(node=Endpoint(address=NODE.address, port=0), data=b"question")),
            Passed.NOT_REACHABLE,
        ),
        (
            wrap(
                Carried(
                    node=Endpoint(address=ip_address("224.0.0.1"), port=6881), data=b"question"
                )
            ),
            Passed.NOT_REACHABLE,
        ),
        (
            wrap(Carried(node=Endpoint(address=NODE.address, port=1), data=b"question")),
            Passed.NOT_REACHABLE,
        ),
    ],
)
def test_what_may_not_go_is_counted(datagram: bytes, passed: Passed) -> None:
    async def scene(ways: Ways, relay: Relay) -> None:
        relay.carry(datagram)
        assert relay.counts == {passed: 1}
        assert ways.sent == []

    run(scene)


@pytest.mark.parametrize("error", [AuthorityError("Over."), ConfigError("No sockets.")])
def test_without_leave_or_sockets_nothing_passes_any_more(error: ProtechError) -> None:
    async def scene(ways: Ways, relay: Relay) -> None:
        relay.carry(wrap(QUESTION))
        ways.over = error
        relay.carry(wrap(QUESTION))
        ways.over = None
        relay.carry(wrap(QUESTION))
        assert relay.stopped is error
        assert len(ways.sent) == 1
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", relay.port)

    run(scene)


def test_what_is_too_fast_waits_and_what_is_too_much_is_dropped() -> None:
    async def scene(ways: Ways, relay: Relay) -> None:
        for _ in range(WAITING + 3):
            relay.carry(wrap(QUESTION))
        assert len(ways.sent) == 2
        assert relay.counts == {Passed.SENT: 2, Passed.TOO_FAST: 1}

    run(scene, burst=2)


def test_pace_is_a_bucket_of_tokens() -> None:
    pace = Pace(per_s=2, burst=3)
    assert [pace.wait_s(10) for _ in range(4)] == [0, 0, 0, 0.5]
    assert pace.wait_s(10.25) == 0.25
    assert [pace.wait_s(10.5), pace.wait_s(10.5)] == [0, 0.5]
    assert [pace.wait_s(99) for _ in range(4)] == [0, 0, 0, 0.5]


def test_a_node_is_heard_as_often_as_it_was_asked() -> None:
    async def scene(ways: Ways, relay: Relay) -> None:
        relay.carry(wrap(QUESTION))
        relay.carry(wrap(QUESTION))
        (node,) = ways.nodes
        for _ in range(3):
            node.answers.put_nowait(b"answer")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert node.is_closed
        assert node.answers.qsize() == 1
        relay.carry(wrap(QUESTION))
        assert len(ways.nodes) == 2

    run(scene)


def test_an_answer_that_fills_the_memory_is_dropped() -> None:
    async def scene(ways: Ways, relay: Relay) -> None:
        relay.carry(wrap(QUESTION))
        ways.nodes[0].answers.put_nowait(bytes(DATAGRAM_BYTES))
        await asyncio.sleep(0)
        assert relay.counts[Passed.OVERSIZED] == 1

    run(scene)


def test_a_node_that_is_lost_or_late_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(ways: Ways, relay: Relay) -> None:
        relay.carry(wrap(QUESTION))
        ways.nodes[0].answers.put_nowait(Lost(Loss.REFUSED))
        await asyncio.sleep(0)
        assert relay.counts[Passed.UNANSWERED] == 1
        monkeypatch.setattr(relays, "ANSWER_S", -1.0)
        relay.carry(wrap(QUESTION))
        for _ in range(4):
            await asyncio.sleep(0)
        assert relay.counts[Passed.UNANSWERED] == 2
        assert all(node.is_closed for node in ways.nodes)

    run(scene)


def test_only_so_many_nodes_are_listened_to_at_a_time() -> None:
    async def scene(ways: Ways, relay: Relay) -> None:
        for i in range(OPEN + 2):
            relay.carry(
                wrap(
                    Carried(
                        node=Endpoint(address=NODE.address, port=2000 + i), data=b"question"
                    )
                )
            )
            if i % WAITING == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [node.is_closed for node in ways.nodes] == [True, True] + [False] * OPEN
        assert relay.counts == Counter({Passed.SENT: OPEN + 2, Passed.UNANSWERED: 2})

    run(scene)


def test_who_does_not_know_the_secret_is_shown_out() -> None:
    async def scene(ways: Ways, relay: Relay) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"\x05\x01\x00")
        assert await reader.read() == b"\x05\xff"
        writer.close()
        await writer.wait_closed()
        assert not relay.associated.is_set()

    run(scene)
