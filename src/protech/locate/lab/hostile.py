"""Peers that speak no BitTorrent, or stop after its handshake: they prove nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from protech.locate.lab.plan import Kind
from protech.locate.lab.wire import (
    Handshake,
    read_handshake,
)

LINGER_S = 60.0
"""How long a peer that wastes our time does so."""
DRIP_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a hostile peer knows of one torrent: enough to lie about it."""

    info_hashes: tuple[bytes, ...] = field(repr=False)
    total: int
    piece_bytes: int
    pieces: tuple[int, ...] = field(repr=False)
    """Those that it really has."""
    telling: tuple[int, ...] = field(default=(), repr=False)
    """Those of the listed file that prove something."""
    content: bytes = field(repr=False)
    upstream: tuple[str, int] | None = field(default=None, repr=False)
    """A true holder, for a relay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One connection to a hostile peer."""

    reader: asyncio.StreamReader = field(repr=False)
    writer: asyncio.StreamWriter = field(repr=False)
    address: str
    """Where it lives, and calls from."""
    shares: tuple[Share, ...]
    named: tuple[tuple[str, int], ...] = field(default=(), repr=False)
    """Addresses that it names as its peers."""
    random: Random = field(repr=False)
    peer_id: bytes = field(repr=False)

    async def send(self, data: bytes) -> None:
        """Send, and wait until the other side takes it."""
        self.writer.write(data)
        await self.writer.drain()

    async def greet(self, *, peer_id: bytes = b"") -> Share | None:
        """Answer a handshake for one of its torrents; None where there was no such one."""
        theirs = await read_handshake(self.reader)
        if theirs is None:
            return None
        for share in self.shares:
            if theirs.info_hash in share.info_hashes:
                mine = Handshake(info_hash=theirs.info_hash, peer_id=peer_id or self.peer_id)
                await self.send(mine.content)
                return share
        return None

    async def linger(self) -> None:
        """Read on and answer nothing, for a while."""
        try:
            async with asyncio.timeout(LINGER_S):
                while await self.reader.read(1 << 16):
                    pass
        except TimeoutError:
            return


type Behaviour = Callable[[Visit], Awaitable[None]]


async def echo(visit: Visit) -> None:
    """Send back whatever comes."""
    while data := await visit.reader.read(1 << 16):
        await visit.send(data)


async def tarpit(visit: Visit) -> None:
    """Say nothing."""
    await visit.linger()


async def garbage(visit: Visit) -> None:
    """Send random bytes."""
    await visit.send(visit.random.randbytes(4096))
    await visit.linger()


async def mse_garbage(visit: Visit) -> None:
    """Begin message stream encryption, and never come to its end."""
    await visit.reader.read(96)
    await visit.send(visit.random.randbytes(96))
    for _ in range(64):
        await visit.send(visit.random.randbytes(1024))
    await visit.linger()


async def http(visit: Visit) -> None:
    """Answer as a web server does."""
    await visit.reader.read(1024)
    body = b"<!doctype html><title>Status</title>"
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(body)}\r\n\r\n"
    await visit.send(head.encode() + body)


async def printer(visit: Visit) -> None:
    """Answer as a printer does on its raw port: it takes what comes, and says nothing of it."""
    await visit.send(b"@PJL USTATUS DEVICE\r\nCODE=10001\r\nONLINE=TRUE\r\n\x0c")
    await visit.linger()


async def dripper(visit: Visit) -> None:
    """Send its handshake a byte at a time."""
    theirs = await read_handshake(visit.reader)
    if theirs is None:
        return
    content = Handshake(info_hash=theirs.info_hash, peer_id=visit.peer_id).content
    for byte in content + bytes(1 << 16):
        await visit.send(bytes([byte]))
        await asyncio.sleep(DRIP_S)


async def other_hash(visit: Visit) -> None:
    """Answer for another torrent than was asked for."""
    if await read_handshake(visit.reader) is not None:
        other = Handshake(info_hash=visit.random.randbytes(20), peer_id=visit.peer_id)
        await visit.send(other.content)
        await visit.linger()


async def closer(visit: Visit) -> None:
    """Hang up after the handshake."""
    await visit.greet()


BEFORE_CLAIMS: Mapping[Kind, Behaviour] = {
    Kind.ECHO: echo,
    Kind.TARPIT: tarpit,
    Kind.GARBAGE: garbage,
    Kind.MSE_GARBAGE: mse_garbage,
    Kind.HTTP: http,
    Kind.PRINTER: printer,
    Kind.DRIPPER: dripper,
    Kind.OTHER_HASH: other_hash,
    Kind.CLOSER: closer,
}
