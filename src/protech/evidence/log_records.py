"""Records on their way into frames of a log, and out of them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from protech.errors import TrustError
from protech.evidence.ciphers import NONCE_BYTES, Cipher, derive
from protech.evidence.frames import (
    FRAME_RECORDS,
    SALT_BYTES,
    Head,
    NoFrame,
    body_bytes,
    records_frame,
    salted_of,
)
from protech.evidence.log_walk import Damage, Frame, Place
from protech.merkle import HASH_BYTES, leaf_hash, leaf_hashes

FRAME_BYTES = 192 << 10
"""From here on a frame takes no more records: larger ones only cost memory, fresh each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A record as it stands in the log: its index, its salt, and its bytes."""

    index: int
    salt: bytes = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def leaf(self) -> bytes:
        """The hash that stands for it in the tree."""
        return leaf_hash(self.salt + self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Framed:
    """A frame that is about to be written."""

    place: Place
    content: bytes = field(repr=False)
    leaves: list[bytes] = field(repr=False)
    after: Place


def log_cipher(data_key: bytes, log_id: bytes) -> Cipher:
    """Return what encrypts the records of one log of a case."""
    return Cipher(derive(data_key, purpose="protech evidence log v1", salt=log_id))


def framed(
    contents: Sequence[bytes], at: Place, *, log_id: bytes, cipher: Cipher
) -> Iterator[Framed]:
    """Yield the frames that hold records, each with a salt of its own.

    Args:
        contents: The records, in order.
        at: Where the first frame will stand.
        log_id: The log's.
        cipher: The log's.
    """
    start = 0
    while start < len(contents):
        end = _filled(contents, start)
        frame = _frame(contents[start:end], at, log_id=log_id, cipher=cipher)
        yield frame
        at, start = frame.after, end


def _filled(contents: Sequence[bytes], start: int) -> int:
    """Return before which record a frame ends that begins with ``start``."""
    size_bytes = 0
    for end in range(start, min(len(contents), start + FRAME_RECORDS)):
        size_bytes += len(contents[end])
        if size_bytes > FRAME_BYTES and end > start:
            return end
    return min(len(contents), start + FRAME_RECORDS)


def _frame(contents: Sequence[bytes], at: Place, *, log_id: bytes, cipher: Cipher) -> Framed:
    salts = os.urandom(SALT_BYTES * len(contents))
    starts = range(0, len(salts), SALT_BYTES)
    salted = [
        salts[start : start + SALT_BYTES] + content
        for start, content in zip(starts, contents, strict=True)
    ]
    leaves = leaf_hashes(salted)
    head = Head(
        kind=0,
        number=at.number,
        first=at.first,
        body_bytes=body_bytes(len(salted), sum(map(len, salted))),
        log_id=log_id,
        nonce=os.urandom(NONCE_BYTES),
        count=len(salted),
    )
    content = records_frame(head, b"".join(leaves), salted, cipher)
    return Framed(place=at, content=content, leaves=leaves, after=at.after(head))


def salted_in(frame: Frame, cipher: Cipher) -> list[bytes]:
    """Return the records of a frame, each behind its salt.

    Raises:
        TrustError: It was changed on purpose, or is under another key; says where.
    """
    head = frame.head
    try:
        return salted_of(head, frame.body, cipher)
    except (NoFrame, TrustError):
        why = "its records were changed, or the log is under another key than this one"
        damage = Damage(number=head.number, first=head.first, end=head.end, why=why)
        raise damaged([damage]) from None


def check_leaves(frame: Frame, cipher: Cipher) -> None:
    """Check that the records of a frame are those that its leaves stand for.

    Raises:
        TrustError: They are not, or it is under another key; says where.
    """
    head = frame.head
    made = leaf_hashes(salted_in(frame, cipher) if head.count else ())
    if b"".join(made) != frame.body[: head.count * HASH_BYTES]:
        why = "its leaves are not those of its records: it was changed on purpose"
        raise damaged([Damage(number=head.number, first=head.first, end=head.end, why=why)])


def damaged(found: Sequence[Damage]) -> TrustError:
    """Return the error that a log was changed, and where."""
    places = "; ".join(one.text for one in found)
    return TrustError(
        f"The log was changed, or its disk is bad: {places}. Records outside of that can still"
        " be checked with `protech locate verify`. Put back a copy of the log, and keep this"
        " one for an expert."
    )
