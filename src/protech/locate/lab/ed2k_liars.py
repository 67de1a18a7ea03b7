"""Clients of eDonkey that lie, keep silent or have nothing.

None of them has a byte of any file: what they send is drawn from a seed.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from protech.locate.ed2k import messages
from protech.locate.ed2k.messages import HASH_BYTES, Op, message
from protech.locate.ed2k.tags import Malformed, written
from protech.locate.lab.trackers import Place

CHUNK_BYTES = 10240
BLOCK_BYTES = 184320


class Lie(StrEnum):
    """What a hostile client does."""

    ECHO = "echo"
    """It sends back what it hears."""
    MUTE = "mute"
    WEB = "web"
    """It speaks HTTP."""
    EMPTY = "empty"
    """It introduces itself and has not the file."""
    LIAR = "liar"
    """It claims all of any file, and serves random hashes and bytes."""
    COPIER = "copier"
    """It claims all, gives true hashes that it has from others, and serves random bytes."""
    BUSY = "busy"
    """It claims all, and keeps everybody in its queue."""
    QUITTER = "quitter"
    """It claims all, and hangs up in the middle of a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Liar:
    """What a hostile client does, and draws what it sends from.

    ``hashes`` are the AICH hashes of each part, as it may have them from who has the file.
    """

    lie: Lie
    random: Random = field(repr=False)
    hashes: Mapping[int, bytes] = field(default_factory=dict, repr=False)


async def visit(liar: Liar, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak to one caller as the lie has it."""
    lie = liar.lie
    heard = bytearray()
    try:
        while data := await reader.read(1 << 16):
            if lie is Lie.ECHO:
                writer.write(data)
            elif lie is Lie.WEB:
                writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                break
            elif lie is not Lie.MUTE:
                heard += data
                for _, op, content in messages.frames(heard):
                    writer.write(answer(liar, op, content))
                    if lie is Lie.QUITTER and op == Op.REQUEST_PARTS:
                        return
            await writer.drain()
    except (Malformed, OSError):
        return
    finally:
        writer.close()


def answer(liar: Liar, op: int, content: bytes) -> bytes:
    """Return what a client that claims answers to one message."""
    lie, random, file_hash = liar.lie, liar.random, content[:HASH_BYTES]
    match op:
        case Op.HELLO:
            head = random.randbytes(HASH_BYTES) + struct.pack("<IHI", 0, 4662, 1)
            return message(Op.HELLO_ANSWER, head + written(1, b"lab") + bytes(6))
        case Op.SET_FILE if lie is Lie.EMPTY:
            return message(Op.NO_SUCH_FILE, file_hash)
        case Op.SET_FILE:
            return message(Op.FILE_STATUS, file_hash + bytes(2))
        case Op.AICH_REQUEST:
            part = int.from_bytes(content[HASH_BYTES : HASH_BYTES + 2], "little")
            true = b"" if lie is Lie.LIAR else liar.hashes.get(part, b"")
            return message(Op.AICH_ANSWER, content + (true or _hashes(random)))
        case Op.START_UPLOAD if lie is Lie.BUSY:
            return message(Op.QUEUE_RANK, struct.pack("<H10x", 4000))
        case Op.START_UPLOAD:
            return message(Op.ACCEPT_UPLOAD)
        case Op.REQUEST_PARTS if len(content) == HASH_BYTES + 24:
            begin, end = struct.unpack_from("<I8xI", content, HASH_BYTES)
            sent = _content(random, file_hash, begin, min(end, begin + BLOCK_BYTES))
            return sent[: len(sent) // 2] if lie is Lie.QUITTER else sent
        case _:
            return b""


def _hashes(random: Random) -> bytes:
    made = (struct.pack("<H", node) + random.randbytes(20) for node in range(2, 130))
    return struct.pack("<H", 128) + b"".join(made) + bytes(2)


def _content(random: Random, file_hash: bytes, begin: int, end: int) -> bytes:
    sent = b""
    for at in range(begin, end, CHUNK_BYTES):
        until = min(at + CHUNK_BYTES, end)
        head = file_hash + struct.pack("<II", at, until)
        sent += message(Op.CONTENT, head + random.randbytes(until - at))
    return sent


@asynccontextmanager
async def lying(
    lie: Lie, place: Place, seed: int, hashes: Mapping[int, bytes] | None = None
) -> AsyncIterator[Place]:
    """Give a client that lies at a place; port 0 is one that is free."""
    liar = Liar(lie=lie, random=Random(seed), hashes=hashes or {})

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await visit(liar, reader, writer)

    callback: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] = serve
    async with await asyncio.start_server(callback, *place) as server:
        host, port = server.sockets[0].getsockname()[:2]
        yield host, port
