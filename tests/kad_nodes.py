"""Nodes of Kad made by hand, on addresses of loopback: honest ones, and some that are not."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address

from protech.locate.adapter import Endpoint
from protech.locate.ed2k.kad_messages import (
    BOOTSTRAP,
    BOOTSTRAP_ANSWER,
    FIND,
    FIND_ANSWER,
    KAD,
    SEARCH_ANSWER,
    SEARCH_SOURCES,
    Contact,
    on_the_wire,
)

Answer = Callable[[int, bytes], list[bytes]]
"""What a node sends back for an opcode and its content."""


def packed(contacts: Sequence[Contact]) -> bytes:
    return b"".join(
        on_the_wire(one.node_id)
        + struct.pack("<IHHB", int(one.place.address), one.place.port, 4662, 8)
        for one in contacts
    )


def bootstrap_answer(own: bytes, contacts: Sequence[Contact]) -> bytes:
    head = on_the_wire(own) + struct.pack("<HBH", 4662, 8, len(contacts))
    return bytes([KAD, BOOTSTRAP_ANSWER]) + head + packed(contacts)


def find_answer(file_hash: bytes, contacts: Sequence[Contact]) -> bytes:
    head = bytes([KAD, FIND_ANSWER]) + on_the_wire(file_hash) + bytes([len(contacts)])
    return head + packed(contacts)


def search_answer(file_hash: bytes, sources: Sequence[Endpoint], *, kind: int = 1) -> bytes:
    results = b"".join(
        bytes(16)
        + bytes([4])
        + b"\x09\x01\x00\xff"
        + bytes([kind])
        + b"\x03\x01\x00\xfe"
        + struct.pack("<I", int(one.address))
        + b"\x08\x01\x00\xfd"
        + struct.pack("<H", one.port)
        + b"\x02\x01\x00\x01\x03\x00abc"
        for one in sources
    )
    head = bytes(16) + on_the_wire(file_hash) + struct.pack("<H", len(sources))
    return bytes([KAD, SEARCH_ANSWER]) + head + results


@dataclass
class Node:
    """One node: whom it names, and which sources it keeps."""

    contact: Contact
    names: list[Contact] = field(default_factory=list)
    keeps: list[Endpoint] = field(default_factory=list)
    answer: Answer | None = None
    heard: list[int] = field(default_factory=list)

    def reply(self, op: int, content: bytes) -> list[bytes]:
        if self.answer is not None:
            return self.answer(op, content)
        match op:
            case 0x01:
                return [bootstrap_answer(self.contact.node_id, self.names)]
            case 0x21:
                return [find_answer(on_the_wire(content[1:17]), self.names)]
            case 0x34 if self.keeps:
                return [search_answer(on_the_wire(content[:16]), self.keeps)]
            case _:
                return []


assert (BOOTSTRAP, FIND, SEARCH_SOURCES) == (0x01, 0x21, 0x34)


class _Listens(asyncio.DatagramProtocol):
    def __init__(self, node: Node) -> None:
        self._node = node

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._node.heard.append(data[1])
        for one in self._node.reply(data[1], data[2:]):
            self._transport.sendto(one, addr)


def node(number: int, node_id: bytes, *, port: int) -> Node:
    """Return a node in a network (of 24 bits) of its own."""
    place = Endpoint(address=ip_address(f"127.9.{number}.1"), port=port)
    return Node(contact=Contact(node_id=node_id, place=place))


@asynccontextmanager
async def listening(nodes: Sequence[Node]) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    transports = []
    try:
        for one in nodes:
            where = (str(one.contact.place.address), one.contact.place.port)
            made = await loop.create_datagram_endpoint(partial(_Listens, one), where)
            transports.append(made[0])
        yield
    finally:
        for transport in transports:
            transport.close()
