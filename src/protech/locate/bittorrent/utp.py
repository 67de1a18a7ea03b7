"""uTP, the transport that BitTorrent has over UDP: the side that calls, and mostly listens.

We send a few small packets and no stream, so that nothing here can crowd a line; for the peer's
own congestion control each packet tells how long its last one took. Nothing runs by itself:
packets are sent and acknowledged while somebody sends or receives. Source: BEP 29.
"""

import asyncio
import os
import time
from contextlib import suppress
from typing import Final

from protech.errors import AuthorityError
from protech.locate.adapter import Endpoint
from protech.locate.bittorrent.utp_packets import (
    HEADER,
    NUMBERS,
    VERSION,
    Packet,
    PacketKind,
    ahead,
    parse,
)
from protech.locate.connections import Datagrams
from protech.locate.door import Door
from protech.locate.loss import Loss, Lost

PAYLOAD_BYTES = 1200
"""Fits every path: IPv6 asks for packets of 1280."""
DATAGRAM_BYTES = 4096
SLOT_BYTES = 2048
SLOTS = 16
WINDOW_BYTES = 48 * 1024
MEMORY_BYTES: Final = DATAGRAM_BYTES + SLOTS * SLOT_BYTES + WINDOW_BYTES

UNANSWERED = 16
"""Packets that wait for their acknowledgement, at most."""
NONSENSE = 256
"""Packets that say nothing, after which the peer is given up."""
RESEND_S = 1.0
RESENDS = 5
LATE_S = 0.5
"""Beyond a deadline, packets that bring nothing are not waited for."""


