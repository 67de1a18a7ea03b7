"""UDP trackers: two questions, asked again a few times, answered from where they were sent.

Source: BEP 15; its waits begin at 15 s and double eight times, ours are shorter and fewer: a
tracker that is busy is asked again when it is next due.
"""

import asyncio
import secrets
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from protech.locate.adapter import Endpoint
from protech.locate.bittorrent.tracker import (
    Announce,
    Answer,
    BadTracker,
    Event,
    Said,
    clamped_interval,
    compact,
)
from protech.locate.loss import Lost

PROTOCOL = 0x41727101980
CONNECT, ANNOUNCE, ERROR = 0, 1, 3
EVENTS = {Event.STARTED: 2, Event.STOPPED: 3}

WAITS_S = (2.0, 4.0, 8.0)
"""How long each sending of a question waits for its answer."""

DATAGRAM_BYTES = 16 * 1024
"""Room for more peers than are asked for; what goes beyond is lost."""

STRAYS = 64
"""So many datagrams that answer nothing end the conversation."""

_CONNECT = struct.Struct(">QII")
_CONNECTED = struct.Struct(">IIQ")
_ANNOUNCE = struct.Struct(">QII20s20sQQQII4sIH")
_HEAD = struct.Struct(">II")
_ANNOUNCED = struct.Struct(">IIIII")


class Datagrams(Protocol):
    """What the door offers for datagrams: it hears one peer only."""

    @property
    def local(self) -> Endpoint:
        """Our side of it."""
        ...

    def send(self, data: bytes) -> None:
        """Send one."""
        ...

    async def receive_into(self, memory: memoryview) -> int:
        """Fill the beginning of ``memory`` with the next one."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class UdpTalk:
    """What is said with one tracker over one socket; its connection is good for both events."""

    def __init__(
        self, datagrams: Datagrams, *, version: int, waits_s: Sequence[float] = WAITS_S
    ) -> None:
        """Begin with nothing said; ``version`` is that of the tracker's address, 4 or 6."""
        self._datagrams = datagrams
        self._version = version
        self._memory = memoryview(bytearray(DATAGRAM_BYTES))
        self._waits_s = waits_s
        self._connection: int | None = None
        self.told = False
        self._strays = 0

    async def ask(self, announce: Announce, event: Event) -> Answer:
        """Tell the tracker of an event, and return what it answers; never raises for it."""
        try:
            if self._connection is None:
                self._connection = await self._connect()
            self.told = True
            head, body = await self._question(
                lambda number: self._announce(number, announce, event), ANNOUNCE
            )
            return self._answer(head + body)
        except _Failure:
            return Answer(said=Said.FAILURE, strays=self._strays)
        except BadTracker:
            return Answer(said=Said.MALFORMED, strays=self._strays)
        except TimeoutError:
            return Answer(said=Said.TIMED_OUT, strays=self._strays)
        except Lost:
            return Answer(said=Said.UNREACHABLE, strays=self._strays)

    def close(self) -> None:
        """End it."""
        self._datagrams.close()

    async def _connect(self) -> int:
        head, body = await self._question(
            lambda number: _CONNECT.pack(PROTOCOL, CONNECT, number), CONNECT
        )
        if len(body) < _CONNECTED.size - _HEAD.size:
            raise BadTracker("its answer is too short")
        return int(_CONNECTED.unpack_from(head + body)[2])

    def _announce(self, number: int, announce: Announce, event: Event) -> bytes:
        return _ANNOUNCE.pack(
            self._connection,
            ANNOUNCE,
            number,
            announce.info_hash,
            announce.peer_id,
            0,
            announce.left_bytes,
            0,
            EVENTS[event],
            0,  # the address that the datagram comes from
            announce.key,
            announce.wanted if event is Event.STARTED else 0,
            announce.port,
        )

    def _answer(self, data: bytes) -> Answer:
        if len(data) < _ANNOUNCED.size:
            raise BadTracker("its answer is too short")
        interval_s = _ANNOUNCED.unpack_from(data)[2]
        peers, dropped = compact(data[_ANNOUNCED.size :], version=self._version)
        return Answer(
            said=Said.PEERS,
            peers=peers,
            dropped=dropped,
            interval_s=clamped_interval(interval_s),
            strays=self._strays,
            ourselves=self._datagrams.local.address,
        )

    async def _question(self, make: Callable[[int], bytes], action: int) -> tuple[bytes, bytes]:
        """Send a question until it is answered; return the answer's head and the rest of it."""
        number = secrets.randbits(32)  # a blind forger must guess it
        for wait_s in self._waits_s:
            self._datagrams.send(make(number))
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    return await self._reply(number, action)
        raise TimeoutError

    async def _reply(self, number: int, action: int) -> tuple[bytes, bytes]:
        while self._strays < STRAYS:
            data = bytes(self._memory[: await self._datagrams.receive_into(self._memory)])
            if len(data) >= _HEAD.size:
                found, answered = _HEAD.unpack_from(data)
                if answered == number and found == ERROR:
                    raise _Failure
                if answered == number and found == action:
                    return data[: _HEAD.size], data[_HEAD.size :]
            self._strays += 1
        raise BadTracker("it answers what was not asked")


class _Failure(Exception):
    """It refused, with a reason of its own."""
