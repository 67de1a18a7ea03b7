"""A look-up in Kad comes nearer and ends, whatever nodes say; it only ever asks."""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise

import pytest

from protech.errors import AuthorityError
from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Address, Endpoint
from protech.locate.door import Door, Permit
from protech.locate.ed2k.kad import Kad, KadLimits
from protech.locate.ed2k.kad_messages import Contact
from tests import donkeys, kad_nodes
from tests.kad_nodes import Node

KEY = Ed2kFile(md4=donkeys.MD4, aich=bytes(20), size_bytes=5000)
QUICK = KadLimits(answer_s=0.3, more_s=0.1, apart_s=0.0)
SOURCE = Endpoint(address=ip_address("198.18.0.7"), port=4662)
PORT = 20000 + os.getpid() % 20000


def near(distance: int) -> bytes:
    """Return a node's number at so far from the file."""
    return (int.from_bytes(KEY.md4) ^ distance).to_bytes(16)


def chain(length: int) -> list[Node]:
    """Return nodes that each know the next nearer one; the nearest keeps a source."""
    nodes = [
        kad_nodes.node(number, near(1 << (120 - number)), port=PORT) for number in range(length)
    ]
    for one, nearer in pairwise(nodes):
        one.names = [nearer.contact, one.contact, nodes[0].contact]
    nodes[-1].keeps = [SOURCE]
    return nodes


def asked(
    nodes: Sequence[Node],
    *,
    first: Sequence[Endpoint] | None = None,
    limits: KadLimits = QUICK,
    permit: Permit = lambda _: None,
    may_ask: Callable[[Address], bool] = lambda _: True,
) -> tuple[list[Endpoint], Kad]:
    async def work() -> tuple[list[Endpoint], Kad]:
        start = [nodes[0].contact.place] if first is None else first
        kad = Kad(Door(permit), start, may_ask=may_ask, limits=limits)
        async with asyncio.timeout(60), kad_nodes.listening(nodes):
            return [one async for one in kad.sources(KEY)], kad

    return asyncio.run(work())


def test_the_nearest_node_names_the_sources() -> None:
    nodes = chain(8)
    found, _ = asked(nodes)
    assert found == [SOURCE]
    assert all(one.heard.count(0x21) == 1 for one in nodes)


def test_it_only_ever_asks() -> None:
    nodes = chain(5)
    asked(nodes)
    assert {op for one in nodes for op in one.heard} == {0x01, 0x21, 0x34}


def test_without_first_nodes_or_with_dead_ones_nobody_is_named() -> None:
    assert asked(chain(2), first=[])[0] == []
    dead = Endpoint(address=ip_address("127.9.250.1"), port=PORT)
    assert asked(chain(2), first=[dead])[0] == []
    nowhere = Endpoint(address=ip_address("127.9.250.1"), port=0)
    assert asked(chain(2), first=[nowhere])[0] == []


def test_one_dead_first_node_does_not_matter() -> None:
    nodes = chain(3)
    dead = Endpoint(address=ip_address("127.9.250.1"), port=PORT)
    assert asked(nodes, first=[dead, nodes[0].contact.place])[0] == [SOURCE]


def test_nodes_that_name_each_other_are_asked_once() -> None:
    nodes = chain(6)
    for one in nodes:
        one.names = [other.contact for other in nodes]
    _, kad = asked(nodes)
    assert kad.questions == 1 + 6 + 6


def test_a_flood_of_nodes_ends() -> None:
    def flood(op: int, content: bytes) -> list[bytes]:
        made = [
            Contact(
                node_id=os.urandom(16),
                place=Endpoint(address=ip_address(f"127.8.{os.urandom(1)[0]}.9"), port=PORT),
            )
            for _ in range(32)
        ]
        return [
            kad_nodes.find_answer(KEY.md4, made)
            if op == 0x21
            else kad_nodes.bootstrap_answer(near(5), made)
        ]

    nodes = chain(1)
    nodes[0].answer = flood
    _, kad = asked(nodes, limits=replace(QUICK, questions=12, answer_s=0.05))
    assert kad.questions <= 1 + 12 + 10


def test_few_nodes_of_one_network_are_asked() -> None:
    nodes = chain(1)
    crowd = [
        Contact(
            node_id=near(number),
            place=Endpoint(address=ip_address(f"127.9.99.{number}"), port=PORT),
        )
        for number in range(1, 20)
    ]
    nodes[0].names = crowd
    _, kad = asked(nodes, limits=replace(QUICK, in_a_network=2, answer_s=0.05))
    assert kad.questions == 1 + 1 + 2 + 1


def test_who_may_not_be_spoken_to_is_not_asked() -> None:
    nodes = chain(4)
    barred = nodes[2].contact.place.address
    found, _ = asked(nodes, may_ask=lambda one: one != barred)
    assert found == []
    assert nodes[2].heard == []


def test_far_nodes_are_not_asked_once_enough_near_ones_answered() -> None:
    nodes = chain(8)
    nodes[0].names = [one.contact for one in nodes]
    limits = replace(QUICK, searched=2, at_a_time=1)
    found, _ = asked(nodes, limits=limits)
    assert found == [SOURCE]
    assert sum(0x21 in one.heard for one in nodes) == 2


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\xe4",
        b"\xe5\x29noise",
        b"\xe4\x09short",
        b"\xe4\x29" + bytes(40),
        b"\xe4\x3b" + bytes(40),
        b"\xe4\x77",
    ],
)
def test_garbage_from_nodes_is_passed_over(reply: bytes) -> None:
    nodes = chain(3)
    noisy = kad_nodes.node(50, near(1), port=PORT)
    noisy.answer = lambda op, content: [reply] * 3
    nodes[0].names.append(noisy.contact)
    found, _ = asked([*nodes, noisy], first=[noisy.contact.place, nodes[0].contact.place])
    assert found == [SOURCE]


def test_sources_come_in_several_datagrams_and_not_without_end() -> None:
    nodes = chain(1)
    usual = Node(contact=nodes[0].contact)

    def many(op: int, content: bytes) -> list[bytes]:
        if op != 0x34:
            return usual.reply(op, content)
        return [kad_nodes.search_answer(KEY.md4, [SOURCE] * 5)] * 50

    nodes[0].answer = many
    assert len(asked(nodes, limits=replace(QUICK, datagrams=4))[0]) == 20
    assert len(asked(nodes, limits=replace(QUICK, datagrams=4, sources=7))[0]) == 7


def test_without_leave_nothing_is_sent() -> None:
    left = [3]

    def permit(_: Endpoint) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise AuthorityError("The authorisation has ended.")

    nodes = chain(3)
    with pytest.raises(AuthorityError):
        asked(nodes, permit=permit)
    assert sum(len(one.heard) for one in nodes) <= 2


def test_questions_are_apart() -> None:
    waits: list[float] = []

    async def work() -> None:
        kad = Kad(Door(lambda _: None), [], may_ask=lambda _: True)
        loop = asyncio.get_running_loop()
        for _ in range(3):
            await kad._take_turn(loop)
            waits.append(kad._turn)

    asyncio.run(work())
    assert waits[2] - waits[0] >= 2 * KadLimits().apart_s - 1e-6  # floats of a large clock
