"""Peers that speak BitTorrent well: some lie about what they have, some tell the truth."""

import asyncio
import re
import struct
from collections.abc import Mapping

from protech.locate.lab.hostile import Behaviour, Share, Visit
from protech.locate.lab.plan import Kind
from protech.locate.lab.wire import (
    EXTENDED,
    HANDSHAKE_BYTES,
    HASH_REJECT,
    HASH_REQUEST,
    HASHES,
    HAVE,
    HAVE_NONE,
    PIECE,
    REJECT,
    REQUEST,
    UNCHOKE,
    Handshake,
    bitfield,
    message,
    read_handshake,
    read_messages,
)

METADATA_BYTES = (1 << 31) - 1
BLOCK_BYTES = 1 << 14
PEX = re.compile(rb"6:ut_pexi(\d{1,3})e")


async def mute(visit: Visit) -> None:
    """Claim all, and never let anybody ask."""
    share = await visit.greet()
    if share is not None:
        await visit.send(bitfield(range(share.total), share.total))
        await visit.linger()


async def liar(visit: Visit) -> None:
    """Claim all, and serve random bytes and random hashes."""
    share = await visit.greet()
    if share is not None:
        await _claim(visit, share)
        async for kind, asked in read_messages(visit.reader):
            if kind == REQUEST:
                await visit.send(_piece(asked, visit.random.randbytes(_length(asked))))
            elif kind == HASH_REQUEST:
                count = struct.unpack(">32xIIII", asked)[2]
                await visit.send(message(HASHES, asked + visit.random.randbytes(32 * count)))


async def copier(visit: Visit) -> None:
    """Answer with the peer id that it was sent, then claim all."""
    theirs = await read_handshake(visit.reader)
    if theirs is not None:
        await visit.send(theirs.content)
        total = visit.shares[0].total
        await visit.send(bitfield(range(total), total) + message(UNCHOKE))
        await visit.linger()


async def swapper(visit: Visit) -> None:
    """Claim all, and serve true bytes of another piece."""
    share = await visit.greet()
    if share is not None:
        await _claim(visit, share)
        await _serve(visit, share, shift=share.piece_bytes)


async def weak_only(visit: Visit) -> None:
    """Claim and serve pieces that prove nothing."""
    share = await visit.greet()
    if share is not None:
        await visit.send(bitfield(share.pieces, share.total) + message(UNCHOKE))
        await _serve(visit, share, shift=0)


async def super_seed(visit: Visit) -> None:
    """Hold all, name one piece, and serve what is asked for (BEP 16)."""
    share = await visit.greet()
    if share is not None:
        chosen = visit.random.choice(share.telling)
        have = message(HAVE, chosen.to_bytes(4))
        await visit.send(message(HAVE_NONE) + have + message(UNCHOKE))
        await _serve(visit, share, shift=0)


async def rejecter(visit: Visit) -> None:
    """Claim all, and reject each request."""
    share = await visit.greet()
    if share is not None:
        await _claim(visit, share)
        async for kind, asked in read_messages(visit.reader):
            if kind in {REQUEST, HASH_REQUEST}:
                await visit.send(message(REJECT if kind == REQUEST else HASH_REJECT, asked))


async def empty(visit: Visit) -> None:
    """Say that it has nothing, which is true."""
    share = await visit.greet()
    if share is not None:
        await visit.send(message(HAVE_NONE))
        await visit.linger()


async def oversize(visit: Visit) -> None:
    """Begin a message of two gigabytes, and send some of it."""
    if await visit.greet() is not None:
        await visit.send(struct.pack(">IB", (1 << 31) - 1, PIECE) + bytes(1 << 20))
        await visit.linger()


async def metadata_bomb(visit: Visit) -> None:
    """Offer metadata of two gigabytes, and begin to send it unasked."""
    if await visit.greet() is not None:
        size = b"i%de" % METADATA_BYTES
        offer = b"d1:md11:ut_metadatai2ee13:metadata_size" + size + b"e"
        await visit.send(message(EXTENDED, b"\x00" + offer))
        head = b"d8:msg_typei1e5:piecei0e10:total_size" + size + b"e"
        for _ in range(8):
            block = b"\x02" + head + bytes(BLOCK_BYTES)
            await visit.send(message(EXTENDED, block))
        await visit.linger()


