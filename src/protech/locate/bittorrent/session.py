"""A conversation with one peer about one torrent, up to what it claims.

It offers nothing, asks for nothing and keeps nothing: what comes is taken down in the
transcript, peers that it names and content as their digest only.
"""

import asyncio
from contextlib import suppress

from protech.evidence.transcript import TranscriptFull
from protech.locate.adapter import Candidate, Outcome
from protech.locate.bittorrent import extensions, messages
from protech.locate.bittorrent.extensions import Introduction
from protech.locate.bittorrent.hearing import Hearing
from protech.locate.bittorrent.held import Held, TorrentKey
from protech.locate.bittorrent.messages import (
    HANDSHAKE_BYTES,
    HASH_BYTES,
    HEADER_BYTES,
    PROTOCOL,
    Kind,
    Malformed,
)
from protech.locate.bittorrent.metadata import LONGEST_BYTES, Metadata
from protech.locate.buffers import sha256_of
from protech.locate.links import Ended, HungUp, Limits, Link
from protech.locate.loss import Loss, Lost

INBOX_BYTES = 2048
EXTENDED_BYTES = 64 * 1024
INTRODUCTION_BYTES = 8 * 1024
OTHER_BYTES = 1024
"""What any message but those of extensions, hashes, bitfields and pieces may have."""
LONGEST: dict[int, int] = {
    Kind.EXTENDED: EXTENDED_BYTES,
    Kind.HASHES: 32 * 1024,
    Kind.BITFIELD: messages.MESSAGE_BYTES,
    Kind.PIECE: messages.MESSAGE_BYTES,
}


_STRANGER = Introduction()
_ELIDED = {extensions.OUR_PEX: "pex", extensions.OUR_METADATA: "metadata"}


