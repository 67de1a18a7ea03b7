"""Asking eDonkey's servers who has a file: one datagram each, only of the signed key's servers.

Nobody logs in and nothing is offered: servers answer such a question of any client. What they
name is hearsay. Clients that nobody can call ("low id") are left out.
Source: eMule Protocol Specification (Kulbak, Bickson, 2005), section 4.
"""

import asyncio
import struct
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Endpoint
from protech.locate.door import Door
from protech.locate.ed2k.messages import EDONKEY, HASH_BYTES
from protech.locate.loss import Lost

UDP_AFTER_TCP = 4
"""A server answers datagrams four ports above its own."""
LAST_PORT = (1 << 16) - 1

GET_SOURCES = 0x94
"""OP_GLOBGETSOURCES2: with the size, as every server in use takes it."""
FOUND_SOURCES = 0x9B

ANSWER_BYTES = 8192
STRAYS = 64
"""Datagrams that say something else: while they come without end, no time ever runs out."""
SOURCES = 255
"""Of one answer, which counts them in a byte."""
LOW_ID = 1 << 24
"""Below it a client's id is no address: nobody can call it."""
LARGEST = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """How servers are asked."""

    answer_s: float = 4.0
    attempts: int = 2
    apart_s: float = 1.0
    """Between two questions to one server: clients ask no faster."""
    patience_s: float = 15.0
    """A server whose turn comes later is not asked this time."""


class Servers:
    """Asks servers through one door, each no faster than it likes."""

    def __init__(self, door: Door, *, limits: ServerLimits | None = None) -> None:
        """Ask nobody yet."""
        self.skipped = 0
        """How often a server had no turn in time."""
        self._door = door
        self._limits = limits or ServerLimits()
        self._turns: dict[Endpoint, float] = {}

    async def sources(self, key: Ed2kFile) -> AsyncGenerator[Endpoint, None]:
        """Yield whom the servers of a key name, as they answer; one may come twice.

        Raises:
            AuthorityError: The authority does not cover the next packet; it was not sent.
            ConfigError: This machine has no sockets, ports or source address for it.
        """
        places = {server_at(text) for text in key.servers} - {None}
        tasks = [asyncio.ensure_future(self._ask(one, key)) for one in places if one]
        try:
            for done in asyncio.as_completed(tasks):
                for peer in await done:
                    yield peer
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, server: Endpoint, key: Ed2kFile) -> list[Endpoint]:
        for _ in range(self._limits.attempts):
            if not await self._has_turn(server):
                return []
            found = await self._answer(server, key)
            if found is not None:
                return found
        return []

    async def _has_turn(self, server: Endpoint) -> bool:
        now = asyncio.get_running_loop().time()
        turn = max(now, self._turns.get(server, now))
        if turn - now > self._limits.patience_s:
            self.skipped += 1
            return False
        self._turns[server] = turn + self._limits.apart_s
        await asyncio.sleep(turn - now)
        return True

    async def _answer(self, server: Endpoint, key: Ed2kFile) -> list[Endpoint] | None:
        """Return whom a server names; None where it does not answer."""
        memory = bytearray(ANSWER_BYTES)
        until = asyncio.get_running_loop().time() + self._limits.answer_s
        try:
            socket = self._door.datagrams(server)
        except Lost:
            return []
        try:
            socket.send(question(key))
            for _ in range(STRAYS):
                count = await socket.receive_into(memoryview(memory), until=until)
                if bytes(memory[: min(2, count)]) == bytes([EDONKEY, FOUND_SOURCES]):
                    return parse_answer(bytes(memory[:count]), key)
            return []
        except TimeoutError:
            return None
        except Lost:
            return []
        finally:
            socket.close()


def server_at(text: str) -> Endpoint | None:
    """Return where a server answers datagrams; None where a list names none that can be."""
    host, _, port = text.rpartition(":")
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return None
    if not 0 < int(port) <= LAST_PORT - UDP_AFTER_TCP:
        return None
    return Endpoint(address=address, port=int(port) + UDP_AFTER_TCP)


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
                address = IPv4Address(client.to_bytes(4, "little"))
                found.append(Endpoint(address=address, port=port))
    return found
