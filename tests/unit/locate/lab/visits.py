"""One visit to a hostile peer, in memory: what the visitor says, and what it was answered."""

import asyncio
from contextlib import suppress
from random import Random
from typing import cast

from protech.locate.lab.hostile import Behaviour, Share, Visit
from protech.locate.lab.wire import HANDSHAKE_BYTES, Handshake, message, read_messages

INFO_HASH = b"h" * 20
OWN_ID = b"-XX0000-visitorvisit"

SHARE = Share(
    info_hashes=(INFO_HASH,),
    total=8,
    piece_bytes=1 << 14,
    pieces=(3, 4),
    telling=(1, 2),
    content=Random(7).randbytes(8 << 14),
)


class Answers:
    """A writer that keeps what it is given."""

    def __init__(self) -> None:
        self.content = b""
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.content += data

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True


def handshake(info_hash: bytes = INFO_HASH) -> bytes:
    return Handshake(info_hash=info_hash, peer_id=OWN_ID).content


def visit(behave: Behaviour, said: bytes, *, share: Share = SHARE) -> bytes:
    """Return all that a hostile peer answers to a visitor who says this and hangs up."""
    answers = Answers()

    async def go() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(said)
        reader.feed_eof()
        with suppress(asyncio.IncompleteReadError):
            await behave(
                Visit(
                    reader=reader,
                    writer=cast("asyncio.StreamWriter", answers),
                    address="127.0.0.67",
                    shares=(share,),
                    named=(("127.0.0.66", 9100),),
                    random=Random(1),
                    peer_id=b"-LB0001-hostilehosti",
                )
            )

    asyncio.run(go())
    return answers.content


def messages(answer: bytes) -> list[tuple[int, bytes]]:
    """Return the messages after the handshake in an answer."""

    async def go() -> list[tuple[int, bytes]]:
        reader = asyncio.StreamReader()
        reader.feed_data(answer[HANDSHAKE_BYTES:])
        reader.feed_eof()
        return [one async for one in read_messages(reader)]

    return asyncio.run(go())


def request(piece: int, offset: int, length: int) -> bytes:
    """Return the message that asks for a block."""
    return message(6, b"".join(one.to_bytes(4) for one in (piece, offset, length)))
