"""What a transcript of an eDonkey conversation shows; nothing else sets its level; pure.

It replays what was said, both ways. A fault on either side ends the replay there, and what was
reached before stands. ``evidence.verify`` reaches the same judgement with code of its own.

On this network a peer introduces itself to anybody, whatever it has. So the second level needs
more than on others: it introduced itself, with another user hash than ours, *and* answered for
the listed file, by calling its name or saying which parts it has. Parts that it says it has are
the third, and a block of 180 KiB that leads to the listed AICH root is the fourth. A user hash
is what anybody chooses to say: it is compared with our own, and is no identity.
"""

import hashlib
import struct
from dataclasses import dataclass, field

from protech.evidence.events import Elided, Event, Measured, Received, Sent, Tried
from protech.evidence.transcript import parse
from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Claims, Level, Proof, Target
from protech.locate.ed2k import messages
from protech.locate.ed2k.aich import Block, blocks_of, leads_to, parse_recovery
from protech.locate.ed2k.messages import (
    AICH_BYTES,
    EDONKEY,
    EMULE,
    FRAME_BYTES,
    HASH_BYTES,
    Op,
)
from protech.locate.ed2k.tags import Malformed

DISTINCT_BYTES = 64
"""Compressed media has nearly all 256 values of a byte in any block; filler has few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a conversation shows; below its handshake nothing is known of the peer."""

    level: Level
    user_hash: bytes | None = field(default=None, repr=False)
    claims: Claims | None = None
    proof: Proof | None = None
    is_weak: bool = False
    """Whether it sent a listed block that proves nothing: it has few different bytes."""
    is_faulty: bool = False
    """Whether the replay ended before the transcript did."""


def judge(content: bytes, target: Target) -> Judgement:
    """Return what a transcript shows of a target.

    Raises:
        NoTranscript: It is none.
        TypeError: The target is of another network.
    """
    transcript = parse(content)
    key = target.key
    if not isinstance(key, Ed2kFile):
        raise TypeError("the target is none of eDonkey")
    if transcript.transport is None:
        return Judgement(level=Level.MENTIONED)
    replay = _Replay(key, target.weak | set(key.weak))
    is_faulty = False
    try:
        for event in transcript.events:
            replay.take(event)
    except Malformed:
        is_faulty = True
    return replay.judgement(is_faulty=is_faulty)


