"""The door to the network: every socket of ``locate``, and leave asked before every packet.

``permit`` is called before each connection, each write and each datagram, and raises where the
authority does not cover it: nothing is sent then. What arrives is received straight into memory
that the caller gives, so that content of a listed file exists only where it may.
A deadline (``until``, in the loop's time) loses nothing that arrived: whoever reads on later
reads all of it.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

from protech.locate.adapter import Address, Endpoint
from protech.locate.connections import Datagrams, Stream, in_time, settle
from protech.locate.loss import Loss, Lost, lost_by

__all__ = ["Datagrams", "Dialled", "Door", "Loss", "Lost", "Permit", "Stream"]

Permit = Callable[[Endpoint], None]
"""Raises ``AuthorityError`` where no packet may go to an endpoint."""

IP_BIND_ADDRESS_NO_PORT: Final = 24
"""ip(7): the port is chosen on connecting, so that many connections share a source address."""


class Door:
    """Makes every connection of one vantage.

    ``connects``, ``writes`` and ``datagrams_sent`` count what left through it.
    """

    def __init__(self, permit: Permit, *, source: Address | None = None) -> None:
        """Open nothing yet.

        Args:
            permit: Raises where no packet may go to an endpoint.
            source: The address to send from; None leaves it to the system.
        """
        self._permit = permit
        self._source = source
        self.connects = 0
        self.writes = 0
        self.datagrams_sent = 0

    def ask(self, peer: Endpoint) -> None:
        """Return where a packet may go to ``peer``.

        Raises:
            AuthorityError: It may not.
        """
        self._permit(peer)

    async def connect(self, peer: Endpoint, *, until: float | None = None) -> Stream:
        """Return a TCP connection to ``peer``.

        Raises:
            AuthorityError: Nothing may be sent to it.
            ConfigError: This machine has no sockets, ports or source address for it.
            Lost: Nobody is there.
            TimeoutError: Nobody answered.
        """
        with self.dial(peer) as dialled:
            return await dialled.stream(until=until)

    def dial(self, peer: Endpoint) -> "Dialled":
        """Begin a TCP connection to ``peer``; it is given up where the ``with`` ends first.

        Raises:
            AuthorityError: Nothing may be sent to it.
            ConfigError: This machine has no sockets, ports or source address for it.
            Lost: There is no way there.
        """
        self.ask(peer)
        opened = self._open(socket.SOCK_STREAM, peer)
        self.connects += 1
        return Dialled(self, opened, peer)

    def datagrams(self, peer: Endpoint) -> Datagrams:
        """Return a socket for datagrams to and from ``peer`` alone; none is sent yet.

        Raises:
            AuthorityError: Nothing may be sent to it.
            ConfigError: This machine has no sockets, ports or source address for it.
            Lost: There is no way there.
        """
        self.ask(peer)
        opened = self._open(socket.SOCK_DGRAM, peer)
        try:
            with _closed_unless_done(opened):
                opened.connect((str(peer.address), peer.port))
        except OSError as fault:
            raise lost_by(fault) from None
        return Datagrams(self, opened, peer)

    def _open(self, kind: socket.SocketKind, peer: Endpoint) -> socket.socket:
        source = self._source
        if peer.port == 0 or (source is not None and source.version != peer.address.version):
            raise Lost(Loss.UNREACHABLE)
        family = socket.AF_INET if peer.address.version == 4 else socket.AF_INET6
        try:
            opened = socket.socket(family, kind | socket.SOCK_NONBLOCK)
            if source is not None:
                with _closed_unless_done(opened):
                    opened.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                    opened.bind((str(source), 0))
        except OSError as fault:
            raise lost_by(fault) from None
        return opened


class Dialled:
    """A TCP connection that may come to stand; ``Door.dial`` begins it."""

    __slots__ = ("_door", "_number", "_peer", "_socket")

    def __init__(self, door: Door, opened: socket.socket, peer: Endpoint) -> None:
        self._door = door
        self._peer = peer
        self._socket: socket.socket | None = opened
        self._number = opened.connect_ex((str(peer.address), peer.port))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    async def stream(self, *, until: float | None = None) -> Stream:
        """Return the connection once it stands; after a ``TimeoutError`` it can be asked again.

        Raises:
            ConfigError: This machine has no port for it.
            Lost: Nobody is there.
            TimeoutError: Nobody has answered yet.
        """
        opened = self._socket
        if opened is None:
            raise Lost(Loss.CLOSED)
        if self._number == errno.EINPROGRESS:
            loop = asyncio.get_running_loop()
            waiter: asyncio.Future[int] = loop.create_future()
            loop.add_writer(opened, settle, waiter)
            try:
                await in_time(waiter, until)
            finally:
                loop.remove_writer(opened)
            self._number = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if self._number:
            raise lost_by(OSError(self._number, ""))
        # Small messages follow each other, and each would wait for the last one's answer.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = None
        return Stream(self._door, opened, self._peer)


@contextmanager
def _closed_unless_done(opened: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        opened.close()
        raise