class Session:
    """One conversation; ``greet``, then ``hear_claims``, then ``pieces.prove`` go on in it."""

    def __init__(
        self, link: Link, hearing: Hearing, key: TorrentKey, *, limits: Limits
    ) -> None:
        """Begin with nothing said."""
        self.link = link
        self.hearing = hearing
        self.key = key
        self.limits = limits
        self.held = Held(key)
        self._pieces = key.torrent_pieces
        self.introduction = _STRANGER
        self.learnt: tuple[Candidate, ...] = ()
        self.is_choked = True
        self.is_fast = False
        self.is_extended = False
        self.is_guarded = False
        """Whether content may come: then nothing is read beyond the header of a message."""
        self.content_bytes = 0
        """How much content follows the header of the piece that was read last."""
        self.metadata: Metadata | None = None
        self._is_introduced = False
        self._inbox = bytearray(INBOX_BYTES)
        self._start = 0
        self._end = 0
        self._taken = 0  # what comes before is in the transcript

    async def greet(self, first: bytes, until: float, *, is_sent: bool = False) -> None:
        """Say our handshake and hear theirs.

        Args:
            first: Our handshake.
            until: When to give up, in the loop's time.
            is_sent: Whether encryption has taken it along already.

        Raises:
            AuthorityError: Nothing may be sent.
            Ended: It is no peer of this torrent.
            HungUp: It ended the connection.
            Lost: It ended it after its handshake.
        """
        try:
            if not is_sent:
                await self.link.send(first)
            self.hearing.sent(first)
            await self._fill_handshake(until)
        except TimeoutError:
            raise Ended(Outcome.SILENT) from None
        except Lost as lost:
            if self._end:
                raise Ended(Outcome.OTHER_PROTOCOL) from None
            raise HungUp(lost.loss) from None
        self._start = HANDSHAKE_BYTES
        theirs = bytes(self._inbox[:HANDSHAKE_BYTES])
        is_echo = theirs[48:] == first[48:]
        # Once a client has heard a hybrid's other hash from us, it answers with that (BEP 52).
        if is_echo or theirs[28:48] not in (self.key.info_hash[:HASH_BYTES], self.key.twin):
            self._take_down()
            raise Ended(Outcome.ECHO if is_echo else Outcome.OTHER_FILE)
        self.is_fast = messages.is_fast(theirs[20:28])
        self.is_extended = messages.is_extended(theirs[20:28])
        # BEP 6 wants a word of our pieces first: we have none.
        opening = messages.HAVE_NONE if self.is_fast else b""
        opening += extensions.OUR_INTRODUCTION if self.is_extended else b""
        if opening:
            await self.send(opening)

    async def hear_claims(self, until: float) -> Outcome:
        """Hear what the peer has, until it has said all that we can expect now.

        Raises:
            AuthorityError: Nothing more may be sent.
        """
        loop = asyncio.get_running_loop()
        quiet = loop.time() + self.limits.claim_s
        outcome = None
        try:
            while not self._is_heard():
                kind, content = await self.next(min(quiet, until))
                self.hear(kind, content)
                if self.held.is_told:
                    quiet = loop.time() + self.limits.settle_s
        except TimeoutError:
            outcome = None  # it has said what it will say now
        except Lost:
            outcome = None if self.held.is_told else Outcome.CLOSED
        except (Malformed, TranscriptFull):
            outcome = Outcome.MALFORMED
        with suppress(TranscriptFull):
            self._take_down()
        return outcome or (Outcome.CLAIMED if self.held.listed else Outcome.NOTHING_HELD)

    async def send(self, data: bytes) -> None:
        """Send messages, and take them down.

        Raises:
            AuthorityError: Nothing may be sent.
            Lost: There is nobody any more.
            TranscriptFull: Too much was said.
        """
        self._take_down()
        await self.link.send(data)
        self.hearing.sent(data)

    async def next(self, until: float) -> tuple[int, bytes]:
        """Return the next message, its kind and what follows; of a piece, only its header.

        Raises:
            Lost: The peer ended it.
            Malformed: It breaks the protocol, or a limit.
            TimeoutError: None came; what did come is kept.
        """
        while True:
            at, wanted = self._start, 0
            size = self._end - at
            if size >= 4:
                length = int.from_bytes(self._inbox[at : at + 4])
                if length == 0:
                    self._start += 4
                    continue
                if size > 4:
                    kind = self._inbox[at + 4]
                    self._require_length(length, kind)
                    wanted = HEADER_BYTES if kind == Kind.PIECE else 4 + length
                    if size >= wanted:
                        self.content_bytes = 4 + length - wanted
                        self._start += wanted
                        return kind, bytes(self._inbox[at + 5 : at + wanted])
            # Even after the shortest message, so many bytes end in the next one's header.
            await self._fill(max(wanted, HEADER_BYTES) - size, until)

    def hear(self, kind: int, content: bytes) -> None:
        """Take what a message says of the peer.

        Raises:
            Malformed: It says what cannot be, or brings content that was not asked for.
            TranscriptFull: It is one message too many.
        """
        if kind in (Kind.CHOKE, Kind.UNCHOKE):
            self.is_choked = kind == Kind.CHOKE
        elif kind == Kind.EXTENDED:
            self._hear_extension(content)
        elif kind == Kind.PIECE or not self.held.hear(kind, content):
            raise Malformed("a message says what cannot be")

    def close(self) -> None:
        """End it, and overwrite what was received."""
        self.link.close()
        self._inbox[:] = bytes(len(self._inbox))
        if self.metadata is not None:
            self.metadata.wipe()

    async def ask_for_metadata(self) -> None:
        """Ask once for the description of the torrent; it is not waited for.

        Raises:
            AuthorityError: Nothing may be sent.
            Lost: There is nobody any more.
            TranscriptFull: Too much was said.
        """
        said = self.introduction
        if self.metadata is None and 0 < said.metadata_bytes <= LONGEST_BYTES:
            self.metadata = Metadata(said.metadata_bytes, self.key.info_hash)
            await self.send(self.metadata.requests(said.metadata_number))

    def take_content(self, length: int, digest: bytes) -> None:
        """Take down that the message that was begun ends with content that is not kept."""
        self._take_down()
        self.hearing.elided("piece", length, digest)

    async def receive_content(self, memory: memoryview, until: float) -> None:
        """Fill ``memory`` with what follows the header of a piece.

        Raises:
            Lost: The peer ended it.
            Malformed: It was here before it was asked for.
            TimeoutError: It did not come.
        """
        if self._end > self._start:
            raise Malformed("content came before it was asked for")
        filled = 0
        while filled < len(memory):
            count = await self.link.receive_into(memory[filled:], until=until)
            if count == 0:
                raise Lost(Loss.CLOSED)
            filled += count

    async def _fill_handshake(self, until: float) -> None:
        while self._end < HANDSHAKE_BYTES:
            await self._fill(HANDSHAKE_BYTES, until)
            if not PROTOCOL.startswith(self._inbox[: min(self._end, len(PROTOCOL))]):
                self.hearing.received(bytes(self._inbox[: self._end]))
                raise Ended(Outcome.OTHER_PROTOCOL)

    def _hear_extension(self, content: bytes) -> None:
        number, rest = content[0], content[1:]
        if number == extensions.INTRODUCTION:
            if len(rest) > INTRODUCTION_BYTES:
                raise Malformed("an introduction is too long")
            self.introduction = extensions.parse_introduction(rest)
            self._is_introduced = True
        elif rest:
            self._elide(_ELIDED.get(number, "extension"), rest)
        if number == extensions.OUR_PEX:
            learnt = (*self.learnt, *extensions.parse_pex(rest))
            self.learnt = learnt[: extensions.LEARNT]
        elif number == extensions.OUR_METADATA and self.metadata is not None:
            self.metadata.take(rest)

    def _elide(self, kind: str, rest: bytes) -> None:
        """Take down the message that was read last, its end as a digest only."""
        end = self._start
        self._start -= len(rest)
        self._take_down()
        self.hearing.elided(kind, len(rest), sha256_of(memoryview(rest)))
        self._taken = self._start = end

    def _is_heard(self) -> bool:
        return self.held.is_whole and (self._is_introduced or not self.is_extended)

    def _require_length(self, length: int, kind: int) -> None:
        if length > LONGEST.get(kind, OTHER_BYTES):
            raise Malformed("a message is too long")
        if not messages.is_length(kind, length, pieces=self._pieces, is_fast=self.is_fast):
            raise Malformed("a message has a length that it may not have")

    async def _fill(self, wanted: int, until: float) -> None:
        """Receive at least one byte more of the ``wanted``, which are missing."""
        self._take_down()
        if self._start:
            left = self._end - self._start
            self._inbox[:left] = self._inbox[self._start : self._end]
            self._start, self._end, self._taken = 0, left, 0
        if self._end + wanted > len(self._inbox):
            self._inbox += bytes(self._end + wanted - len(self._inbox))
        end = self._end + wanted if self.is_guarded else len(self._inbox)
        with memoryview(self._inbox) as whole, whole[self._end : end] as room:
            count = await self.link.receive_into(room, until=until)
        if count == 0:
            raise Lost(Loss.CLOSED)
        self._end += count

    def _take_down(self) -> None:
        if self._start > self._taken:
            data = bytes(self._inbox[self._taken : self._start])
            self._taken = self._start
            self.hearing.received(data)