class Utp:
    """A connection over uTP; ``call`` makes it. One task sends and receives."""

    def __init__(self, datagrams: Datagrams) -> None:
        """Begin with nothing sent."""
        self._datagrams = datagrams
        self._loop = asyncio.get_running_loop()
        self._number = int.from_bytes(os.urandom(2))
        self._sequence = 1
        self._acknowledged = 0
        self._is_connected = False
        self._last: int | None = None  # the number of their FIN
        self._delay_us = 0
        self._nonsense = 0
        self._unanswered: dict[int, tuple[PacketKind, bytes]] = {}
        self._resend_at = 0.0
        self._resends = 0
        self._early: dict[int, tuple[int, int]] = {}  # slot and length, by sequence number
        self._ready = 0
        self._use(memoryview(bytearray(MEMORY_BYTES)))

    @property
    def peer(self) -> Endpoint:
        """The other side."""
        return self._datagrams.peer

    @property
    def local(self) -> Endpoint:
        """Our side."""
        return self._datagrams.local

    async def connect(self, until: float | None) -> None:
        """Call the peer.

        Raises:
            AuthorityError: Nothing may be sent.
            Lost: Nobody is there.
            TimeoutError: Nobody answered.
        """
        self._post(PacketKind.SYN, b"")
        while not self._is_connected:
            await self._turn(until)

    async def send(self, data: bytes) -> None:
        """Send ``data``; it is sent again until it is acknowledged, while somebody receives.

        Raises:
            AuthorityError: Nothing may be sent.
            Lost: There is nobody any more.
        """
        latest = self._loop.time() + RESEND_S * 2 ** (RESENDS + 1)
        for at in range(0, len(data), PAYLOAD_BYTES):
            while len(self._unanswered) >= UNANSWERED:
                await self._turn(None)
                if self._loop.time() > latest:
                    raise Lost(Loss.TIMED_OUT)
            self._post(PacketKind.DATA, data[at : at + PAYLOAD_BYTES])

    async def receive_into(self, memory: memoryview, *, until: float | None = None) -> int:
        """Fill the beginning of ``memory`` with what comes next; 0 is the end.

        Raises:
            AuthorityError: Nothing may be sent, and so nothing be acknowledged.
            Lost: There is nobody any more.
            TimeoutError: Nothing came.
        """
        while not self._ready:
            if self._last is not None and ahead(self._acknowledged, self._last) >= 0:
                return 0
            self._require_time(until)
            await self._turn(until)
        count = min(self._ready, len(memory))
        memory[:count] = self._window[:count]
        self._window[: self._ready - count] = self._window[count : self._ready]
        self._ready -= count
        return count

    def shelter(self, memory: memoryview) -> None:
        """Keep what arrives in ``memory`` only, until it is closed; ``MEMORY_BYTES`` of it.

        Raises:
            ValueError: It is too small.
        """
        if len(memory) < MEMORY_BYTES:
            raise ValueError("the memory is too small")
        before, self._early = self._window, {}  # what came too early is sent again
        self._use(memory)
        self._window[: self._ready] = before[: self._ready]

    def close(self) -> None:
        """End it, and say so once."""
        if self._is_connected:
            self._is_connected = False
            with suppress(AuthorityError, Lost):  # where it may be, and somebody is there
                self._transmit(PacketKind.FIN, self._sequence, b"")
        self._datagrams.close()
        self._early = {}
        self._ready = 0
        for one in (self._scratch, self._slots, self._window):
            one.release()

    def _require_time(self, until: float | None) -> None:
        """Raise ``TimeoutError`` long after it: endless packets keep timers from ringing."""
        if until is not None and self._loop.time() > until + LATE_S:
            raise TimeoutError

    def _use(self, memory: memoryview) -> None:
        self._scratch = memory[:DATAGRAM_BYTES]
        self._slots = memory[DATAGRAM_BYTES : DATAGRAM_BYTES + SLOTS * SLOT_BYTES]
        self._window = memory[DATAGRAM_BYTES + SLOTS * SLOT_BYTES : MEMORY_BYTES]

    def _post(self, kind: PacketKind, payload: bytes) -> None:
        """Send a packet that has a number, and keep it until it is acknowledged."""
        number = self._sequence
        self._sequence = (number + 1) % NUMBERS
        if not self._unanswered:
            self._resends = 0
            self._resend_at = self._loop.time() + RESEND_S
        self._unanswered[number] = kind, payload
        self._transmit(kind, number, payload)

    def _transmit(self, kind: PacketKind, number: int, payload: bytes) -> None:
        connection = self._number + (kind is not PacketKind.SYN)
        room = WINDOW_BYTES - self._ready - len(self._early) * SLOT_BYTES
        header = HEADER.pack(
            kind << 4 | VERSION,
            0,
            connection % NUMBERS,
            _now_us(),
            self._delay_us,
            max(room, 0),
            number,
            self._acknowledged,
        )
        self._datagrams.send(header + payload)

    async def _turn(self, until: float | None) -> None:
        """Take one datagram, or send again what was not acknowledged."""
        soon = self._resend_at if self._unanswered else None
        ends = min((one for one in (soon, until) if one is not None), default=None)
        try:
            count = await self._datagrams.receive_into(self._scratch, until=ends)
        except TimeoutError:
            if until is not None and self._loop.time() >= until:
                raise
            self._resend()
            return
        with self._scratch[:count] as datagram:
            packet = parse(datagram) if count < DATAGRAM_BYTES else None
            if packet is None or not self._is_ours(packet):
                self._nonsense += 1
                if self._nonsense > NONSENSE:
                    raise Lost(Loss.RESET)
                return
            with datagram[packet.payload_at :] as payload:
                self._take(packet, payload)

    def _is_ours(self, packet: Packet) -> bool:
        """Return whether a packet belongs here, and acknowledges only what was sent."""
        ours = packet.connection == self._number
        if packet.kind is PacketKind.RESET:
            return ours or packet.connection == (self._number + 1) % NUMBERS
        sent = ahead((self._sequence - 1) % NUMBERS, packet.acknowledged)
        if not self._is_connected:
            return ours and packet.kind is PacketKind.STATE and packet.acknowledged == 1
        return ours and packet.kind is not PacketKind.SYN and 0 <= sent <= NUMBERS // 4

    def _take(self, packet: Packet, payload: memoryview) -> None:
        if packet.kind is PacketKind.RESET:
            raise Lost(Loss.RESET)
        self._delay_us = (_now_us() - packet.sent_us) % (1 << 32)
        if not self._is_connected:
            self._is_connected = True
            self._acknowledged = (packet.sequence - 1) % NUMBERS
        self._forget(packet.acknowledged)
        if packet.kind is PacketKind.STATE:
            return
        if packet.kind is PacketKind.FIN and self._last is None:
            self._last = packet.sequence
        self._arrive(packet.sequence, payload)
        self._transmit(PacketKind.STATE, self._sequence, b"")

    def _arrive(self, number: int, payload: memoryview) -> None:
        """Take data in its order; what comes early waits, what comes twice is left."""
        if self._last is not None and ahead(number, self._last) > 0:
            return
        distance = ahead(number, (self._acknowledged + 1) % NUMBERS)
        if distance == 0 and self._append(payload):
            self._acknowledged = number
            while (following := (self._acknowledged + 1) % NUMBERS) in self._early:
                slot, length = self._early[following]
                with self._slots[slot * SLOT_BYTES :][:length] as kept:
                    if not self._append(kept):
                        return
                del self._early[following]
                self._acknowledged = following
        elif 0 < distance <= SLOTS and number not in self._early:
            free = set(range(SLOTS)) - {slot for slot, _ in self._early.values()}
            if free and len(payload) <= SLOT_BYTES:
                slot = min(free)
                self._slots[slot * SLOT_BYTES :][: len(payload)] = payload
                self._early[number] = slot, len(payload)

    def _append(self, payload: memoryview) -> bool:
        if len(payload) > WINDOW_BYTES - self._ready:
            return False
        self._window[self._ready : self._ready + len(payload)] = payload
        self._ready += len(payload)
        return True

    def _forget(self, acknowledged: int) -> None:
        """Keep no longer what the peer has."""
        for number in [one for one in self._unanswered if ahead(one, acknowledged) <= 0]:
            del self._unanswered[number]
            self._resends = 0
            self._resend_at = self._loop.time() + RESEND_S

    def _resend(self) -> None:
        if self._resends >= RESENDS:
            raise Lost(Loss.TIMED_OUT)
        self._resends += 1
        self._resend_at = self._loop.time() + RESEND_S * 2**self._resends
        number, (kind, payload) = next(iter(self._unanswered.items()))
        self._transmit(kind, number, payload)


async def call(door: Door, peer: Endpoint, *, until: float | None = None) -> Utp:
    """Return a connection over uTP to ``peer``.

    Raises:
        AuthorityError: Nothing may be sent to it.
        ConfigError: This machine has no sockets, ports or source address for it.
        Lost: Nobody is there.
        TimeoutError: Nobody answered.
    """
    link = Utp(door.datagrams(peer))
    try:
        await link.connect(until)
    except BaseException:
        link.close()
        raise
    return link


def _now_us() -> int:
    return time.monotonic_ns() // 1000 % (1 << 32)
