"""The lab's server of eDonkey: log in, offer, and be named to whoever asks."""

import asyncio
import os
import struct
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.lists.fetch_key import Ed2kFile
from protech.locate.door import Door
from protech.locate.ed2k.servers import ServerLimits, Servers
from protech.locate.lab import ed2k_server
from protech.locate.lab.ed2k_server import Offers, message, offered, serve, server_list
from protech.locate.lab.trackers import Place

HASH = b"h" * 16
NUMBERS = count(1)
HERE, OTHER = ("127.0.0.5", 4662), ("127.0.0.66", 9100)
LOGIN = message(0x01, bytes(16) + struct.pack("<IHI", 0, 4662, 0))
TAGS = (
    b"\x02\x01\x00\x01\x03\x00abc"
    b"\x83\x02" + bytes(4) + b"\x88\x15\x00\x00" + b"\x89\x15\x00" + b"\x94\x01abcd"
)
OFFER = HASH + struct.pack("<IHI", 0, 0, 5) + TAGS


def test_who_offers_is_named_until_it_leaves() -> None:
    offers = Offers()
    offers.offer(HASH, HERE)
    assert offers.named(HASH) == [HERE]
    assert offers.named(bytes(16)) == []
    offers.leave(HERE)
    assert offers.named(HASH) == []


def test_a_poisoned_server_names_its_victims_for_everything() -> None:
    offers = Offers([OTHER] * 300)
    assert len(offers.named(bytes(16))) == ed2k_server.NAMED


def test_offers_are_read_up_to_what_is_unreadable() -> None:
    assert offered(struct.pack("<I", 2) + OFFER + OFFER) == [HASH, HASH]
    assert offered(struct.pack("<I", 2) + OFFER + OFFER[:-1]) == [HASH, HASH]
    assert offered(struct.pack("<I", 2) + OFFER + OFFER[:20]) == [HASH]
    assert offered(b"") == []


@given(st.binary(max_size=100))
def test_any_bytes_are_offers_or_none(content: bytes) -> None:
    assert all(len(one) <= 16 for one in offered(b"\x05\0\0\0" + content))


def free_place() -> Place:
    """Return an address of loopback that no other test has."""
    return f"127.{50 + os.getpid() % 200}.{next(NUMBERS)}.1", 4661


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def named(place: Place) -> list[str]:
    key = Ed2kFile(md4=HASH, aich=bytes(20), size_bytes=5, servers=(f"{place[0]}:{place[1]}",))
    servers = Servers(Door(lambda _: None), limits=ServerLimits(answer_s=0.3, apart_s=0.0))
    return [one.text async for one in servers.sources(key)]


def test_a_client_that_logs_in_and_offers_is_named() -> None:
    async def work() -> None:
        place = free_place()
        async with serve(place, Offers()) as questions:
            reader, writer = await asyncio.open_connection(*place)
            writer.write(message(0x15, struct.pack("<I", 1) + OFFER))  # before it logs in
            writer.write(LOGIN + message(0x77, b"") + message(0x15, bytes(4)))
            writer.write(message(0x15, struct.pack("<I", 1) + OFFER))
            head = await reader.readexactly(6)
            assert head[5] == ed2k_server.SERVER_MESSAGE
            rest = await reader.read(1000)
            assert bytes([ed2k_server.ID_CHANGE, 127, 0, 0, 1]) in rest
            await asyncio.sleep(0)
            while not await named(place):
                pass
            assert await named(place) == ["127.0.0.1:4662"]
            await closed(writer)
            while await named(place):
                pass
            assert questions.asked > 2

    asyncio.run(work())


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n", b"\xe3\0\0\0\0", LOGIN[:9], b""])
def test_who_does_not_log_in_is_sent_away(said: bytes) -> None:
    async def work() -> bytes:
        place = free_place()
        async with serve(place, Offers()):
            reader, writer = await asyncio.open_connection(*place)
            writer.write(said)
            writer.write_eof()
            heard = await reader.read()
            await closed(writer)
            return heard

    assert asyncio.run(work()) == b""


def test_what_is_no_question_is_left_alone() -> None:
    async def work() -> int:
        loop = asyncio.get_running_loop()
        place = free_place()
        async with serve(place, Offers([OTHER])) as questions:
            transport, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=(place[0], place[1] + 4)
            )
            transport.sendto(b"noise")
            transport.sendto(b"\xe3\x94short")
            assert await named(place) == ["127.0.0.66:9100"]
            transport.close()
            return questions.asked

    assert asyncio.run(work()) == 1


def test_clients_read_where_the_server_is() -> None:
    assert server_list(("127.0.0.5", 4661))[5:11] == bytes([127, 0, 0, 5]) + b"\x35\x12"