async def pex_poisoner(visit: Visit) -> None:
    """Say that it has nothing, and name addresses that have nothing to do with it."""
    if await visit.greet() is None:
        return
    offer = b"d1:md6:ut_pexi1ee1:v8:poisonere"
    await visit.send(message(HAVE_NONE) + message(EXTENDED, b"\x00" + offer))
    extension = await _their_pex(visit)
    added = b"".join(
        bytes(map(int, address.split("."))) + port.to_bytes(2) for address, port in visit.named
    )
    flags = bytes(len(visit.named))
    named = b"d5:added%d:%s7:added.f%d:%se" % (len(added), added, len(flags), flags)
    await visit.send(message(EXTENDED, bytes([extension]) + named))
    await visit.linger()


async def _their_pex(visit: Visit) -> int:
    """Return the number under which the other side takes peers; 0 where it takes none."""
    async for kind, content in read_messages(visit.reader):
        found = PEX.search(content) if kind == EXTENDED and content[:1] == b"\x00" else None
        if found is not None:
            return int(found[1]) & 0xFF
    return 0


async def relay(visit: Visit) -> None:
    """Hold nothing, and pass on what a true holder says and sends, as if it were its own."""
    theirs = await read_handshake(visit.reader)
    share = next(
        (s for s in visit.shares if theirs and theirs.info_hash in s.info_hashes), None
    )
    if theirs is None or share is None or share.upstream is None:
        return
    own = (visit.address, 0)
    reader, writer = await asyncio.open_connection(*share.upstream, local_addr=own)
    try:
        mine = Handshake(
            info_hash=theirs.info_hash, peer_id=visit.peer_id, reserved=theirs.reserved
        )
        writer.write(mine.content)
        answer = await reader.readexactly(HANDSHAKE_BYTES)
        await visit.send(answer[:48] + visit.peer_id)
        async with asyncio.TaskGroup() as both:
            both.create_task(_pass_on(visit.reader, writer))
            both.create_task(_pass_on(reader, visit.writer))
    finally:
        writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


async def _claim(visit: Visit, share: Share) -> None:
    await visit.send(bitfield(range(share.total), share.total) + message(UNCHOKE))


async def _serve(visit: Visit, share: Share, *, shift: int) -> None:
    """Serve bytes of the files, from ``shift`` further on than was asked for."""
    async for kind, asked in read_messages(visit.reader):
        if kind == HASH_REQUEST:
            await visit.send(message(HASH_REJECT, asked))
        elif kind == REQUEST:
            piece, offset, length = struct.unpack(">III", asked[:12])
            begin = (piece * share.piece_bytes + offset + shift) % len(share.content)
            twice = share.content + share.content[:length]
            await visit.send(_piece(asked, twice[begin : begin + length]))


def _length(asked: bytes) -> int:
    """Return how many bytes a request is for, within reason."""
    return min(int.from_bytes(asked[8:12]), 1 << 17)


def _piece(asked: bytes, content: bytes) -> bytes:
    return message(PIECE, asked[:8] + content)


AFTER_HANDSHAKE: Mapping[Kind, Behaviour] = {
    Kind.MUTE: mute,
    Kind.LIAR: liar,
    Kind.COPIER: copier,
    Kind.SWAPPER: swapper,
    Kind.WEAK_ONLY: weak_only,
    Kind.NEIGHBOUR: weak_only,
    Kind.REJECTER: rejecter,
    Kind.EMPTY: empty,
    Kind.OVERSIZE: oversize,
    Kind.METADATA_BOMB: metadata_bomb,
    Kind.PEX_POISONER: pex_poisoner,
    Kind.RELAY: relay,
    Kind.SUPER_SEED: super_seed,
}
