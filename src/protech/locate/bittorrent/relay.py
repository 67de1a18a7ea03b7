"""The only way out for libtorrent: a relay on loopback that asks leave for each datagram.

One client, which knows a secret, may associate one UDP port (SOCKS5); no connection is made
for it. A datagram goes out through the door, if it is one that may be sent, to an address that
may be reached, no faster than agreed; only who was asked is heard, and only as often.
"""

import asyncio
import secrets
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from enum import StrEnum
from time import monotonic
from typing import Protocol, Self

from protech.errors import ProtechError
from protech.locate.adapter import Address, Endpoint
from protech.locate.bittorrent.socks import Carried, associate, unwrap, wrap
from protech.locate.bittorrent.tracker_udp import Datagrams
from protech.locate.loss import Lost

HOST = "127.0.0.1"

DATAGRAM_BYTES = 2048
"""What a node may answer at most; more than fits a frame of Ethernet."""

WAITING = 256
"""Datagrams that wait for their turn; libtorrent asks again for what is dropped."""

OPEN = 400
"""Nodes that are listened to at a time; the oldest is given up for another."""

ANSWER_S = 15.0
"""How long a node may take to answer: as long as libtorrent waits."""

SECRET_BYTES = 24
HANDSHAKE_S = 10.0


class Passed(StrEnum):
    """What became of datagrams, counted."""

    SENT = "sent"
    RETURNED = "returned"
    NOT_ALLOWED = "not_allowed"
    """They were none that may be sent."""
    NOT_REACHABLE = "not_reachable"
    """They were for an address that no packet may go to, or to which there is no way."""
    TOO_FAST = "too_fast"
    OVERSIZED = "oversized"
    UNANSWERED = "unanswered"
    """Nodes that did not answer in time, or were given up."""


class Ways(Protocol):
    """What the door opens."""

    def datagrams(self, peer: Endpoint) -> Datagrams:
        """Open a socket for datagrams to and from one peer."""
        ...


class Pace:
    """A token bucket: how long to wait until something may be sent."""

    def __init__(self, *, per_s: float, burst: int) -> None:
        """Begin full."""
        self._per_s = per_s
        self._burst = burst
        self._tokens = float(burst)
        self._at: float | None = None

    def wait_s(self, now: float) -> float:
        """Take a token and return 0, or return how long it is until there is one."""
        if self._at is not None:
            earned = (now - self._at) * self._per_s
            self._tokens = min(self._burst, self._tokens + earned)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_s


class _Inside(asyncio.DatagramProtocol):
    """The end on loopback, which hears the one client's port only."""

    def __init__(self, relay: "Relay") -> None:
        self._relay = relay

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        self._relay.carry(data)


class _Node:
    """One node that was asked, and how often it has not answered yet."""

    def __init__(self, datagrams: Datagrams, until: float) -> None:
        self.datagrams = datagrams
        self.until = until
        self.questions = 0
        self.task: asyncio.Task[None] | None = None


