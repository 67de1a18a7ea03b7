"""The door asks before every packet, and tells a peer that is not there from our own lack."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest

from protech.errors import AuthorityError, ConfigError
from protech.locate.adapter import Endpoint
from protech.locate.door import Door
from protech.locate.loss import Loss, Lost

HERE = "127.0.0.1"


def allow(peer: Endpoint) -> None:
    pass


def refuse(peer: Endpoint) -> None:
    raise AuthorityError("The authorisation does not cover it.")


class AllowedOnce:
    """Leave for so many packets, and not one more."""

    def __init__(self, count: int) -> None:
        self.left = count

    def __call__(self, peer: Endpoint) -> None:
        if self.left == 0:
            raise AuthorityError("The authorisation has ended.")
        self.left -= 1


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def endpoint(host: str, port: int) -> Endpoint:
    return Endpoint(address=ip_address(host), port=port)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((HERE, 0)) as opened:
        yield opened


def peer_of(opened: socket.socket) -> Endpoint:
    return endpoint(*opened.getsockname()[:2])


def run[T](work: Callable[[], Awaitable[T]]) -> T:
    async def limited() -> T:
        async with asyncio.timeout(20):
            return await work()

    return asyncio.run(limited())


async def accepted(listener: socket.socket) -> socket.socket:
    listener.setblocking(False)
    other, _ = await asyncio.get_running_loop().sock_accept(listener)
    return other


def test_what_is_sent_arrives_and_the_answer_is_received_where_we_say(
    listener: socket.socket,
) -> None:
    async def work() -> tuple[bytes, bytes, Endpoint, Endpoint]:
        stream = await Door(allow).connect(peer_of(listener))
        other = await accepted(listener)
        await stream.send(b"question")
        asked = await asyncio.get_running_loop().sock_recv(other, 100)
        other.sendall(b"answer")
        memory = bytearray(100)
        count = await stream.receive_into(memoryview(memory)[10:])
        theirs = endpoint(*other.getpeername())
        stream.close()
        other.close()
        return asked, bytes(memory[10 : 10 + count]), theirs, stream.local

    asked, answered, theirs, ours = run(work)
    assert (asked, answered) == (b"question", b"answer")
    assert theirs == ours


def test_a_long_message_is_sent_whole(listener: socket.socket) -> None:
    data = os.urandom(8 << 20)

    async def work() -> bytes:
        stream = await Door(allow).connect(peer_of(listener))
        other = await accepted(listener)
        sending = asyncio.create_task(stream.send(data))
        got = bytearray()
        while len(got) < len(data):
            got += await asyncio.get_running_loop().sock_recv(other, 1 << 20)
        await sending
        stream.close()
        other.close()
        return bytes(got)

    assert run(work) == data


def test_the_end_of_a_stream_is_no_bytes_and_a_reset_is_a_loss(
    listener: socket.socket,
) -> None:
    async def work() -> None:
        memory = memoryview(bytearray(10))
        stream = await Door(allow).connect(peer_of(listener))
        (await accepted(listener)).close()
        assert await stream.receive_into(memory) == 0
        stream.close()
        stream = await Door(allow).connect(peer_of(listener))
        other = await accepted(listener)
        linger = (1).to_bytes(4, "little") + bytes(4)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        other.close()
        with pytest.raises(Lost) as lost:
            await stream.receive_into(memory)
        assert lost.value.loss is Loss.RESET
        with pytest.raises(Lost):
            await stream.send(b"more")
        stream.close()

    run(work)


def test_nothing_is_read_while_nobody_reads(listener: socket.socket) -> None:
    async def work() -> bytes:
        memory = bytearray(4)
        stream = await Door(allow).connect(peer_of(listener))
        other = await accepted(listener)
        other.sendall(b"onetwo")
        await stream.receive_into(memoryview(memory)[:3])
        turns = asyncio.create_task(asyncio.sleep(0.01))  # the loop turns, and reads nothing
        await turns
        count = await stream.receive_into(memoryview(memory))
        stream.close()
        other.close()
        return bytes(memory[:count])

    assert run(work) == b"two"


def test_a_closed_port_refuses(listener: socket.socket) -> None:
    peer = peer_of(listener)
    listener.close()

    async def work() -> None:
        with pytest.raises(Lost) as lost:
            await Door(allow).connect(peer)
        assert lost.value.loss is Loss.REFUSED
        datagrams = Door(allow).datagrams(peer)
        datagrams.send(b"anybody")
        with pytest.raises(Lost) as lost:
            await datagrams.receive_into(memoryview(bytearray(10)))
        assert lost.value.loss is Loss.REFUSED
        datagrams.close()

    run(work)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 0), ("255.255.255.255", 9)])
def test_where_no_peer_can_be_none_is_reached(host: str, port: int) -> None:
    async def work() -> None:
        door = Door(allow)
        with pytest.raises(Lost) as lost:
            await door.connect(endpoint(host, port))
        assert lost.value.loss is Loss.UNREACHABLE

    run(work)


def test_a_source_of_the_other_family_reaches_nobody() -> None:
    async def work() -> None:
        with pytest.raises(Lost):
            await Door(allow, source=ip_address("::1")).connect(endpoint(HERE, 9))

    run(work)


def test_packets_leave_from_the_source_address(listener: socket.socket) -> None:
    async def work() -> None:
        door = Door(allow, source=ip_address("127.0.0.9"))
        stream = await door.connect(peer_of(listener))
        other = await accepted(listener)
        assert other.getpeername() == ("127.0.0.9", stream.local.port)
        stream.close()
        other.close()

    run(work)


def test_a_source_that_this_machine_has_not_is_the_operators_to_repair() -> None:
    async def work() -> None:
        door = Door(allow, source=ip_address("192.0.2.7"))
        with pytest.raises(ConfigError, match="source address"):
            await door.connect(endpoint("192.0.2.8", 9))
        with pytest.raises(ConfigError, match="source address"):
            door.datagrams(endpoint("192.0.2.8", 9))

    run(work)


def test_ipv6_is_spoken() -> None:
    async def work() -> None:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
            stream = await Door(allow, source=ip_address("::1")).connect(peer_of(listener))
            assert stream.local.address == ip_address("::1")
            stream.close()

    run(work)


def test_a_datagram_goes_there_and_back_and_only_the_peer_is_heard() -> None:
    async def work() -> bytes:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
        ):
            peer.bind((HERE, 0))
            door = Door(allow)
            datagrams = door.datagrams(peer_of(peer))
            datagrams.send(b"question")
            asked, name = peer.recvfrom(100)
            assert asked == b"question"
            stranger.sendto(b"lie", name)
            peer.sendto(b"answer", name)
            memory = bytearray(100)
            count = await datagrams.receive_into(memoryview(memory))
            datagrams.close()
            datagrams.close()
            with pytest.raises(Lost):
                await datagrams.receive_into(memoryview(memory))
            assert (door.connects, door.writes, door.datagrams_sent) == (0, 0, 1)
            return bytes(memory[:count])

    assert run(work) == b"answer"


def test_without_leave_no_packet_is_sent(listener: socket.socket) -> None:
    async def work() -> None:
        door = Door(refuse)
        with pytest.raises(AuthorityError):
            await door.connect(peer_of(listener))
        with pytest.raises(AuthorityError):
            door.datagrams(peer_of(listener))
        assert (door.connects, door.writes, door.datagrams_sent) == (0, 0, 0)

    run(work)
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_leave_is_asked_again_for_each_write_and_datagram(listener: socket.socket) -> None:
    async def work() -> None:
        stream = await (door := Door(AllowedOnce(2))).connect(peer_of(listener))
        other = await accepted(listener)
        await stream.send(b"one")
        with pytest.raises(AuthorityError):
            await stream.send(b"two")
        assert await asyncio.get_running_loop().sock_recv(other, 100) == b"one"
        assert (door.connects, door.writes) == (1, 1)
        stream.close()
        other.close()
        datagrams = (door := Door(AllowedOnce(1))).datagrams(peer_of(listener))
        with pytest.raises(AuthorityError):
            datagrams.send(b"one")
        assert door.datagrams_sent == 0
        datagrams.close()

    run(work)


def test_a_connection_that_is_given_up_leaves_no_socket_open() -> None:
    async def work() -> None:
        with socket.create_server((HERE, 0), backlog=0) as full:
            door = Door(allow)
            streams = []
            before = open_files()
            with suppress(TimeoutError):
                until = asyncio.get_running_loop().time() + 0.05
                while True:
                    streams.append(await door.connect(peer_of(full), until=until))
            assert open_files() == before + len(streams)
            for stream in streams:
                stream.close()

    run(work)


def test_a_reader_is_told_when_its_stream_is_closed(listener: socket.socket) -> None:
    async def work() -> None:
        stream = await Door(allow).connect(peer_of(listener))
        reading = asyncio.create_task(stream.receive_into(memoryview(bytearray(10))))
        await asyncio.sleep(0)
        stream.close()
        with pytest.raises(Lost):
            await reading

    run(work)


def test_what_comes_after_a_deadline_is_read_by_the_next_reader(
    listener: socket.socket,
) -> None:
    async def work() -> bytes:
        memory = memoryview(bytearray(100))
        stream = await Door(allow).connect(peer_of(listener))
        other = await accepted(listener)
        with pytest.raises(TimeoutError):
            await stream.receive_into(memory, until=0)
        other.sendall(b"late")
        count = await stream.receive_into(memory, until=asyncio.get_running_loop().time() + 9)
        stream.close()
        other.close()
        return bytes(memory[:count])

    assert run(work) == b"late"


def test_a_connection_that_was_dialled_is_given_up_or_handed_over_once(
    listener: socket.socket,
) -> None:
    async def work() -> None:
        door = Door(allow)
        before = open_files()
        with door.dial(peer_of(listener)):
            assert open_files() == before + 1
        assert open_files() == before
        with door.dial(peer_of(listener)) as dialled:
            stream = await dialled.stream()
            with pytest.raises(Lost):
                await dialled.stream()
        stream.shelter(memoryview(b""))
        await stream.send(b"it stands")
        stream.close()
        assert door.connects == 2

    run(work)
