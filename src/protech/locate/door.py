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
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from protech.locate.adapter import Address, Endpoint
from protech.locate.loss import Loss, Lost, lost_by

__all__ = ["Datagrams", "Door", "Loss", "Lost", "Permit", "Stream"]

Permit = Callable[[Endpoint], None]
"""Raises ``AuthorityError`` where no packet may go to an endpoint."""

IP_BIND_ADDRESS_NO_PORT: Final = 24
"""ip(7): the port is chosen on connecting, so that many connections share a source address."""


class _Socket:
    """One socket to one peer, read by the event loop into the memory that a reader gave."""

    __slots__ = ("_door", "_given", "_is_read", "_loop", "_own", "_socket", "_waiter", "peer")

    def __init__(self, door: "Door", opened: socket.socket, peer: Endpoint) -> None:
        self._door = door
        self._socket = opened
        self._loop = asyncio.get_running_loop()
        self._given: memoryview | None = None
        self._waiter: asyncio.Future[int] | None = None
        self._is_read = False
        self._own: tuple[Any, ...] | None = None
        self.peer = peer

    @property
    def local(self) -> Endpoint:
        """Our side of it, also after it was closed."""
        host, port, *_ = self._own or self._socket.getsockname()
        return Endpoint(address=_address(host), port=port)

    async def receive_into(self, memory: memoryview, *, until: float | None = None) -> int:
        """Fill the beginning of ``memory`` with what comes next, and return how much.

        One reader at a time. Of a datagram, what does not fit is lost.

        Raises:
            Lost: There is nobody any more; where a peer of a stream ended it, 0 is returned.
            TimeoutError: Nothing came.
        """
        if self._socket.fileno() < 0:
            raise Lost(Loss.CLOSED)
        self._given = memory
        self._waiter = waiter = self._loop.create_future()
        if not self._is_read:
            self._is_read = True
            self._loop.add_reader(self._socket, self._readable)
        try:
            return await _in_time(waiter, until)
        finally:
            self._given = self._waiter = None

    def close(self) -> None:
        """End it; what else is asked of it then says that it is lost."""
        if self._socket.fileno() < 0:
            return
        self._own = self._socket.getsockname()
        if self._is_read:
            self._loop.remove_reader(self._socket)
        self._socket.close()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Lost(Loss.CLOSED))

    def _readable(self) -> None:
        waiter, memory = self._waiter, self._given
        if waiter is None or memory is None or waiter.done():
            self._is_read = False  # nobody reads now: the loop must not spin over it
            self._loop.remove_reader(self._socket)
            return
        try:
            count = self._socket.recv_into(memory)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as fault:
            waiter.set_exception(lost_by(fault))
        else:
            self._given = None
            waiter.set_result(count)


class Stream(_Socket):
    """A TCP connection; ``Door.connect`` makes it."""

    __slots__ = ()

    async def send(self, data: bytes) -> None:
        """Send all of ``data``.

        Raises:
            AuthorityError: Nothing may be sent to this peer, or nothing more.
            Lost: There is nobody any more.
        """
        self._door.ask(self.peer)
        self._door.writes += 1
        try:
            try:
                count = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                count = 0
            if count < len(data):
                await self._loop.sock_sendall(self._socket, data[count:])
        except OSError as fault:
            raise lost_by(fault) from None


class Datagrams(_Socket):
    """A UDP socket that hears one peer only; ``Door.datagrams`` makes it."""

    __slots__ = ()

    def send(self, data: bytes) -> None:
        """Send one datagram; where the system has no room for it now, it is lost.

        Raises:
            AuthorityError: Nothing may be sent to this peer, or nothing more.
            Lost: There is nobody: an earlier one was refused.
        """
        self._door.ask(self.peer)
        self._door.datagrams_sent += 1
        try:
            self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as fault:
            raise lost_by(fault) from None


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
        self.ask(peer)
        opened = self._open(socket.SOCK_STREAM, peer)
        self.connects += 1
        with _closed_unless_done(opened):
            number = await _connected(opened, (str(peer.address), peer.port), until)
            if number:
                raise lost_by(OSError(number, ""))
        return Stream(self, opened, peer)

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


@contextmanager
def _closed_unless_done(opened: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        opened.close()
        raise


async def _connected(opened: socket.socket, name: tuple[str, int], until: float | None) -> int:
    """Wait until a socket is connected, and return the number of the fault; 0 is none.

    Raises:
        TimeoutError: It is not yet.
    """
    number = opened.connect_ex(name)
    if number == errno.EINPROGRESS:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[int] = loop.create_future()
        loop.add_writer(opened, _settle, waiter)
        try:
            await _in_time(waiter, until)
        finally:
            loop.remove_writer(opened)
        number = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return number


@lru_cache(maxsize=256)
def _address(host: str) -> Address:
    return ip_address(host)


async def _in_time(waiter: "asyncio.Future[int]", until: float | None) -> int:
    """Return what a future comes to.

    Raises:
        TimeoutError: It came to nothing until then.
    """
    if until is None:
        return await waiter
    timer = waiter.get_loop().call_at(until, _expire, waiter)
    try:
        return await waiter
    finally:
        timer.cancel()


def _settle(waiter: "asyncio.Future[int]") -> None:
    if not waiter.done():
        waiter.set_result(0)


def _expire(waiter: "asyncio.Future[int]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