class Relay:
    """The relay as a context: it listens from its beginning to its end.

    ``stopped`` is the error with which it ended before: the authority covers nothing more, or
    this machine has no more sockets. Nothing passes then.
    """

    def __init__(
        self,
        ways: Ways,
        *,
        may_send: Callable[[bytes], bool],
        may_reach: Callable[[Address], bool],
        pace: Pace,
        now: Callable[[], float] = monotonic,
    ) -> None:
        """Open nothing yet.

        Args:
            ways: Opens the sockets; asks leave before each datagram.
            may_send: Whether a datagram is one that may be sent at all.
            may_reach: Whether an address is one that nodes may have.
            pace: How fast.
            now: A clock in seconds.
        """
        self.port = 0
        """Where it listens for its client."""
        self.secret = secrets.token_hex(SECRET_BYTES)
        self.counts: Counter[Passed] = Counter()
        self.associated = asyncio.Event()
        self.stopped: ProtechError | None = None
        self._ways, self._may_send, self._may_reach = ways, may_send, may_reach
        self._pace, self._now = pace, now
        self._waiting: deque[Carried] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._nodes: OrderedDict[Endpoint, _Node] = OrderedDict()
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._inside: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let nothing more pass."""
        tasks = self._shut()
        await asyncio.gather(*tasks, return_exceptions=True)

    def carry(self, datagram: bytes) -> None:
        """Send what the client gave, now or when it is its turn, or count why not."""
        carried = unwrap(datagram)
        if carried is None or not self._may_send(carried.data):
            self.counts[Passed.NOT_ALLOWED] += 1
        elif not carried.node.port or not self._may_reach(carried.node.address):
            self.counts[Passed.NOT_REACHABLE] += 1
        elif len(self._waiting) >= WAITING:
            self.counts[Passed.TOO_FAST] += 1
        elif self.stopped is None:
            self._waiting.append(carried)
            if self._timer is None:
                self._send_waiting()

    def _send_waiting(self) -> None:
        self._timer = None
        while self._waiting:
            if (wait_s := self._pace.wait_s(self._now())) > 0:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(wait_s, self._send_waiting)
                return
            try:
                self._send(self._waiting.popleft())
            except Lost:
                self.counts[Passed.NOT_REACHABLE] += 1
            except ProtechError as stands_in_the_way:
                self.stopped = stands_in_the_way
                self._shut()

    def _send(self, carried: Carried) -> None:
        until = asyncio.get_running_loop().time() + ANSWER_S
        if (node := self._nodes.get(carried.node)) is None:
            node = _Node(self._ways.datagrams(carried.node), until)
            self._nodes[carried.node] = node
            node.task = asyncio.create_task(self._listen(carried.node, node))
            if len(self._nodes) > OPEN:
                self._give_up(next(iter(self._nodes)))
        node.until = until
        node.questions += 1
        node.datagrams.send(carried.data)
        self.counts[Passed.SENT] += 1

    async def _listen(self, place: Endpoint, node: _Node) -> None:
        """Pass on what a node answers, as often as it was asked."""
        memory = memoryview(bytearray(DATAGRAM_BYTES))
        try:
            while node.questions:
                async with asyncio.timeout_at(node.until):
                    size = await node.datagrams.receive_into(memory)
                node.questions -= 1
                self._return(place, memory[:size])
        except (Lost, TimeoutError):
            self.counts[Passed.UNANSWERED] += 1
        finally:
            node.datagrams.close()
            if self._nodes.get(place) is node:
                del self._nodes[place]

    def _return(self, place: Endpoint, data: memoryview) -> None:
        if len(data) == DATAGRAM_BYTES:
            self.counts[Passed.OVERSIZED] += 1
        elif self._inside is not None:
            self.counts[Passed.RETURNED] += 1
            self._inside.sendto(wrap(Carried(node=place, data=bytes(data))))

    def _give_up(self, place: Endpoint) -> None:
        node = self._nodes.pop(place)
        self.counts[Passed.UNANSWERED] += 1
        if node.task is not None:
            node.task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve who knows the secret, until it hangs up."""
        self._clients[writer] = asyncio.current_task()
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                is_ours = await associate(
                    reader, writer, secret=self.secret, open_port=self._open_port
                )
            if is_ours:
                self.associated.set()
                await reader.read(1)  # it says nothing more: this is its end
                self.associated.clear()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            del self._clients[writer]
            writer.close()

    async def _open_port(self, port: int) -> int:
        if self._inside is not None:
            self._inside.abort()
        loop = asyncio.get_running_loop()
        self._inside, _ = await loop.create_datagram_endpoint(
            lambda: _Inside(self), local_addr=(HOST, 0), remote_addr=(HOST, port)
        )
        return int(self._inside.get_extra_info("sockname")[1])

    def _shut(self) -> list["asyncio.Task[None]"]:
        """Close every socket at once; return what still has to end."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        if self._server is not None:
            self._server.close()
        if self._inside is not None:
            self._inside.close()
        for writer in self._clients:
            writer.close()  # what serves it ends with it
        listening = [node.task for node in self._nodes.values() if node.task is not None]
        for task in listening:
            task.cancel()
        return [*listening, *(task for task in self._clients.values() if task is not None)]
