"""Message stream encryption, which some peers insist on: the side that calls.

Only RC4 is offered: whoever chooses plain text has accepted it before. What is received is
decrypted where it is. Source: "Message Stream Encryption", Vuze wiki, 2006.
"""

import hashlib
import os
import secrets
from typing import Final

from protech.locate.adapter import Endpoint
from protech.locate.bittorrent.messages import HASH_BYTES, Malformed
from protech.locate.links import Link
from protech.locate.loss import Loss, Lost
from protech.locate.rc4 import Rc4

PRIME: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22"
    "514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6"
    "F44C42E9A63A36210000000000090563",
    16,
)
KEY_BYTES = 96
SECRET_BYTES = 20
PAD_BYTES = 512
DISCARD_BYTES = 1024

VC = bytes(8)
"""What both sides encrypt to find where the stream begins."""
RC4 = 2
_ANSWER_BYTES = len(VC) + 4 + 2
_ROOM_BYTES = KEY_BYTES + 2 * PAD_BYTES + _ANSWER_BYTES + 2048


class Encrypted:
    """A link over another one; all that passes is RC4."""

    def __init__(self, link: Link, outgoing: Rc4, incoming: Rc4, opening: bytes) -> None:
        """Take the link where its handshake ended; ``opening`` came behind it, decrypted."""
        self._link = link
        self._outgoing = outgoing
        self._incoming = incoming
        self._opening = opening

    @property
    def peer(self) -> Endpoint:
        """The other side."""
        return self._link.peer

    @property
    def local(self) -> Endpoint:
        """Our side."""
        return self._link.local

    async def send(self, data: bytes) -> None:
        """Send all of ``data``.

        Raises:
            AuthorityError: Nothing may be sent.
            Lost: There is nobody any more.
        """
        await self._link.send(self._outgoing.applied(data))

    async def receive_into(self, memory: memoryview, *, until: float | None = None) -> int:
        """Fill the beginning of ``memory`` with what comes next, in clear.

        Raises:
            Lost: There is nobody any more.
            TimeoutError: Nothing came.
        """
        if self._opening:
            count = min(len(self._opening), len(memory))
            memory[:count] = self._opening[:count]
            self._opening = self._opening[count:]
            return count
        count = await self._link.receive_into(memory, until=until)
        with memory[:count] as received:
            self._incoming.apply(received)
        return count

    def shelter(self, memory: memoryview) -> None:
        """Have the link below keep what arrives in ``memory`` only."""
        self._link.shelter(memory)

    def close(self) -> None:
        """End it."""
        self._link.close()


async def encrypt(link: Link, info_hash: bytes, first: bytes, *, until: float) -> Encrypted:
    """Return the link, encrypted; ``first`` was sent with our half of its handshake.

    Raises:
        AuthorityError: Nothing may be sent.
        Lost: The peer ended it.
        Malformed: It does not speak it, or chose a cipher that was not offered.
        TimeoutError: It did not answer in time.
    """
    secret = int.from_bytes(os.urandom(SECRET_BYTES))
    ours = pow(2, secret, PRIME).to_bytes(KEY_BYTES)
    await link.send(ours + os.urandom(secrets.randbelow(PAD_BYTES + 1)))
    inbox = _Inbox(link, until)
    theirs = int.from_bytes(await inbox.take(KEY_BYTES))
    if not 1 < theirs < PRIME - 1:
        raise Malformed("it chose a key that everybody knows")
    shared = pow(theirs, secret, PRIME).to_bytes(KEY_BYTES)
    torrent = info_hash[:HASH_BYTES]
    outgoing = Rc4(_hash(b"keyA", shared, torrent), discard_bytes=DISCARD_BYTES)
    incoming = Rc4(_hash(b"keyB", shared, torrent), discard_bytes=DISCARD_BYTES)
    which = int.from_bytes(_hash(b"req2", torrent)) ^ int.from_bytes(_hash(b"req3", shared))
    offer = VC + RC4.to_bytes(4) + bytes(2) + len(first).to_bytes(2) + first
    await link.send(
        _hash(b"req1", shared) + which.to_bytes(SECRET_BYTES) + outgoing.applied(offer)
    )
    await inbox.skip_to(incoming.applied(VC))
    answer = incoming.applied(await inbox.take(_ANSWER_BYTES - len(VC)))
    pad_bytes = int.from_bytes(answer[4:])
    if int.from_bytes(answer[:4]) != RC4 or pad_bytes > PAD_BYTES:
        raise Malformed("it chose what was not offered")
    incoming.applied(await inbox.take(pad_bytes))
    return Encrypted(link, outgoing, incoming, incoming.applied(inbox.rest()))


class _Inbox:
    """What arrives during the handshake: bounded, and no content yet."""

    def __init__(self, link: Link, until: float) -> None:
        self._link = link
        self._until = until
        self._memory = bytearray(_ROOM_BYTES)
        self._start = 0
        self._end = 0

    async def take(self, size: int) -> bytes:
        while self._end - self._start < size:
            await self._receive()
        self._start += size
        return bytes(self._memory[self._start - size : self._start])

    async def skip_to(self, mark: bytes) -> None:
        """Go behind ``mark``, which comes after at most ``PAD_BYTES``."""
        last = self._start + PAD_BYTES + len(mark)
        while (at := self._memory.find(mark, self._start, min(last, self._end))) < 0:
            if self._end >= last:
                raise Malformed("it does not know the torrent, or speaks something else")
            await self._receive()
        self._start = at + len(mark)

    def rest(self) -> bytes:
        return bytes(self._memory[self._start : self._end])

    async def _receive(self) -> None:
        with memoryview(self._memory) as whole, whole[self._end :] as room:
            count = await self._link.receive_into(room, until=self._until)
        if count == 0:
            raise Lost(Loss.CLOSED)
        self._end += count


def _hash(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts), usedforsecurity=False).digest()
