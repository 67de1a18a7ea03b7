"""Encryption as the peers of a torrent speak it: an answering side is written here."""

import asyncio
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.bittorrent import mse
from protech.locate.bittorrent.messages import Malformed
from protech.locate.loss import Loss, Lost
from protech.locate.rc4 import Rc4
from tests import spoken
from tests.spoken import Line

INFO_HASH = bytes(range(20))
FIRST = b"our handshake"


def sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts)).digest()


class Answering:
    """The side that is called; what it does wrong is given."""

    def __init__(
        self,
        *,
        pad_b: int = 100,
        pad_d: int = 30,
        select: int = mse.RC4,
        opening: bytes = b"theirs",
        key: int | None = None,
        torrent: bytes = INFO_HASH,
    ) -> None:
        self.secret = 0x1234567890ABCDEF
        self.key = pow(2, self.secret, mse.PRIME) if key is None else key
        self.pad_b, self.pad_d, self.select = pad_b, pad_d, select
        self.opening, self.torrent = opening, torrent
        self.asked = bytearray()
        self.first = b""
        self.step = 0

    def __call__(self, sent: bytes) -> bytes:
        self.step += 1
        if self.step == 1:
            self.theirs = int.from_bytes(sent[:96])
            assert 96 <= len(sent) <= 96 + 512
            return self.key.to_bytes(96) + bytes(self.pad_b)
        if self.step > 2:
            return b""
        shared = pow(self.theirs, self.secret, mse.PRIME).to_bytes(96)
        assert sent[:20] == sha1(b"req1", shared)
        incoming = Rc4(sha1(b"keyA", shared, self.torrent), discard_bytes=1024)
        self.outgoing = Rc4(sha1(b"keyB", shared, self.torrent), discard_bytes=1024)
        offer = incoming.applied(sent[40:])
        if self.torrent == INFO_HASH:
            xored = bytes(
                a ^ b
                for a, b in zip(sha1(b"req2", INFO_HASH), sha1(b"req3", shared), strict=True)
            )
            assert sent[20:40] == xored
            assert offer[:8] == bytes(8)
            assert int.from_bytes(offer[8:12]) == mse.RC4
            assert offer[12:14] == bytes(2)
            self.first = offer[16:]
            assert int.from_bytes(offer[14:16]) == len(self.first)
        answer = bytes(8) + self.select.to_bytes(4) + self.pad_d.to_bytes(2) + bytes(self.pad_d)
        return self.outgoing.applied(answer + self.opening)


def encrypted(answering: Answering, **options: object) -> mse.Encrypted:
    line = Line(answer=answering, **options)  # type: ignore[arg-type]
    return asyncio.run(mse.encrypt(line, INFO_HASH, FIRST, until=9e9))


@pytest.mark.parametrize("chunk_bytes", [1, 13, 10_000])
@pytest.mark.parametrize(("pad_b", "pad_d"), [(0, 0), (100, 30), (512, 512)])
def test_both_sides_understand_each_other(pad_b: int, pad_d: int, chunk_bytes: int) -> None:
    answering = Answering(pad_b=pad_b, pad_d=pad_d)
    link = encrypted(answering, chunk_bytes=chunk_bytes)
    assert answering.first == FIRST
    heard = bytearray()

    async def work() -> None:
        memory = memoryview(bytearray(4))
        while len(heard) < len(answering.opening):
            count = await link.receive_into(memory)
            heard.extend(memory[:count])

    asyncio.run(work())
    assert bytes(heard) == b"theirs"


def test_what_follows_is_decrypted_where_it_is_received() -> None:
    answering = Answering(opening=b"")
    link = encrypted(answering)
    line = link._link
    assert isinstance(line, Line)
    line._coming += answering.outgoing.applied(b"content")
    memory = bytearray(20)

    async def work() -> int:
        await link.send(b"question")
        return await link.receive_into(memoryview(memory)[5:])

    count = asyncio.run(work())
    assert bytes(memory[5 : 5 + count]) == b"content"
    assert not bytes(line.sent).endswith(b"question")
    link.shelter(memoryview(memory))
    assert line.sheltered is not None
    link.close()
    assert line.is_closed
    assert (link.peer, link.local) == (spoken.PEER, spoken.OURS)


@pytest.mark.parametrize(
    "answering",
    [
        Answering(select=1),
        Answering(select=3),
        Answering(pad_d=513),
        Answering(pad_b=513),
        Answering(pad_b=2000),
        Answering(key=0),
        Answering(key=1),
        Answering(key=mse.PRIME - 1),
        Answering(torrent=bytes(20), pad_b=2000),
    ],
    ids=[
        "plain text",
        "two ciphers",
        "long pad",
        "longer",
        "longest",
        "0",
        "1",
        "-1",
        "torrent",
    ],
)
def test_what_it_may_not_say_is_malformed(answering: Answering) -> None:
    with pytest.raises(Malformed):
        encrypted(answering)


@pytest.mark.parametrize("ends", [Loss.CLOSED, Loss.RESET])
def test_a_peer_that_hangs_up_is_lost(ends: Loss) -> None:
    with pytest.raises(Lost):
        asyncio.run(mse.encrypt(Line(ends=ends), INFO_HASH, FIRST, until=0))


@given(st.binary(max_size=2000))
def test_whatever_it_answers_it_is_no_surprise(said: bytes) -> None:
    line = Line(said, ends=Loss.CLOSED)
    with pytest.raises((Malformed, Lost)):
        asyncio.run(mse.encrypt(line, INFO_HASH, FIRST, until=0))
    assert len(line.sent) < 2000
