"""Connections to one peer each, through the door: leave is asked before each write.

What arrives is received by the event loop straight into the memory that a reader gives.
"""

import asyncio
import socket
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Protocol

from protech.locate.adapter import Address, Endpoint
from protech.locate.loss import Loss, Lost, lost_by


class Asked(Protocol):
    """Who gives leave, and counts."""

    writes: int
    datagrams_sent: int

    def ask(self, peer: Endpoint) -> None:
        """Return where a packet may go to ``peer``; raise where it may not."""
        ...


class _Socket:
    """One socket to one peer, read by the event loop into the memory that a reader gave."""

    __slots__ = ("_door", "_given", "_is_read", "_loop", "_own", "_socket", "_waiter", "peer")

    def __init__(self, door: Asked, opened: socket.socket, peer: Endpoint) -> None:
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
        if self._own is None:
            self._own = self._socket.getsockname()
        host, port, *_ = self._own
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
        timer = None if until is None else self._loop.call_at(until, _expire, waiter)
        try:
            count: int = await waiter
            return count
        finally:
            self._given = self._waiter = None
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """End it; what else is asked of it then says that it is lost."""
        if self._socket.fileno() < 0:
            return
        if self._own is None:
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
    """A TCP connection; ``Door`` makes it."""

    __slots__ = ()

    def shelter(self, memory: memoryview) -> None:
        """Keep nothing anywhere: all is received where the reader says."""

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


@lru_cache(maxsize=256)
def _address(host: str) -> Address:
    return ip_address(host)


async def in_time(waiter: "asyncio.Future[int]", until: float | None) -> int:
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


def settle(waiter: "asyncio.Future[int]") -> None:
    """Bring a future to 0, unless it came to something."""
    if not waiter.done():
        waiter.set_result(0)


def _expire(waiter: "asyncio.Future[int]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
