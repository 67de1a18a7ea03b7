"""Records on their way into frames: in order, whole frames, and each with its own salt."""

import pytest

from protech.errors import TrustError
from protech.evidence.frames import (
    FRAME_RECORDS,
    HEAD_BYTES,
    Head,
    body_bytes,
    check_body,
    records_frame,
)
from protech.evidence.log_records import (
    FRAME_BYTES,
    Logged,
    check_leaves,
    framed,
    log_cipher,
)
from protech.evidence.log_walk import Frame, Place
from protech.merkle import leaf_hash

CIPHER = log_cipher(bytes(32), bytes(16))


def counts(contents: list[bytes]) -> list[int]:
    frames = list(framed(contents, Place(number=3, first=7), log_id=bytes(16), cipher=CIPHER))
    at = Place(number=3, first=7)
    for frame in frames:
        assert frame.place == at
        at = frame.after
        assert at.offset - frame.place.offset == len(frame.content)
    return [len(frame.leaves) for frame in frames]


def test_frames_are_filled_to_their_limits() -> None:
    assert counts([]) == []
    assert counts([b"x"] * FRAME_RECORDS) == [FRAME_RECORDS]
    assert counts([b"x"] * (FRAME_RECORDS + 1)) == [FRAME_RECORDS, 1]
    half = bytes(FRAME_BYTES // 2)
    assert counts([half, half, b""]) == [3]
    assert counts([half, half, b"x"]) == [2, 1]
    assert counts([half * 3, half, half * 3]) == [1, 1, 1]


def test_a_leaf_is_of_salt_and_record() -> None:
    assert Logged(index=0, salt=b"s" * 16, content=b"{}").leaf == leaf_hash(b"s" * 16 + b"{}")


def test_leaves_that_are_not_of_the_records_are_found() -> None:
    salted = [bytes(16) + b"{}"]
    head = Head(
        kind=0,
        number=3,
        first=7,
        body_bytes=body_bytes(1, 18),
        log_id=bytes(16),
        nonce=bytes(12),
        count=1,
    )
    for leaf, is_so in ((leaf_hash(salted[0]), True), (bytes(32), False)):
        content = records_frame(head, leaf, salted, CIPHER)
        body = check_body(head, content[HEAD_BYTES:])
        frame = Frame(place=Place(number=3, first=7), head=head, body=body)
        if is_so:
            check_leaves(frame, CIPHER)
            continue
        with pytest.raises(TrustError, match=r"frame 3 \(records 7 to 7\): its leaves"):
            check_leaves(frame, CIPHER)


def test_each_log_has_another_key() -> None:
    sealed = CIPHER.seal(b"x", b"", nonce=bytes(12))
    assert log_cipher(bytes(32), bytes([1] * 16)).seal(b"x", b"", nonce=bytes(12)) != sealed
