"""Replays a conversation of eDonkey for ``verify.py``, beside which it lies: standard library.

Sources: eMule Protocol Specification (Kulbak, Bickson, 2005); AICH as in eMule's SHAHashSet.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

DISTINCT_BYTES = 64  # as in verify.py
PART, BLOCK = 9_728_000, 180 * 1024
MESSAGE_BYTES = 1 << 16
# Protocol and opcode of the messages that matter, and how long those kept whole may be.
HELLO, HELLO_ANSWER, NAME = b"\xe3\x01", b"\xe3\x4c", b"\xe3\x59"
STATUS, CONTENT, REQUEST = b"\xe3\x50", b"\xe3\x46", b"\xe3\x47"
HASHES, HASHES_REQUEST = b"\xc5\x9c", b"\xc5\x9b"
WHOLE = {HELLO: 2048, HELLO_ANSWER: 2048, STATUS: 8210, HASHES: 12_330, b"\xc5\x60": 16}
WHOLE |= dict.fromkeys((b"\xe3\x48", b"\xe3\x55", b"\xe3\x57"), 16)
BEGUN = {NAME: 16, CONTENT: 24}  # of others nothing is kept
# How long the values of tags are, by their type, or how long the number before them is.
FIXED = {1: 16, 3: 4, 4: 4, 5: 1, 8: 2, 9: 1, 11: 8, **{16 + i: i for i in range(1, 17)}}
COUNTED = {2: 2, 7: 4, 10: 1}

type Fields = Mapping[str, Any]


def number(data: bytes | bytearray) -> int:
    """Return a number as eDonkey writes it."""
    return int.from_bytes(data, "little")


class Ed2k:
    """One conversation, heard again; ``require`` raises where the protocol is broken."""

    def __init__(self, key: Fields, require: Callable[[bool, str], None]) -> None:
        self.require = require
        self.md4, self.root = bytes.fromhex(key["md4"]), bytes.fromhex(key["aich"])
        self.size, self.weak = key["size_bytes"], set(key["weak"])
        require(0 < self.size <= 1 << 48, "the listed key is of no file")
        self.parts = -(-self.size // PART)
        self.data = {">": bytearray(), "<": bytearray()}
        self.ours, self.theirs, self.is_known = b"", b"", False
        self.held: int | None = None  # a bit for each part, the first one's lowest
        self.asked: set[tuple[int, int]] = set()
        self.asked_hashes: set[int] = set()
        self.sent: list[tuple[int, int, str]] = []
        self.hashes: dict[int, dict[int, bytes]] = {}
        self.proof: dict[str, Any] | None = None

    def hear(self, kind: str, value: Any) -> None:  # noqa: ANN401 - bytes or fields
        """Take the next event."""
        if isinstance(value, bytes):
            self.data[kind] += value
            for op, body in self._messages(kind):
                if kind == ">":
                    self._say(op, body)
                else:
                    self._take(op, body)
        elif kind == "<":
            self._elide(value["length"], value["sha256"])
        elif kind == "=" and self.is_known:
            self.proof = self.proof or self._proof(value)

    def _messages(self, kind: str) -> Iterator[tuple[bytes, bytes]]:
        while len(self.data[kind]) > 5:
            data = self.data[kind]
            op, end = self._head(data)
            if len(data) < end:
                return
            body = bytes(data[6:end])
            del data[:end]
            yield op, body

    def _head(self, data: bytes | bytearray) -> tuple[bytes, int]:
        """Return what kind of message begins here, and where it ends."""
        length = number(data[1:5])
        is_one = data[0] in b"\xe3\xc5\xd4" and 0 < length <= MESSAGE_BYTES
        self.require(is_one, "what comes is no message, or too long")
        return bytes([data[0], data[5]]), 5 + length

    def _say(self, op: bytes, body: bytes) -> None:
        if not self.ours:
            self.require(op == HELLO and len(body) > 16, "we did not introduce ourselves first")
            self.ours = body[1:17]
        elif body[:16] == self.md4 and op == REQUEST and len(body) == 40:
            self.asked.add((number(body[16:20]), number(body[28:32])))
        elif body[:16] == self.md4 and op == HASHES_REQUEST and len(body) > 17:
            self.asked_hashes.add(number(body[16:18]))

    def _take(self, op: bytes, body: bytes) -> None:
        self.require(self.ours != b"", "the peer spoke first")
        if op == HELLO_ANSWER:
            self._require_introduction(body)
            self.require(body[:16] != self.ours, "an echo of our own introduction")
            self.theirs = self.theirs or body[:16]
        elif self.theirs and body[:16] == self.md4:
            if op == STATUS:
                self._take_status(number(body[16:18]), body[18:], len(body) - 16)
            elif op == HASHES:
                part, root = number(body[16:18]), body[18:38]
                if part in self.asked_hashes and root == self.root:
                    self.hashes[part] = self._hashes_in(body[38:])
            self.is_known = self.is_known or op in {STATUS, NAME}

    def _require_introduction(self, body: bytes) -> None:
        count, at = number(body[22:26]), 26
        self.require(len(body) >= at and count <= 64, "no introduction")
        for _ in range(count):
            self.require(at < len(body), "an introduction ends too early")
            kind = body[at] & 0x7F
            at += 2 if body[at] & 0x80 else 3 + number(body[at + 1 : at + 3])
            self.require(kind in FIXED or kind in COUNTED, "a tag is of no known type")
            width = COUNTED.get(kind, 0)
            at += FIXED.get(kind, width + number(body[at : at + width]))
            self.require(at <= len(body), "an introduction ends too early")

    def _take_status(self, count: int, bits: bytes, length: int) -> None:
        every = (1 << self.parts) - 1
        if count == 0 and length == 2:
            self.held = every
            return
        is_its = length > 1 and count == self.size // PART + 1 and len(bits) == -(-count // 8)
        self.require(is_its, "the parts are of another file")
        self.held = number(bits) & every

    def _hashes_in(self, body: bytes) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for width in (2, 4):
            if found and not body:
                break
            count, step = number(body[:2]), width + 20
            is_so = len(body) > 1 and count <= 512 and len(body) >= 2 + count * step
            self.require(is_so, "the hashes end too early, or are too many")
            for at in range(2, 2 + count * step, step):
                found[number(body[at : at + width])] = body[at + width : at + step]
            body = body[2 + count * step :]
        self.require(not body, "something follows the hashes")
        return found

    def _elide(self, length: int, digest: str) -> None:
        begun, self.data["<"] = self.data["<"], bytearray()
        self.require(self.theirs != b"" and len(begun) > 5, "nothing was begun that ends so")
        op, end = self._head(begun)
        kept = min(BEGUN.get(op, 0), end - 6)
        is_so = op not in WHOLE and len(begun) == 6 + kept and 0 < end - len(begun) == length
        self.require(is_so, "something is left out where nothing may be")
        if begun[6:22] != self.md4:
            return
        self.is_known = self.is_known or op == NAME
        if op == CONTENT:
            begin, until = number(begun[22:26]), number(begun[26:30])
            is_asked = any(a <= begin and until <= b for a, b in self.asked)
            if is_asked and until - begin == length:
                self.sent.append((begin, until, digest))

    def _proof(self, found: Fields) -> dict[str, Any] | None:
        part, at, length = found["piece"], found.get("offset", -1), found["length"]
        start = part * PART + at
        is_shown = at >= 0 and part < self.parts and at % BLOCK == 0
        left = min(PART, self.size - part * PART) - at
        is_shown = is_shown and length == min(BLOCK, left) > 0
        is_shown = is_shown and part * -(-PART // BLOCK) + at // BLOCK not in self.weak
        is_shown = is_shown and self._is_sent(start, length, found["sha256"])
        if not is_shown or found["distinct_bytes"] < DISTINCT_BYTES or "sha1" not in found:
            return None
        given = self.hashes.get(part, {})
        if self._led(start, length, bytes.fromhex(found["sha1"]), given) != self.root:
            return None
        kept = {one: found[one] for one in ("piece", "sha256", "distinct_bytes")}
        place = {"offset_bytes": start, "length_bytes": length, "digest": found["sha1"]}
        return {**kept, **place}

    def _is_sent(self, start: int, length: int, digest: str) -> bool:
        """Return whether the block was asked for, and came from its first byte to its last."""
        end = start + length
        came = sorted(one for one in self.sent if start <= one[0] < end)
        begins, ends = [one[0] for one in came], [one[1] for one in came]
        is_so = (start, end) in self.asked and [start, *ends] == [*begins, end]
        return is_so and (len(came) > 1 or came[0][2] == digest)

    def _led(self, at: int, size: int, digest: bytes, given: Mapping[int, bytes]) -> bytes:
        """Return the root that a block leads to: down, noting what lies beside, and up."""
        node, way = (0, self.size, 1), []
        while node[:2] != (at, size):
            halves = _halves(*node)
            if halves is None:
                return b""
            is_right = at >= halves[1][0]
            way.append((is_right, halves[not is_right]))
            node = halves[is_right]
        for is_right, beside in reversed(way):
            other = _hash_of(beside, given)
            if other is None:
                return b""
            digest = _sha1(other + digest if is_right else digest + other)
        return digest

    def shown(self) -> dict[str, Any]:
        """Return what the conversation shows, in the words of a record."""
        held = self.held or 0
        count = {"held": held.bit_count(), "total": self.parts}
        count |= {"listed_held": held.bit_count(), "listed_total": self.parts}
        wire = hashlib.sha256(held.to_bytes(-(-self.parts // 8), "little")).hexdigest()
        level = 4 if self.proof else 3 if held else 2 if self.is_known else 1
        claims = None if self.held is None else {**count, "bitfield_sha256": wire}
        client = self.theirs.hex() if self.is_known else None
        return {"level": level, "client": client, "claims": claims, "proof": self.proof}


type Node = tuple[int, int, int]  # where it starts, how long it is, its number


def _halves(start: int, size: int, name: int) -> tuple[Node, Node] | None:
    """Return what a node is made of: whole parts or blocks, one more left where it is left."""
    unit = PART if size > PART else BLOCK
    if size <= unit:
        return None
    left = (-(-size // unit) + name % 2) // 2 * unit
    return (start, left, 2 * name + 1), (start + left, size - left, 2 * name)


def _hash_of(node: Node, given: Mapping[int, bytes]) -> bytes | None:
    """Return what was given of a node, or within a part of all that it is made of."""
    if node[2] in given:
        return given[node[2]]
    halves = _halves(*node) if node[1] <= PART else None
    both = [_hash_of(half, given) for half in halves or ()]
    known = [one for one in both if one is not None]
    return _sha1(b"".join(known)) if len(known) == 2 else None


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()
