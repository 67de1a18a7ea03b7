"""Peers that do what no peer should, on loopback: each kind answers every call alike."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from protech.locate.adapter import Candidate
from protech.locate.bittorrent.held import TorrentKey
from protech.locate.bittorrent.messages import Kind, framed
from tests import seeds, spoken

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter, TorrentKey], Awaitable[None]]


async def refusing(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: TorrentKey
) -> None:
    """Hang up on whatever is said."""
    await reader.readexactly(68)


async def mute(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: TorrentKey
) -> None:
    """Say nothing."""
    await reader.read()


async def echo(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: TorrentKey
) -> None:
    """Say what was said."""
    while data := await reader.read(1000):
        writer.write(data)


async def http(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: TorrentKey
) -> None:
    """Speak another protocol."""
    await reader.read(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


async def garbage(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: TorrentKey
) -> None:
    """Say what nobody understands."""
    writer.write(spoken.content(1, 5000))
    await reader.read()


async def drip(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: TorrentKey
) -> None:
    """Say a handshake, one byte at a time, too slowly."""
    for byte in spoken.greeting(key):
        writer.write(bytes([byte]))
        await asyncio.sleep(0.1)


async def tarpit(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: TorrentKey
) -> None:
    """Greet, and then send keep-alives for ever."""
    writer.write(spoken.greeting(key))
    while True:
        writer.write(bytes(4))
        await writer.drain()
        await asyncio.sleep(0.02)


async def lying(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: TorrentKey
) -> None:
    """Claim everything, and serve other bytes."""
    await reader.readexactly(68)
    total = key.torrent_pieces
    bits = ((1 << total) - 1) << (-total % 8)
    writer.write(spoken.greeting(key) + framed(Kind.BITFIELD, bits.to_bytes(-(-total // 8))))
    writer.write(framed(Kind.UNCHOKE))
    while True:
        length = int.from_bytes(await reader.readexactly(4))
        message = await reader.readexactly(length)
        if length and message[0] == Kind.REQUEST:
            size = int.from_bytes(message[9:13])
            writer.write(framed(Kind.PIECE, message[1:9] + spoken.content(2, size)))


async def choking(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: TorrentKey
) -> None:
    """Claim everything, and serve nothing."""
    total = key.torrent_pieces
    bits = ((1 << total) - 1) << (-total % 8)
    writer.write(spoken.greeting(key) + framed(Kind.BITFIELD, bits.to_bytes(-(-total // 8))))
    await reader.read()


async def flood(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: TorrentKey
) -> None:
    """Greet, and then say the same for ever, as fast as it is heard."""
    writer.write(spoken.greeting(key))
    while True:
        writer.write(framed(Kind.HAVE, bytes(4)) * 1000)
        await writer.drain()


async def bomb(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: TorrentKey
) -> None:
    """Greet, and announce a message of four gigabytes."""
    writer.write(spoken.greeting(key, reserved=spoken.BOTH) + b"\xff\xff\xff\xff\x14\0d1:v")
    await reader.read()


KINDS: tuple[Answer, ...] = (
    refusing, mute, echo, http, garbage, drip, tarpit, lying, choking, flood, bomb,
)  # fmt: skip


@asynccontextmanager
async def peer(answer: Answer, key: TorrentKey, address: str) -> AsyncIterator[Candidate]:
    """Give a peer of one kind that listens on a port of its own."""

    async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, asyncio.CancelledError):
            await answer(reader, writer, key)
        writer.close()

    server = await asyncio.start_server(called, address, 0)
    async with server:
        yield seeds.candidate(address, server.sockets[0].getsockname()[1])
