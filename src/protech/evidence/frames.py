"""Frames: how records stand in the file of a log, many in one, each whole or not at all.

A frame is a head of 72 bytes, the leaves of its records in clear (32 bytes each), the records
and their salts encrypted, and a CRC-32. The head has a CRC-32 of its own, so that a file that
was cut can be told from one that was changed: what a kill leaves behind is always a beginning.
A CRC finds every change of a few bits, with the key of the case or without; who changes a log
on purpose meets the cipher, which covers head and leaves, and the tree over the leaves.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from protech.evidence.ciphers import NONCE_BYTES, TAG_BYTES, Cipher
from protech.merkle import HASH_BYTES

MAGIC = b"PTL1"

LOG_ID_BYTES = 16
SALT_BYTES = 16
"""As many as nobody can try: a leaf tells nothing of its record, even where that is short."""

_HEAD = struct.Struct(">4sIQQQ16s12sII")
"""Magic, kind, number, first record, bytes of the body, log, nonce, count, reserved."""
_CRC = struct.Struct(">I")
HEAD_BYTES = _HEAD.size + _CRC.size

RECORDS = 0
ABOUT = 1
"""What the log says of itself, in clear; frame 0 is one, and no other."""

RECORD_BYTES = 64 << 20
BODY_BYTES = 1 << 30
FRAME_RECORDS = 1 << 12


class NoFrame(Exception):
    """Why bytes are no frame; it quotes nothing of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a frame says of itself in clear."""

    kind: int
    number: int
    first: int
    body_bytes: int
    log_id: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    count: int

    @property
    def content(self) -> bytes:
        """The head as it is written."""
        packed = _HEAD.pack(
            MAGIC,
            self.kind,
            self.number,
            self.first,
            self.body_bytes,
            self.log_id,
            self.nonce,
            self.count,
            0,
        )
        return packed + _CRC.pack(zlib.crc32(packed))

    @property
    def frame_bytes(self) -> int:
        """How long the whole frame is."""
        return HEAD_BYTES + self.body_bytes + _CRC.size

    @property
    def end(self) -> int:
        """The number of the first record after it."""
        return self.first + self.count


def parse_head(content: bytes) -> Head:
    """Return the head in ``HEAD_BYTES`` bytes.

    Raises:
        NoFrame: It is none, or was changed.
    """
    packed, check = content[: _HEAD.size], content[_HEAD.size :]
    if len(content) != HEAD_BYTES or check != _CRC.pack(zlib.crc32(packed)):
        raise NoFrame("its head was changed")
    magic, kind, number, first, body_bytes, log_id, nonce, count, rest = _HEAD.unpack(packed)
    is_sane = body_bytes <= BODY_BYTES and count <= FRAME_RECORDS and rest == 0
    if magic != MAGIC or kind not in {RECORDS, ABOUT} or not is_sane:
        raise NoFrame("its head is none of this version")
    return Head(
        kind=kind,
        number=number,
        first=first,
        body_bytes=body_bytes,
        log_id=log_id,
        nonce=nonce,
        count=count,
    )


def about_frame(log_id: bytes, content: bytes) -> bytes:
    """Return frame 0, which says in clear what log this is."""
    head = Head(
        kind=ABOUT,
        number=0,
        first=0,
        body_bytes=len(content),
        log_id=log_id,
        nonce=bytes(NONCE_BYTES),
        count=0,
    )
    return _whole(head, content)


def records_frame(head: Head, leaves: bytes, salted: Sequence[bytes], cipher: Cipher) -> bytes:
    """Return a frame of records.

    Args:
        head: Its ``body_bytes`` is what ``body_bytes`` gives, its nonce drawn for this frame.
        leaves: The records' leaf hashes, one after the other.
        salted: Each record behind its salt.
        cipher: Of the log.
    """
    sizes = struct.pack(f">{len(salted)}I", *map(len, salted))
    sealed = cipher.seal(b"".join((sizes, *salted)), _bound(head, leaves), nonce=head.nonce)
    return _whole(head, leaves, memoryview(sealed)[NONCE_BYTES:])


def body_bytes(count: int, salted_bytes: int) -> int:
    """Return how long the body is of so many records and their salts."""
    return count * (HASH_BYTES + 4) + salted_bytes + TAG_BYTES


def check_body(head: Head, rest: bytes) -> bytes:
    """Return the body in what follows the head of a frame.

    Raises:
        NoFrame: It was changed.
    """
    body, check = rest[: head.body_bytes], rest[head.body_bytes :]
    if check != _CRC.pack(zlib.crc32(body)):
        raise NoFrame("its content was changed")
    if head.kind == RECORDS and len(body) < body_bytes(head.count, 0):
        raise NoFrame("it is too short for its records")
    return body


def leaves_of(head: Head, body: bytes) -> list[bytes]:
    """Return the leaf hashes in the body of a frame."""
    ends = range(HASH_BYTES, (head.count + 1) * HASH_BYTES, HASH_BYTES)
    return [body[end - HASH_BYTES : end] for end in ends]


def salted_of(head: Head, body: bytes, cipher: Cipher) -> list[bytes]:
    """Return the records in the body of a frame, each behind its salt.

    Raises:
        NoFrame: It was changed on purpose, or is under another key.
    """
    leaves = body[: head.count * HASH_BYTES]
    sealed = head.nonce + body[len(leaves) :]
    content = cipher.open(sealed, _bound(head, leaves))
    sizes = struct.unpack_from(f">{head.count}I", content)
    ends = list(accumulate(sizes, initial=4 * head.count))
    if ends[-1] != len(content) or min(sizes, default=SALT_BYTES) < SALT_BYTES:
        raise NoFrame("its records are not as long as it says")
    return [content[start:end] for start, end in pairwise(ends)]


def _bound(head: Head, leaves: bytes) -> bytes:
    """Return what the cipher covers besides the records: which log, frame, records, leaves."""
    return head.content + leaves


def _whole(head: Head, *body: bytes | memoryview) -> bytes:
    check = 0
    for part in body:
        check = zlib.crc32(part, check)
    return b"".join((head.content, *body, _CRC.pack(check)))
