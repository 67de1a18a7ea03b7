"""A conversation with one eDonkey client about one file, up to one block of it.

It offers nothing and keeps nothing: the file's name, as the peer calls it, content, and what
else we did not ask for stand in the transcript as their digests only. What follows the header
of a message is read no sooner than it is known what it is, so that a block that was asked for
goes from the system into locked memory, and anything else through a few bytes that are
overwritten.
"""

import asyncio
import hashlib
import struct
from contextlib import closing

from protech.evidence.transcript import Recorder, TranscriptFull
from protech.lists.fetch_key import Ed2kFile
from protech.locate import buffers
from protech.locate.adapter import Outcome
from protech.locate.ed2k import messages
from protech.locate.ed2k.aich import Block, leads_to, parse_recovery
from protech.locate.ed2k.messages import (
    CONTENT_HEADER_BYTES,
    EDONKEY,
    EMULE,
    FRAME_BYTES,
    HASH_BYTES,
    Hello,
    Op,
)
from protech.locate.ed2k.tags import Malformed
from protech.locate.links import Limits, Link
from protech.locate.loss import Loss, Lost

SCRATCH_BYTES = 4096
"""What is not kept is read in pieces so long, each over the last one."""


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
        self._is_heard = False
        self._is_waiting = False

    async def greet(self, user_hash: bytes, until: float) -> None:
        """Introduce ourselves, and hear who the peer says it is.

        Raises:
            AuthorityError: Nothing may be sent.
            Ended: It is no eDonkey client, or none that speaks in clear.
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
            raise Ended(Outcome.CLOSED) from None
        except (Malformed, TranscriptFull):
            known = Outcome.MALFORMED if self._is_heard else Outcome.OTHER_PROTOCOL
            raise Ended(known) from None
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
            await self._wait_for_hashes(block, until)
            await self._wait_for_leave(until)
            await self._measure(block)
        except (Lost, TimeoutError):
            return Outcome.CHOKED if self._is_waiting else Outcome.REFUSED
        except (Malformed, TranscriptFull):
            return Outcome.MALFORMED
        except Ended as ended:
            return ended.outcome
        return None

    def close(self) -> None:
        """End it."""
        self._link.close()

    async def _wait_for_hashes(self, block: Block, until: float) -> None:
        """Ask for the hashes above a block; without true ones no content is asked for."""
        size, root = self._key.size_bytes, self._key.aich
        if block.size == size:
            return
        part = block.start // messages.PART_BYTES
        await self._send(messages.aich_request(self._key.md4, part, root))
        about = self._key.md4 + struct.pack("<H", part) + root
        while True:
            protocol, op, content = await self._next(until)
            if (protocol, op) == (EMULE, Op.AICH_ANSWER):
                if not content.startswith(about):
                    raise Ended(Outcome.REFUSED)  # it has none: its file is not whole
                given = parse_recovery(content[len(about) :])
                if not leads_to(root, block, None, size_bytes=size, given=given):
                    raise Malformed("the hashes do not lead to the root that they are for")
                return

    async def _wait_for_leave(self, until: float) -> None:
        """Ask for a place in the queue, and wait until it is our turn."""
        self._is_waiting = True
        await self._send(messages.message(Op.START_UPLOAD, self._key.md4))
        while self._is_waiting:
            protocol, op, _ = await self._next(until)
            self._is_waiting = (protocol, op) != (EDONKEY, Op.ACCEPT_UPLOAD)

    async def _measure(self, block: Block) -> None:
        begin, end = block.start, block.start + block.size
        until = asyncio.get_running_loop().time() + self._limits.piece_s
        with (
            buffers.locked_buffer(block.size) as content,
            closing(self._link),
        ):
            await self._send(messages.request_parts(self._key.md4, begin, end))
            filled = 0
            while filled < block.size:
                filled += await self._receive_content(begin + filled, end, content, until)
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

    async def _receive_content(
        self, begin: int, end: int, content: memoryview, until: float
    ) -> int:
        """Receive the next message; return how much it brought of what is still missing.

        Args:
            begin: Of what is missing: clients send what was asked for in one go.
            end: Of the block.
            content: The whole block's memory.
            until: When to give up, in the loop's time.
        """
        protocol, op, length = await self._header(until)
        if (protocol, op) != (EDONKEY, Op.CONTENT):
            await self._rest(protocol, op, length, until)
            if (protocol, op) == (EDONKEY, Op.OUT_OF_PARTS):
                raise Ended(Outcome.REFUSED)
            return 0
        about = await self._clear(CONTENT_HEADER_BYTES, until)
        size = length - CONTENT_HEADER_BYTES
        first, last = struct.unpack_from("<II", about, HASH_BYTES)
        is_next = first == begin < last == begin + size <= end
        if not is_next or not about.startswith(self._key.md4):
            raise Malformed("content came that was not asked for")
        at = len(content) - (end - begin)
        with content[at : at + size] as piece:
            await self._fill(piece, until)
            self._recorder.elided("block", size, buffers.sha256_of(piece))
        return size

    async def _send(self, data: bytes) -> None:
        await self._link.send(data)
        self._recorder.sent(data)

    async def _next(self, until: float) -> tuple[int, int, bytes]:
        """Return the next message: protocol, opcode and what is kept of the rest."""
        protocol, op, length = await self._header(until)
        if (protocol, op) == (EDONKEY, Op.CONTENT):
            raise Malformed("content came that was not asked for")
        return protocol, op, await self._rest(protocol, op, length, until)

    async def _header(self, until: float) -> tuple[int, int, int]:
        """Return protocol and opcode of the next message, and the length of its rest."""
        header = await self._clear(FRAME_BYTES, until)
        length = messages.frame_length(header) - 1
        self._is_heard = True
        return header[0], header[FRAME_BYTES - 1], length

    async def _rest(self, protocol: int, op: int, length: int, until: float) -> bytes:
        kind, kept = messages.kept_of(protocol, op, length)
        begun = await self._clear(kept, until)
        if length > kept:
            digest = await self._pass_over(length - kept, until)
            self._recorder.elided(kind, length - kept, digest)
        return begun

    async def _pass_over(self, count: int, until: float) -> bytes:
        """Return the SHA-256 of what comes next, of which nothing is kept."""
        digest = hashlib.sha256()
        scratch = bytearray(min(count, SCRATCH_BYTES))
        try:
            with memoryview(scratch) as memory:
                while count:
                    with memory[:count] as part:
                        await self._fill(part, until)
                        digest.update(part)
                        count -= len(part)
        finally:
            scratch[:] = bytes(len(scratch))
        return digest.digest()

    async def _clear(self, count: int, until: float) -> bytes:
        """Return so many bytes, and take down what came of them."""
        data = bytearray(count)
        filled = 0
        try:
            with memoryview(data) as memory:
                while filled < count:
                    with memory[filled:] as rest:
                        filled += await self._receive(rest, until)
        finally:
            if filled:
                self._recorder.received(data[:filled])
        return bytes(data)

    async def _fill(self, memory: memoryview, until: float) -> None:
        filled = 0
        while filled < len(memory):
            # Released even where it ends here: else locked memory could not be given back.
            with memory[filled:] as rest:
                filled += await self._receive(rest, until)

    async def _receive(self, memory: memoryview, until: float) -> int:
        count = await self._link.receive_into(memory, until=until)
        if count == 0:
            raise Lost(Loss.CLOSED)
        return count
