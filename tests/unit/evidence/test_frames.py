"""Frames: what is written is read, and every change and cut is told."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import TrustError
from protech.evidence.ciphers import NONCE_BYTES, Cipher
from protech.evidence.frames import (
    BODY_BYTES,
    FRAME_RECORDS,
    HEAD_BYTES,
    RECORDS,
    SALT_BYTES,
    Head,
    NoFrame,
    body_bytes,
    check_body,
    leaves_of,
    parse_head,
    records_frame,
    salted_of,
)

CIPHER = Cipher(bytes(32))
LOG_ID = bytes(range(16))


def frame(records: list[bytes], *, cipher: Cipher = CIPHER) -> bytes:
    salted = [bytes(SALT_BYTES) + one for one in records]
    head = Head(
        kind=RECORDS,
        number=7,
        first=9,
        body_bytes=body_bytes(len(salted), sum(map(len, salted))),
        log_id=LOG_ID,
        nonce=bytes(NONCE_BYTES),
        count=len(salted),
    )
    return records_frame(head, bytes(32 * len(salted)), salted, cipher)


@given(st.lists(st.binary(max_size=30), max_size=9))
def test_a_frame_comes_back(records: list[bytes]) -> None:
    content = frame(records)
    head = parse_head(content[:HEAD_BYTES])
    assert (head.number, head.first, head.end) == (7, 9, 9 + len(records))
    assert head.frame_bytes == len(content)
    body = check_body(head, content[HEAD_BYTES:])
    assert leaves_of(head, body) == [bytes(32)] * len(records)
    assert salted_of(head, body, CIPHER) == [bytes(SALT_BYTES) + one for one in records]


def test_each_changed_byte_is_found() -> None:
    content = frame([b"one", b"three"])
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 0x40
        with pytest.raises(NoFrame):
            check_body(parse_head(bytes(changed[:HEAD_BYTES])), bytes(changed[HEAD_BYTES:]))


def with_head(**changes: int) -> bytes:
    fields = {"body_bytes": 1, "count": 1, **changes}
    head = Head(kind=RECORDS, number=0, first=0, log_id=LOG_ID, nonce=bytes(12), **fields)
    return head.content


def test_sizes_hold_at_their_limits_and_not_beyond() -> None:
    parse_head(with_head(body_bytes=BODY_BYTES, count=FRAME_RECORDS))
    for head in (with_head(body_bytes=BODY_BYTES + 1), with_head(count=FRAME_RECORDS + 1)):
        with pytest.raises(NoFrame, match="version"):
            parse_head(head)


def test_a_body_that_is_too_short_for_its_records_is_refused() -> None:
    head = parse_head(with_head(count=3))
    with pytest.raises(NoFrame, match="too short"):
        check_body(head, b"x" + struct.pack(">I", zlib.crc32(b"x")))


def test_records_that_are_not_as_long_as_said_are_refused() -> None:
    salted = [bytes(SALT_BYTES - 1)]
    head = Head(
        kind=RECORDS,
        number=1,
        first=0,
        body_bytes=body_bytes(1, SALT_BYTES - 1),
        log_id=LOG_ID,
        nonce=bytes(NONCE_BYTES),
        count=1,
    )
    content = records_frame(head, bytes(32), salted, CIPHER)
    body = check_body(head, content[HEAD_BYTES:])
    with pytest.raises(NoFrame, match="as long"):
        salted_of(head, body, CIPHER)


def test_another_key_or_other_leaves_do_not_open() -> None:
    content = frame([b"one"])
    head = parse_head(content[:HEAD_BYTES])
    body = check_body(head, content[HEAD_BYTES:])
    with pytest.raises(TrustError):
        salted_of(head, body, Cipher(bytes([1] * 32)))
    with pytest.raises(TrustError):
        salted_of(head, b"\1" + body[1:], CIPHER)
