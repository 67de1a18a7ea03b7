"""A conversation with one eDonkey client about one file, up to one block of it.

It offers nothing and keeps nothing: the file's name, as the peer calls it, and content stand in
the transcript as their digests only.
"""

import asyncio
import struct
from contextlib import closing

from protech.evidence.transcript import Recorder, TranscriptFull
from protech.lists.fetch_key import Ed2kFile
from protech.locate import buffers
from protech.locate.adapter import Outcome
from protech.locate.ed2k import messages
from protech.locate.ed2k.aich import Block
from protech.locate.ed2k.messages import (
    CONTENT_HEADER_BYTES,
    EDONKEY,
    ELIDED,
    EMULE,
    FRAME_BYTES,
    HASH_BYTES,
    Hello,
    Malformed,
    Op,
)
from protech.locate.links import Limits, Link
from protech.locate.loss import Loss, Lost


class Ended(Exception):
    """The conversation is over; ``outcome`` says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


class Session:
    """One conversation; ``greet``, then ``hear_claims``, then ``fetch`` go on in it."""

    def __init__(
        self, link: Link, recorder: Recorder, key: Ed2kFile, *, limits: Limits
    ) -> None:
        """Begin with nothing said."""
        self.parts: frozenset[int] = frozenset()
        self.hello: Hello | None = None
        self._link = link
        self._recorder = recorder
        self._key = key
        self._limits = limits
        self._is_accepted = False
        self._has_hashes = False

    async def greet(self, user_hash: bytes, until: float) -> None:
        """Introduce ourselves, and hear who the peer says it is.

        Raises:
            AuthorityError: Nothing may be sent.
            Ended: It is no eDonkey client.
        """
        try:
            await self._send(messages.hello(user_hash, port=self._link.local.port))
            while self.hello is None:
                protocol, op, content = await self._next(until)
                if (protocol, op) == (EDONKEY, Op.HELLO):
                    raise Ended(Outcome.ECHO)
                if (protocol, op) == (EDONKEY, Op.HELLO_ANSWER):
                    self.hello = messages.parse_hello_answer(content)
        except TimeoutError:
            raise Ended(Outcome.SILENT) from None
        except Lost:
            raise Ended(Outcome.SILENT) from None
        except (Malformed, TranscriptFull):
            raise Ended(Outcome.OTHER_PROTOCOL) from None
        if self.hello.user_hash == user_hash:
            raise Ended(Outcome.ECHO)

    async def hear_claims(self, until: float) -> Outcome:
        """Ask which parts of the file it has, and return what came of it.

        Raises:
            AuthorityError: Nothing more may be sent.
        """
        asked = messages.message(Op.REQUEST_NAME, self._key.md4)
        asked += messages.message(Op.SET_FILE, self._key.md4)
        try:
            await self._send(asked)
            while True:
                protocol, op, content = await self._next(until)
                if protocol != EDONKEY or not content.startswith(self._key.md4):
                    continue
                if op == Op.NO_SUCH_FILE:
                    return Outcome.NOTHING_HELD
                if op == Op.FILE_STATUS:
                    size = self._key.size_bytes
                    self.parts = messages.parse_status(content[HASH_BYTES:], size_bytes=size)
                    return Outcome.CLAIMED if self.parts else Outcome.NOTHING_HELD
        except TimeoutError:
            return Outcome.SILENT
        except Lost:
            return Outcome.CLOSED
        except (Malformed, TranscriptFull):
            return Outcome.MALFORMED

    async def fetch(self, block: Block) -> Outcome | None:
        """Have the peer send a block, measure it, and overwrite it.

        Returns:
            Why nothing was measured; None where something was.

        Raises:
            AuthorityError: Nothing more may be sent.
            ConfigError: The system does not lock so much memory for this user.
        """
        try:
            until = asyncio.get_running_loop().time() + self._limits.unchoke_s
            await self._wait_for_leave(block, until)
            await self._measure(block)
        except TimeoutError:
            return Outcome.REFUSED if self._is_accepted else Outcome.CHOKED
        except Lost:
            return Outcome.REFUSED if self._is_accepted else Outcome.CHOKED
        except (Malformed, TranscriptFull):
            return Outcome.MALFORMED
        return None

    def close(self) -> None:
        """End it."""
        self._link.close()

    async def _wait_for_leave(self, block: Block, until: float) -> None:
        """Ask for the hashes above a block and for a place in the queue, and wait for both."""
        part = block.start // messages.PART_BYTES
        self._has_hashes = block.size == self._key.size_bytes
        asked = messages.message(Op.START_UPLOAD, self._key.md4)
        if not self._has_hashes:
            asked = messages.aich_request(self._key.md4, part, self._key.aich) + asked
        await self._send(asked)
        while not (self._is_accepted and self._has_hashes):
            protocol, op, content = await self._next(until)
            if (protocol, op) == (EDONKEY, Op.ACCEPT_UPLOAD):
                self._is_accepted = True
            elif (protocol, op) == (EMULE, Op.AICH_ANSWER):
                if len(content) <= HASH_BYTES:
                    raise Lost(Loss.REFUSED)  # it has no hashes to give
                self._has_hashes = True

    async def _measure(self, block: Block) -> None:
        begin, end = block.start, block.start + block.size
        until = asyncio.get_running_loop().time() + self._limits.piece_s
        with (
            buffers.locked_buffer(block.size) as content,
            closing(self._link),
        ):
            await self._send(messages.request_parts(self._key.md4, begin, end))
            missing = block.size
            while missing:
                missing -= await self._receive_content(block, content, until)
            self._recorder.measured(
                {
                    "piece": begin // messages.PART_BYTES,
                    "offset": begin % messages.PART_BYTES,
                    "length": block.size,
                    "sha1": buffers.sha1_of(content),
                    "sha256": buffers.sha256_of(content),
                    "distinct_bytes": buffers.distinct_bytes_of(content),
                }
            )

    async def _receive_content(self, block: Block, content: memoryview, until: float) -> int:
        """Receive the next message; return how much of the block it brought."""
        protocol, op, header = await self._header(until)
        if (protocol, op) != (EDONKEY, Op.CONTENT):
            rest = await self._rest(protocol, op, header, until)
            if (protocol, op) == (EDONKEY, Op.OUT_OF_PARTS):
                raise Lost(Loss.CLOSED)
            del rest
            return 0
        length = messages.frame_length(header) - 1 - CONTENT_HEADER_BYTES
        about = await self._exactly(CONTENT_HEADER_BYTES, until)
        self._recorder.received(header + about)
        begin, end = struct.unpack_from("<II", about, HASH_BYTES)
        is_asked = block.start <= begin < end <= block.start + block.size
        if not is_asked or end - begin != length or not about.startswith(self._key.md4):
            raise Malformed("content came that was not asked for")
        with content[begin - block.start : end - block.start] as piece:
            await self._fill(piece, until)
            self._recorder.elided("block", length, buffers.sha256_of(piece))
        return length

    async def _send(self, data: bytes) -> None:
        await self._link.send(data)
        self._recorder.sent(data)

    async def _next(self, until: float) -> tuple[int, int, bytes]:
        """Return the next message: protocol, opcode and what is kept of the rest."""
        protocol, op, header = await self._header(until)
        return protocol, op, await self._rest(protocol, op, header, until)

    async def _header(self, until: float) -> tuple[int, int, bytes]:
        header = await self._exactly(FRAME_BYTES, until)
        messages.frame_length(header)
        return header[0], header[FRAME_BYTES - 1], header

    async def _rest(self, protocol: int, op: int, header: bytes, until: float) -> bytes:
        length = messages.frame_length(header) - 1
        kind, kept = ELIDED.get((protocol, op), ("", length))
        if kind == "block":
            raise Malformed("content came that was not asked for")
        begun = await self._exactly(min(kept, length), until)
        self._recorder.received(header + begun)
        if length > kept:
            rest = await self._exactly(length - kept, until)
            self._recorder.elided(kind, len(rest), buffers.sha256_of(memoryview(rest)))
        return begun

    async def _exactly(self, count: int, until: float) -> bytes:
        data = bytearray(count)
        with memoryview(data) as memory:
            await self._fill(memory, until)
        return bytes(data)

    async def _fill(self, memory: memoryview, until: float) -> None:
        filled = 0
        while filled < len(memory):
            count = await self._link.receive_into(memory[filled:], until=until)
            if count == 0:
                raise Lost(Loss.CLOSED)
            filled += count
