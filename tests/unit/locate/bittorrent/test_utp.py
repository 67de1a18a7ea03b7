"""uTP against a peer that a test writes: lost, doubled, early and forged packets."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import AuthorityError
from protech.locate.adapter import Endpoint
from protech.locate.bittorrent import utp
from protech.locate.bittorrent.utp import Utp
from protech.locate.bittorrent.utp_packets import HEADER, Packet, PacketKind, parse
from protech.locate.loss import Loss, Lost
from tests import spoken

START = 5000
CONTENT = spoken.content(8, 30_000)


class Wire:
    """Datagrams to a peer, which ``answer`` speaks for; nothing comes by itself."""

    peer = spoken.PEER
    local = spoken.OURS

    def __init__(self, answer: Callable[["Wire", Packet, bytes], None]) -> None:
        self.sent: list[Packet] = []
        self.coming: list[bytes] = []
        self.is_closed = False
        self.number = 0
        self._answer = answer

    def send(self, data: bytes) -> None:
        packet = parse(memoryview(data))
        assert packet is not None
        if packet.kind is PacketKind.SYN:
            self.number = packet.connection
        self.sent.append(packet)
        self._answer(self, packet, data[packet.payload_at :])

    async def receive_into(self, memory: memoryview, *, until: float | None = None) -> int:
        await asyncio.sleep(0)
        if not self.coming:
            raise TimeoutError
        data = self.coming.pop(0)[: len(memory)]
        memory[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.is_closed = True

    def say(
        self,
        kind: PacketKind,
        sequence: int,
        acknowledged: int,
        payload: bytes = b"",
        connection: int | None = None,
    ) -> None:
        number = self.number if connection is None else connection
        header = HEADER.pack(
            kind << 4 | 1, 0, number, 7, 0, 1 << 20, sequence % 65536, acknowledged % 65536
        )
        self.coming.append(header + payload)


def accept(wire: Wire, packet: Packet, payload: bytes) -> None:
    """Accept, and acknowledge what comes."""
    if packet.kind is PacketKind.SYN or packet.kind is PacketKind.DATA:
        wire.say(PacketKind.STATE, START, packet.sequence)


class FakeDoor:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def datagrams(self, peer: Endpoint) -> Any:
        return self.wire


def talk[T](wire: Wire, then: Callable[[Utp], Awaitable[T]]) -> T:
    async def work() -> T:
        link = await utp.call(FakeDoor(wire), spoken.PEER, until=None)  # type: ignore[arg-type]
        return await then(link)

    return asyncio.run(work())


async def read_all(link: Utp, size: int = 1 << 20) -> bytes:
    """Read until the end, or until nothing more comes."""
    got = bytearray()
    memory = memoryview(bytearray(5000))
    while len(got) < size:
        try:
            count = await link.receive_into(memory, until=asyncio.get_running_loop().time())
        except TimeoutError:
            break
        if count == 0:
            break
        got += memory[:count]
    return bytes(got)


def packets_of(content: bytes, size: int = 1000) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


def test_what_is_sent_arrives_in_packets() -> None:
    heard: dict[int, bytes] = {}

    def answer(wire: Wire, packet: Packet, payload: bytes) -> None:
        accept(wire, packet, payload)
        if packet.kind is PacketKind.DATA:
            heard[packet.sequence] = payload

    async def then(link: Utp) -> None:
        await link.send(CONTENT)
        link.close()
        link.close()

    wire = Wire(answer)
    talk(wire, then)
    assert b"".join(heard.values()) == CONTENT
    assert list(heard) == list(range(2, 2 + len(heard)))
    assert wire.sent[-1].kind is PacketKind.FIN
    assert wire.is_closed
    assert all(packet.connection == (wire.number + 1) % 65536 for packet in wire.sent[1:])


def test_packets_without_end_do_not_outlast_a_deadline() -> None:
    async def read(link: Utp) -> None:
        for _ in range(1_000):
            wire.say(PacketKind.STATE, START, 1)
        began = len(wire.coming)
        with pytest.raises(TimeoutError):
            await link.receive_into(memoryview(bytearray(9)), until=0.0)
        assert len(wire.coming) == began

    wire = Wire(accept)
    talk(wire, read)


@given(st.randoms(use_true_random=False), st.integers(0, 3))
def test_in_whichever_order_packets_come_they_are_read_in_theirs(
    chance: random.Random, doubled: int
) -> None:
    parts = packets_of(CONTENT[:12_000])
    order = [*range(len(parts))] * (1 + doubled)
    chance.shuffle(order)

    async def then(link: Utp) -> bytes:
        for number in order:
            wire.say(PacketKind.DATA, START + number, 1, parts[number])
        first = await read_all(link)
        # What did not fit is sent again by the peer, as it was not acknowledged.
        for number, part in enumerate(parts):
            wire.say(PacketKind.DATA, START + number, 1, part)
        return first + await read_all(link)

    wire = Wire(accept)
    assert talk(wire, then) == CONTENT[:12_000]
    assert wire.sent[-1].acknowledged == START + len(parts) - 1


def test_numbers_go_round() -> None:
    def answer(wire: Wire, packet: Packet, payload: bytes) -> None:
        if packet.kind is PacketKind.SYN:
            wire.say(PacketKind.STATE, 65_533, 1)
            for number, part in enumerate(packets_of(CONTENT[:8000])):
                wire.say(PacketKind.DATA, 65_533 + number, 1, part)

    assert talk(Wire(answer), read_all) == CONTENT[:8000]


def test_the_end_is_read_behind_all_that_came_before() -> None:
    async def then(link: Utp) -> bytes:
        wire.say(PacketKind.FIN, START + 1, 1)
        wire.say(PacketKind.DATA, START + 5, 1, b"behind the end")
        wire.say(PacketKind.DATA, START, 1, b"last words")
        memory = memoryview(bytearray(100))
        count = await link.receive_into(memory)
        assert await link.receive_into(memory) == 0
        return bytes(memory[:count])

    wire = Wire(accept)
    assert talk(wire, then) == b"last words"


def test_the_window_says_how_much_there_is_room_for_and_no_more_is_taken() -> None:
    async def then(link: Utp) -> int:
        for number in range(100):
            wire.say(PacketKind.DATA, START + number, 1, bytes(1000))
        with suppress(TimeoutError):
            while True:
                await link._turn(0)
        return link._ready

    wire = Wire(accept)
    assert talk(wire, then) <= utp.WINDOW_BYTES
    assert wire.sent[-1].window < 1000
    assert wire.sent[-1].acknowledged < START + 50


FORGED = [
    (PacketKind.DATA, START, 1, b"forged", 1),  # of another connection
    (PacketKind.RESET, START, 1, b"", 2),
    (PacketKind.DATA, START, 30_000, b"forged", 0),  # acknowledges what was never sent
    (PacketKind.SYN, START, 1, b"", 0),
    (PacketKind.DATA, START + 30_000, 1, b"forged", 0),
    (PacketKind.DATA, START - 1, 1, b"forged", 0),
]


@pytest.mark.parametrize("forged", FORGED)
def test_packets_that_do_not_belong_are_left(
    forged: tuple[PacketKind, int, int, bytes, int],
) -> None:
    kind, sequence, acknowledged, payload, off = forged

    async def then(link: Utp) -> bytes:
        connection = (wire.number + 7 * off) % 65536
        wire.say(kind, sequence, acknowledged, payload, connection)
        wire.say(PacketKind.DATA, START, 1, b"true")
        return await read_all(link)

    wire = Wire(accept)
    assert talk(wire, then) == b"true"


def test_a_reset_is_a_loss() -> None:
    async def then(link: Utp) -> None:
        wire.say(PacketKind.RESET, START, 1)
        with pytest.raises(Lost) as lost:
            await link.receive_into(memoryview(bytearray(10)))
        assert lost.value.loss is Loss.RESET

    wire = Wire(accept)
    talk(wire, then)


def test_nonsense_is_borne_for_a_while() -> None:
    async def then(link: Utp) -> None:
        wire.coming += [b"nonsense", bytes(5000)] * utp.NONSENSE
        with pytest.raises(Lost):
            await link.receive_into(memoryview(bytearray(10)))

    wire = Wire(accept)
    talk(wire, then)


def test_a_peer_that_says_nothing_is_called_again_and_then_given_up() -> None:
    wire = Wire(lambda *_: None)
    with pytest.raises(Lost) as lost:
        talk(wire, read_all)
    assert lost.value.loss is Loss.TIMED_OUT
    assert [packet.kind for packet in wire.sent] == [PacketKind.SYN] * (1 + utp.RESENDS)
    assert wire.is_closed


def test_what_is_not_acknowledged_is_sent_again() -> None:
    heard: list[int] = []

    def answer(wire: Wire, packet: Packet, payload: bytes) -> None:
        if packet.kind is PacketKind.DATA:
            heard.append(packet.sequence)
        if packet.kind is not PacketKind.DATA or heard.count(packet.sequence) > 1:
            accept(wire, packet, payload)

    async def then(link: Utp) -> None:
        await link.send(b"one")
        with suppress(TimeoutError):
            while True:
                await link._turn(None if link._unanswered else 0)

    talk(Wire(answer), then)
    assert heard == [2, 2]


def test_in_a_shelter_everything_is_kept_there() -> None:
    memory = bytearray(utp.MEMORY_BYTES)

    async def then(link: Utp) -> bytes:
        wire.say(PacketKind.DATA, START, 1, b"before ")
        await link._turn(None)
        with memoryview(memory) as shelter:
            link.shelter(shelter)
            for number, part in ((2, b"shelter"), (1, b"in the ")):
                wire.say(PacketKind.DATA, START + number, 1, part)
            got = await read_all(link)
            assert b"shelter" in memory
            link.close()
        return got

    wire = Wire(accept)
    assert talk(wire, then) == b"before in the shelter"


def test_a_shelter_that_is_too_small_is_refused() -> None:
    async def then(link: Utp) -> None:
        with pytest.raises(ValueError, match="small"):
            link.shelter(memoryview(bytearray(10)))

    talk(Wire(accept), then)


def test_where_nothing_may_be_sent_it_is_closed_in_silence() -> None:
    def answer(wire: Wire, packet: Packet, payload: bytes) -> None:
        if packet.kind is PacketKind.FIN:
            raise AuthorityError("The authorisation has ended.")
        accept(wire, packet, payload)

    async def then(link: Utp) -> None:
        link.close()

    wire = Wire(answer)
    talk(wire, then)
    assert wire.is_closed


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_whatever_datagrams_come_nothing_is_read_that_is_not_in_order(
    datagrams: list[bytes],
) -> None:
    async def then(link: Utp) -> bytes:
        assert (link.peer, link.local) == (spoken.PEER, spoken.OURS)
        for one in datagrams:
            wire.coming.append(one)
            wire.coming.append(b"\1\0" + wire.number.to_bytes(2) + one)
        try:
            return await read_all(link)
        except Lost:
            return b""

    wire = Wire(accept)
    assert len(talk(wire, then)) <= sum(map(len, datagrams))
