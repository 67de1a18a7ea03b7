"""Servers are asked one question each, and what they answer is taken for hearsay."""

import asyncio
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import AuthorityError
from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Endpoint
from protech.locate.door import Door, Permit
from protech.locate.ed2k.servers import (
    LARGEST,
    SOURCES,
    STRAYS,
    ServerLimits,
    Servers,
    parse_answer,
    question,
    server_at,
)
from tests import donkeys

KEY = Ed2kFile(md4=donkeys.MD4, aich=bytes(20), size_bytes=5000)
QUICK = ServerLimits(answer_s=0.3, apart_s=0.0)
PEERS = [
    Endpoint(address=ip_address("198.18.0.7"), port=4662),
    Endpoint(address=ip_address("198.18.0.8"), port=1),
]


def answer(*peers: tuple[str, int], md4: bytes = donkeys.MD4) -> bytes:
    packed = b"".join(ip_address(host).packed + struct.pack("<H", port) for host, port in peers)
    return b"\xe3\x9b" + md4 + bytes([len(peers)]) + packed


GOOD = answer(("198.18.0.7", 4662), ("198.18.0.8", 1))


class Server(asyncio.DatagramProtocol):
    """Answers each question with what a test has written, and counts them."""

    def __init__(self, reply: Callable[[int], list[bytes]]) -> None:
        self.heard: list[bytes] = []
        self._reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append(data)
        for one in self._reply(len(self.heard)):
            self._transport.sendto(one, addr)


def asked(
    *replies: Callable[[int], list[bytes]],
    limits: ServerLimits = QUICK,
    permit: Permit = lambda _: None,
    times: int = 1,
) -> tuple[list[list[Endpoint]], list[Server], Servers]:
    async def work() -> tuple[list[list[Endpoint]], list[Server], Servers]:
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_datagram_endpoint(partial(Server, reply), ("127.0.0.1", 0))
            for reply in replies
        ]
        ports = [transport.get_extra_info("sockname")[1] for transport, _ in made]
        texts = tuple(f"127.0.0.1:{port - 4}" for port in ports)
        servers = Servers(Door(permit), limits=limits)
        key = replace(KEY, servers=texts)
        try:
            found = [[one async for one in servers.sources(key)] for _ in range(times)]
        finally:
            for transport, _ in made:
                transport.close()
        return found, [server for _, server in made], servers

    return asyncio.run(work())


def test_who_has_the_file_is_named() -> None:
    found, (server,), _ = asked(lambda _: [GOOD])
    assert found == [PEERS]
    assert server.heard == [b"\xe3\x94" + KEY.md4 + struct.pack("<I", 5000)]


def test_all_servers_are_asked() -> None:
    found, _, _ = asked(lambda _: [GOOD], lambda _: [answer(("198.18.0.9", 5))], lambda _: [])
    assert sorted(one.text for one in found[0]) == [
        "198.18.0.7:4662",
        "198.18.0.8:1",
        "198.18.0.9:5",
    ]


def test_a_lost_question_is_asked_again_and_no_more() -> None:
    found, (server,), _ = asked(lambda count: [GOOD] if count == 2 else [])
    assert (found, len(server.heard)) == ([PEERS], 2)
    found, (server,), _ = asked(lambda _: [b"\xe3\x9d noise"])
    assert (found, len(server.heard)) == ([[]], 2)


def test_what_else_a_server_says_is_passed_over() -> None:
    found, _, _ = asked(lambda _: [b"", b"\xe3", b"noise" * 100, GOOD])
    assert found == [PEERS]


def test_a_server_that_talks_without_end_names_nobody() -> None:
    found, (server,), _ = asked(lambda _: [b"\xe3\x96"] * STRAYS + [GOOD])
    assert found == [[]]
    assert len(server.heard) == 1


def test_a_server_is_not_hurried() -> None:
    slow = ServerLimits(answer_s=0.3, apart_s=60.0, patience_s=15.0)
    found, (server,), servers = asked(lambda _: [GOOD], limits=slow, times=2)
    assert found == [PEERS, []]
    assert (len(server.heard), servers.skipped) == (1, 1)


def test_a_server_that_is_not_there_names_nobody() -> None:
    async def work() -> list[Endpoint]:
        key = replace(KEY, servers=("127.0.0.1:1", "[::ffff]:1", "300.1.1.1:5", "1.1.1.1:0"))
        return [one async for one in Servers(Door(lambda _: None), limits=QUICK).sources(key)]

    assert asyncio.run(work()) == []


def test_from_an_address_of_another_version_none_is_asked() -> None:
    async def work() -> list[Endpoint]:
        door = Door(lambda _: None, source=ip_address("::1"))
        key = replace(KEY, servers=("127.0.0.1:5",))
        return [one async for one in Servers(door, limits=QUICK).sources(key)]

    assert asyncio.run(work()) == []


def test_without_leave_nothing_is_sent() -> None:
    def permit(_: Endpoint) -> None:
        raise AuthorityError("The authorisation has ended.")

    with pytest.raises(AuthorityError):
        asked(lambda _: [GOOD], permit=permit)


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("192.0.2.1:4661", 4665),
        ("[2001:db8::1]:4661", 4665),
        ("192.0.2.1:65531", 65535),
        ("192.0.2.1:65532", None),
        ("192.0.2.999:4661", None),
    ],
)
def test_a_server_answers_four_ports_above_its_own(text: str, port: int | None) -> None:
    found = server_at(text)
    assert (found and found.port) == port


def test_a_large_file_is_asked_for_with_its_size() -> None:
    large = replace(KEY, size_bytes=LARGEST)
    assert question(large)[18:] == bytes(4) + struct.pack("<Q", LARGEST)


def test_only_this_file_and_who_can_be_called_count() -> None:
    other = answer(("198.18.0.9", 5), md4=bytes(16))
    low = answer(("7.0.0.0", 5), ("198.18.0.7", 0))
    assert parse_answer(other + low + GOOD, KEY) == PEERS


def test_an_answer_that_was_cut_names_nobody() -> None:
    assert parse_answer(GOOD[:-1], KEY) == []
    assert parse_answer(GOOD[:18], KEY) == []


def test_no_more_than_a_byte_counts_is_believed() -> None:
    many = answer(*[("198.18.0.7", 1 + at) for at in range(200)])
    assert len(parse_answer(many * 2, KEY)) == SOURCES


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_nothing(data: bytes) -> None:
    for one in parse_answer(b"\xe3\x9b" + KEY.md4 + data, KEY):
        assert 0 < one.port < 1 << 16