class _Replay:
    """One conversation, event by event."""

    def __init__(self, key: Ed2kFile, weak: frozenset[int]) -> None:
        self._key = key
        self._weak = weak
        self._out = bytearray()
        self._in = bytearray()
        self._ours: bytes | None = None
        self._theirs: bytes | None = None
        self._knows_file = False
        self._parts: frozenset[int] | None = None
        self._asked: set[tuple[int, int]] = set()
        self._asked_hashes: set[int] = set()
        self._content: list[tuple[int, int, bytes]] = []
        self._hashes: dict[int, dict[int, bytes]] = {}
        self._proof: Proof | None = None
        self._is_weak = False

    def take(self, event: Event) -> None:
        match event:
            case Sent():
                self._out += event.data
                for protocol, op, content in messages.frames(self._out):
                    self._say(protocol, op, content)
            case Received():
                self._in += event.data
                for protocol, op, content in messages.frames(self._in):
                    self._hear(protocol, op, content)
            case Elided():
                self._elide(event)
            case Measured():
                self._measure(event)
            case Tried():
                pass

    def judgement(self, *, is_faulty: bool) -> Judgement:
        level = Level.ANSWERS
        if self._proof is not None:
            level = Level.DELIVERED
        elif self._parts:
            level = Level.CLAIMS
        elif self._knows_file:
            level = Level.HANDSHAKE
        return Judgement(
            level=level,
            user_hash=self._theirs if self._knows_file else None,
            claims=None if self._parts is None else self._claims(self._parts),
            proof=self._proof,
            is_weak=self._is_weak,
            is_faulty=is_faulty,
        )

    def _claims(self, parts: frozenset[int]) -> Claims:
        total = messages.parts_of(self._key.size_bytes)
        bits = bytearray(-(-total // 8))
        for part in parts:
            bits[part // 8] |= 1 << part % 8
        return Claims(
            held=len(parts),
            total=total,
            listed_held=len(parts),
            listed_total=total,
            bitfield_sha256=hashlib.sha256(bits).digest(),
        )

    def _say(self, protocol: int, op: int, content: bytes) -> None:
        if self._ours is None:
            if (protocol, op) != (EDONKEY, Op.HELLO) or len(content) <= HASH_BYTES:
                raise Malformed("we did not introduce ourselves first")
            self._ours = content[1 : 1 + HASH_BYTES]
        elif not content.startswith(self._key.md4):
            return
        elif (protocol, op) == (EDONKEY, Op.REQUEST_PARTS) and len(content) == HASH_BYTES + 24:
            begin, end = struct.unpack_from("<I8xI", content, HASH_BYTES)
            self._asked.add((begin, end))
        elif (protocol, op) == (EMULE, Op.AICH_REQUEST) and len(content) >= HASH_BYTES + 2:
            self._asked_hashes.add(int.from_bytes(content[HASH_BYTES:][:2], "little"))

    def _hear(self, protocol: int, op: int, content: bytes) -> None:
        if self._ours is None:
            raise Malformed("it spoke before we did")
        if (protocol, op) == (EDONKEY, Op.HELLO_ANSWER):
            found = messages.parse_hello_answer(content).user_hash
            if found == self._ours:
                raise Malformed("an echo")
            self._theirs = self._theirs or found
        elif self._theirs is None or not content.startswith(self._key.md4):
            return
        elif (protocol, op) == (EDONKEY, Op.FILE_STATUS):
            size = self._key.size_bytes
            self._parts = messages.parse_status(content[HASH_BYTES:], size_bytes=size)
            self._knows_file = True
        elif (protocol, op) == (EDONKEY, Op.NAME):
            self._knows_file = True
        elif (protocol, op) == (EMULE, Op.AICH_ANSWER):
            self._take_hashes(content[HASH_BYTES:])

    def _take_hashes(self, content: bytes) -> None:
        part = int.from_bytes(content[:2], "little")
        root = content[2 : 2 + AICH_BYTES]
        if part in self._asked_hashes and root == self._key.aich:
            self._hashes[part] = parse_recovery(content[2 + AICH_BYTES :])

    def _elide(self, event: Elided) -> None:
        """Take the end of a message that is not kept."""
        begun = bytes(self._in)
        self._in = bytearray()
        if self._theirs is None or len(begun) < FRAME_BYTES:
            raise Malformed("nothing was begun that could end so")
        kind = begun[0], begun[FRAME_BYTES - 1]
        length = messages.frame_length(begun) - 1
        _, kept = messages.kept_of(*kind, length)
        if len(begun) != FRAME_BYTES + kept or not 0 < length - kept == event.length_bytes:
            raise Malformed("a message does not end so")
        if not begun.startswith(self._key.md4, FRAME_BYTES):
            return
        if kind == (EDONKEY, Op.NAME):
            self._knows_file = True
        elif kind == (EDONKEY, Op.CONTENT):
            begin, end = struct.unpack_from("<II", begun, FRAME_BYTES + HASH_BYTES)
            is_asked = any(a <= begin and end <= b for a, b in self._asked)
            if is_asked and end - begin == event.length_bytes:
                self._content.append((begin, end, event.sha256))

    def _measure(self, event: Measured) -> None:
        if not self._knows_file or self._proof is not None:
            return
        block = self._block_at(event)
        if block is None or event.sha1 is None or not self._was_sent(block, event.sha256):
            return
        given = self._hashes.get(event.piece, {})
        size = self._key.size_bytes
        if not leads_to(self._key.aich, block, event.sha1, size_bytes=size, given=given):
            return
        if event.distinct_bytes < DISTINCT_BYTES:
            self._is_weak = True
            return
        self._proof = Proof(
            piece=event.piece,
            offset_bytes=block.start,
            length_bytes=block.size,
            digest=event.sha1,
            sha256=event.sha256,
            distinct_bytes=event.distinct_bytes,
        )

    def _block_at(self, event: Measured) -> Block | None:
        """Return the block that was measured; None where it is none, or proves nothing."""
        size = self._key.size_bytes
        if event.offset_bytes is None or event.piece >= messages.parts_of(size):
            return None
        start = event.piece * messages.PART_BYTES + event.offset_bytes
        for block in blocks_of(size, event.piece):
            if (block.start, block.size) == (start, event.length_bytes):
                return None if block.place in self._weak else block
        return None

    def _was_sent(self, block: Block, sha256: bytes) -> bool:
        """Whether what was asked for came, from the first byte of a block to its last."""
        end = block.start + block.size
        if (block.start, end) not in self._asked:
            return False
        sent = sorted(one for one in self._content if block.start <= one[0] < end)
        at = block.start
        for begin, until, _ in sent:
            if begin != at:
                return False
            at = until
        return at == end and (len(sent) > 1 or sent[0][2] == sha256)
