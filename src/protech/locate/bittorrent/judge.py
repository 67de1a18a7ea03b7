"""What a transcript shows: the level of a sighting, and nothing else sets it; pure.

It replays what was said, both ways. A fault on either side ends the replay there, and what was
reached before stands. ``evidence.verify`` reaches the same judgement with code of its own.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from protech.evidence.events import Elided, Event, Measured, Received, Sent, Tried
from protech.evidence.transcript import parse
from protech.lists.fetch_key import Ed2kFile, TorrentTree
from protech.locate.adapter import Claims, Level, Proof, Target
from protech.locate.bittorrent import messages
from protech.locate.bittorrent.held import Held, TorrentKey
from protech.locate.bittorrent.messages import (
    HANDSHAKE_BYTES,
    HASH_BYTES,
    HEADER_BYTES,
    PROTOCOL,
    Kind,
    Malformed,
)
from protech.locate.bittorrent.proofs import DISTINCT_BYTES, Hashes, proof_of

_BEFORE_HASH = len(PROTOCOL) + 8
_BEFORE_ID = _BEFORE_HASH + HASH_BYTES
_ELIDABLE: dict[int, int] = {Kind.PIECE: HEADER_BYTES, Kind.EXTENDED: 6}
"""How much of a message must stand before its end may be left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a conversation shows; below its handshake nothing is known of the peer."""

    level: Level
    peer_id: bytes | None = field(default=None, repr=False)
    claims: Claims | None = None
    proof: Proof | None = None
    is_weak: bool = False
    """Whether it sent a listed piece that proves nothing: it has few different bytes."""
    is_faulty: bool = False
    """Whether the replay ended before the transcript did."""


def judge(content: bytes, target: Target) -> Judgement:
    """Return what a transcript shows of a target.

    Raises:
        NoTranscript: It is none.
        TypeError: The target is of another network.
    """
    transcript = parse(content)
    replay = Replay(target)
    for event in transcript.events:
        replay.take(event)
    return replay.judgement(has_connection=transcript.transport is not None)


class Replay:
    """One conversation, event by event; nothing counts that comes after a fault."""

    __slots__ = (
        "_asked",
        "_blocks",
        "_hashes",
        "_held",
        "_in",
        "_is_fast",
        "_is_faulty",
        "_is_weak",
        "_key",
        "_names",
        "_ours",
        "_out",
        "_proof",
        "_requested",
        "_theirs",
        "_total",
        "_weak",
    )

    def __init__(self, target: Target) -> None:
        """Begin with nothing said.

        Raises:
            TypeError: The target is of another network.
        """
        key = target.key
        if isinstance(key, Ed2kFile):
            raise TypeError("the target is none of BitTorrent")
        self._key: TorrentKey = key
        self._names = (key.info_hash[:HASH_BYTES], key.twin)
        self._weak = target.weak.union(key.weak)
        self._is_faulty = False
        self._total = key.torrent_pieces
        self._out = bytearray()
        self._in = bytearray()
        self._ours = b""
        self._theirs = b""
        self._is_fast = False
        self._held = Held(key)
        self._requested: set[tuple[int, int, int]] = set()
        self._asked: set[bytes] = set()
        self._blocks: dict[tuple[int, int], tuple[int, bytes]] = {}
        self._hashes: list[Hashes] = []
        self._proof: Proof | None = None
        self._is_weak = False

    def take(self, event: Event) -> None:
        """Take what was said or measured next."""
        if self._is_faulty:
            return
        try:
            match event:
                case Sent():
                    self.sent(event.data)
                case Received():
                    self.received(event.data)
                case Elided():
                    self._elide(event)
                case Measured():
                    self._measure(event)
                case Tried():
                    pass
        except Malformed:
            self._is_faulty = True

    def sent(self, data: bytes) -> None:
        """Take what we sent next."""
        if not self._is_faulty:
            self._out += data
            try:
                self._read_out()
            except Malformed:
                self._is_faulty = True

    def received(self, data: bytes) -> None:
        """Take what the peer sent next."""
        if not self._is_faulty:
            self._in += data
            try:
                self._read_in()
            except Malformed:
                self._is_faulty = True

    def judgement(self, *, has_connection: bool) -> Judgement:
        """Return what it shows up to now.

        Args:
            has_connection: Whether one stood at all.
        """
        if not self._theirs or not has_connection:
            level = Level.ANSWERS if has_connection else Level.MENTIONED
            return Judgement(level=level, is_faulty=self._is_faulty)
        level = Level.HANDSHAKE
        if self._proof is not None:
            level = Level.DELIVERED
        elif self._held.listed:
            level = Level.CLAIMS
        return Judgement(
            level=level,
            peer_id=self._theirs[_BEFORE_ID:],
            claims=self._held.claims,
            proof=self._proof,
            is_weak=self._is_weak,
            is_faulty=self._is_faulty,
        )

    def _read_out(self) -> None:
        if not self._ours:
            if len(self._out) < HANDSHAKE_BYTES:
                return
            self._ours = self._handshake_in(self._out, self._names[:1])
        if not self._out:
            return
        for kind, message in self._messages(self._out):
            if kind == Kind.REQUEST and len(message) == 17:
                piece, offset, length = struct.unpack_from(">III", message, 5)
                self._requested.add((piece, offset, length))
            elif kind == Kind.HASH_REQUEST and len(message) == 53:
                self._asked.add(message[5:])

    def _read_in(self) -> None:
        if not self._theirs:
            if len(self._in) < HANDSHAKE_BYTES:
                return
            if not self._ours:
                raise Malformed("it spoke before we did")
            theirs = self._handshake_in(self._in, self._names)
            if theirs[_BEFORE_ID:] == self._ours[_BEFORE_ID:]:
                raise Malformed("an echo")
            self._theirs = theirs
            self._is_fast = messages.is_fast(self._reserved(theirs)) and messages.is_fast(
                self._reserved(self._ours)
            )
        if self._in:
            for kind, message in self._messages(self._in):
                self._hear(kind, message)

    @staticmethod
    def _handshake_in(data: bytearray, names: tuple[bytes | None, ...]) -> bytes:
        """Take a handshake for a torrent of these names from the beginning of ``data``."""
        found = bytes(data[:HANDSHAKE_BYTES])
        del data[:HANDSHAKE_BYTES]
        if not found.startswith(PROTOCOL) or found[_BEFORE_HASH:_BEFORE_ID] not in names:
            raise Malformed("no handshake for this torrent")
        return found

    @staticmethod
    def _reserved(handshake: bytes) -> bytes:
        return handshake[len(PROTOCOL) : _BEFORE_HASH]

    @staticmethod
    def _messages(data: bytearray) -> Iterable[tuple[int, bytes]]:
        """Take each whole message, with its frame, from the beginning of ``data``."""
        at = 0
        try:
            while len(data) - at >= 4:
                end = at + 4 + int.from_bytes(data[at : at + 4])
                if end - at - 4 > messages.MESSAGE_BYTES:
                    raise Malformed("a message is too long")
                if end > len(data):
                    return
                start, at = at, end
                if end - start > 4:
                    yield data[start + 4], bytes(data[start:end])
        finally:
            del data[:at]

    def _hear(self, kind: int, message: bytes) -> None:
        length = len(message) - 4
        if not messages.is_length(kind, length, pieces=self._total, is_fast=self._is_fast):
            raise Malformed("a message has a length that it may not have")
        content = message[5:]
        is_sound = self._take_hashes(content) if kind == Kind.HASHES else True
        if not is_sound or not self._held.hear(kind, content):
            raise Malformed("a message says what cannot be")

    def _take_hashes(self, content: bytes) -> bool:
        fields, rest = content[:48], content[48:]
        if messages.hash_count(fields) != len(rest) / 32:
            return False
        root_is_listed = isinstance(self._key, TorrentTree) and fields[:32] == self._key.root
        if fields in self._asked and root_is_listed:
            self._asked.remove(fields)
            base, index, count = struct.unpack_from(">III", fields, 32)
            each = tuple(rest[at : at + 32] for at in range(0, len(rest), 32))
            if base == 0:  # else they are no leaves
                hashes = Hashes(index=index, leaves=each[:count], uncles=each[count:])
                self._hashes.append(hashes)
        return True

    def _elide(self, event: Elided) -> None:
        """Take the end of a message that is not kept."""
        begun = self._in
        if not self._theirs or len(begun) < 5:
            raise Malformed("nothing was begun that could end so")
        kind, length = begun[4], int.from_bytes(begun[:4])
        lacking = 4 + length - len(begun)
        least = _ELIDABLE.get(kind, len(begun) + 1)
        if len(begun) < least or event.length_bytes != lacking or lacking <= 0:
            raise Malformed("a message does not end so")
        if kind == Kind.PIECE:
            piece, offset = struct.unpack_from(">II", begun, 5)
            asked = (piece, offset, event.length_bytes)
            if len(begun) == HEADER_BYTES and asked in self._requested:
                self._requested.remove(asked)
                self._blocks[piece, offset] = event.length_bytes, event.sha256
        self._in = bytearray()

    def _measure(self, event: Measured) -> None:
        if not self._theirs or self._proof is not None:
            return
        proof = proof_of(self._key, self._weak, event, blocks=self._blocks, hashes=self._hashes)
        if proof is not None and proof.distinct_bytes < DISTINCT_BYTES:
            self._is_weak = True
        else:
            self._proof = proof
