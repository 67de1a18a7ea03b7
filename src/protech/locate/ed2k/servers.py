"""Asking eDonkey's servers who has a file: one datagram each, only of the signed key's servers.

Nobody logs in and nothing is offered: servers answer such a question of any client.
Source: eMule Protocol Specification (Kulbak, Bickson, 2005), section 4.
"""

import asyncio
import struct
from collections.abc import AsyncGenerator
from ipaddress import IPv4Address, ip_address

from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Candidate, Endpoint, Source, Target
from protech.locate.door import Door
from protech.locate.ed2k.messages import EDONKEY, HASH_BYTES
from protech.locate.loss import Lost

UDP_AFTER_TCP = 4
"""A server answers datagrams four ports above its own."""

GET_SOURCES = 0x94
"""OP_GLOBGETSOURCES2: with the size, as every server in use takes it."""
FOUND_SOURCES = 0x9B

ANSWER_S = 4.0
ATTEMPTS = 2
ANSWER_BYTES = 8192
SOURCES = 255
LOW_ID = 1 << 24
"""Below it a client's id is no address: nobody can call it."""
LARGEST = 1 << 32


async def sources(door: Door, target: Target) -> AsyncGenerator[Candidate, None]:
    """Yield who servers name for a target, each once.

    Raises:
        AuthorityError: The authority does not cover the next packet; it was not sent.
        TypeError: The target is none of eDonkey.
    """
    key = target.key
    if not isinstance(key, Ed2kFile):
        raise TypeError("the target is none of eDonkey")
    seen: set[Endpoint] = set()
    for server in key.servers:
        for peer in await ask(door, server_at(server), key):
            if peer not in seen:
                seen.add(peer)
                yield Candidate(endpoint=peer, source=Source.SERVER)


def server_at(text: str) -> Endpoint:
    """Return where a server answers datagrams."""
    host, _, port = text.rpartition(":")
    return Endpoint(address=ip_address(host.strip("[]")), port=int(port) + UDP_AFTER_TCP)


def question(key: Ed2kFile) -> bytes:
    """Return the datagram that asks for the sources of a file."""
    if key.size_bytes < LARGEST:
        size = struct.pack("<I", key.size_bytes)
    else:
        size = struct.pack("<IQ", 0, key.size_bytes)
    return bytes([EDONKEY, GET_SOURCES]) + key.md4 + size


def parse_answer(datagram: bytes, key: Ed2kFile) -> list[Endpoint]:
    """Return the peers that a server names; nothing where it answers something else.

    One datagram may hold the answers for several files; only those for this one count.
    """
    found: list[Endpoint] = []
    at = 0
    while datagram[at : at + 2] == bytes([EDONKEY, FOUND_SOURCES]):
        at += 2
        is_ours = datagram[at : at + HASH_BYTES] == key.md4
        at += HASH_BYTES
        count = datagram[at] if at < len(datagram) else 0
        at += 1
        if len(datagram) - at < 6 * count:
            break
        for _ in range(count):
            client, port = struct.unpack_from("<IH", datagram, at)
            at += 6
            if is_ours and client >= LOW_ID and port and len(found) < SOURCES:
                found.append(
                    Endpoint(address=IPv4Address(client.to_bytes(4, "little")), port=port)
                )
    return found


async def ask(door: Door, server: Endpoint, key: Ed2kFile) -> list[Endpoint]:
    """Return whom one server names; nothing where it does not answer.

    Raises:
        AuthorityError: The authority does not cover it; nothing was sent.
    """
    loop = asyncio.get_running_loop()
    memory = bytearray(ANSWER_BYTES)
    try:
        socket = door.datagrams(server)
    except Lost:
        return []
    try:
        for _ in range(ATTEMPTS):
            socket.send(question(key))
            until = loop.time() + ANSWER_S
            while True:
                try:
                    count = await socket.receive_into(memoryview(memory), until=until)
                except TimeoutError:
                    break
                if bytes(memory[:2]) == bytes([EDONKEY, FOUND_SOURCES]):
                    return parse_answer(bytes(memory[:count]), key)
    except Lost:
        return []
    finally:
        socket.close()
    return []
