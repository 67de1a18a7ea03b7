"""Messages are framed as clients frame them, and what breaks the protocol is said to."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.ed2k import messages
from protech.locate.ed2k.messages import EDONKEY, EMULE, PACKED, PART_BYTES, Op, message
from protech.locate.ed2k.tags import Malformed
from tests import donkeys


def test_a_message_is_taken_apart_as_it_was_put_together() -> None:
    data = bytearray(
        message(Op.SET_FILE, b"x" * 16) + message(Op.AICH_REQUEST, b"yz") + b"\xe3"
    )
    assert list(messages.frames(data)) == [
        (EDONKEY, Op.SET_FILE, b"x" * 16),
        (EMULE, Op.AICH_REQUEST, b"yz"),
    ]
    assert data == b"\xe3"


@pytest.mark.parametrize("protocol", [EDONKEY, EMULE, PACKED])
def test_the_longest_message_is_one(protocol: int) -> None:
    head = struct.pack("<BIB", protocol, messages.MESSAGE_BYTES, 1)
    assert messages.frame_length(head) == messages.MESSAGE_BYTES
    assert list(messages.frames(bytearray(head))) == []


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("<BIB", EDONKEY, messages.MESSAGE_BYTES + 1, 1),
        struct.pack("<BIB", EDONKEY, 0, 1),
        b"HTTP/1.1 ",
        struct.pack("<BIB", EDONKEY, 0xFFFFFFFF, 1),
    ],
)
def test_what_is_no_header_is_a_fault(head: bytes) -> None:
    with pytest.raises(Malformed):
        list(messages.frames(bytearray(head)))


@given(st.binary(max_size=300))
def test_frames_of_any_bytes_end(data: bytes) -> None:
    left = bytearray(data)
    taken = 0
    with suppress(Malformed):
        for _, _, content in messages.frames(left):
            taken += messages.FRAME_BYTES + len(content)
    assert taken + len(left) == len(data)


def test_our_introduction_offers_nothing() -> None:
    ((protocol, op, content),) = messages.frames(
        bytearray(messages.hello(bytes(range(16)), port=4662))
    )
    assert (protocol, op, content[0]) == (EDONKEY, Op.HELLO, 16)
    said = messages.parse_hello_answer(content[1:])
    assert (said.user_hash, said.name) == (bytes(range(16)), "protech")


def test_an_introduction_is_read() -> None:
    content = donkeys.hello_answer(name="Bj\u00f6rn".encode())[6:]
    said = messages.parse_hello_answer(content)
    assert (said.user_hash, said.name) == (donkeys.THEIRS, "Bj\u00f6rn")
    assert donkeys.THEIRS.hex() not in repr(said)


def test_a_name_is_safe_to_show() -> None:
    said = messages.parse_hello_answer(
        donkeys.hello_answer(name=b"\x1b[2Ja\xff" + b"b" * 99)[6:]
    )
    assert len(said.name) == messages.NAME_CHARACTERS
    assert said.name.isprintable()


@pytest.mark.parametrize(
    "content",
    [
        bytes(25),
        donkeys.hello_answer(tags=messages.TAGS + 1)[6:],
        donkeys.hello_answer(tags=3)[6:],
    ],
    ids=["short", "many tags", "fewer tags than said"],
)
def test_what_is_no_introduction_is_a_fault(content: bytes) -> None:
    with pytest.raises(Malformed):
        messages.parse_hello_answer(content)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_introduction_or_a_fault(content: bytes) -> None:
    try:
        said = messages.parse_hello_answer(content)
    except Malformed:
        return
    assert len(said.user_hash) == 16
    assert len(said.name) <= messages.NAME_CHARACTERS


@pytest.mark.parametrize(
    ("size", "parts", "told"),
    [
        (1, 1, 1),
        (PART_BYTES - 1, 1, 1),
        (PART_BYTES, 1, 2),
        (PART_BYTES + 1, 2, 2),
        (2 * PART_BYTES, 2, 3),
        (20 * PART_BYTES - 1, 20, 20),
    ],
)
def test_parts_at_the_edges_of_parts(size: int, parts: int, told: int) -> None:
    """Clients tell of a part more where a file is whole parts: it has no bytes."""
    assert messages.parts_of(size) == parts
    assert messages.status_parts(size) == told
    assert messages.parse_status(bytes(2), size_bytes=size) == frozenset(range(parts))
    every = donkeys.status(set(range(told)), size)[22:]
    assert messages.parse_status(every, size_bytes=size) == frozenset(range(parts))


@given(st.sets(st.integers(0, 20)))
def test_a_status_is_read_as_it_was_written(parts: set[int]) -> None:
    size = 20 * PART_BYTES + 5
    told = donkeys.status(parts, size)[22:]
    assert messages.parse_status(told, size_bytes=size) == parts


@pytest.mark.parametrize(
    "content", [b"", b"\0", bytes(3), b"\x02\0", b"\x02\0\0\0", b"\x03\0\xff", b"\x01\0\xff"]
)
def test_a_status_of_another_file_is_a_fault(content: bytes) -> None:
    with pytest.raises(Malformed):
        messages.parse_status(content, size_bytes=PART_BYTES)


@given(st.binary(max_size=40), st.integers(1, 1 << 33))
def test_any_bytes_are_a_status_or_a_fault(content: bytes, size: int) -> None:
    try:
        parts = messages.parse_status(content, size_bytes=size)
    except Malformed:
        return
    assert all(0 <= part < messages.parts_of(size) for part in parts)


def test_of_messages_only_what_is_needed_is_kept() -> None:
    assert messages.kept_of(EDONKEY, Op.NAME, 100) == ("name", 16)
    assert messages.kept_of(EDONKEY, Op.NAME, 10) == ("name", 10)
    assert messages.kept_of(EDONKEY, Op.CONTENT, 10264) == ("block", 24)
    assert messages.kept_of(EMULE, 0x40, 10264) == ("other", 0)
    assert messages.kept_of(PACKED, Op.FILE_STATUS, 10) == ("other", 0)
    assert messages.kept_of(EDONKEY, Op.FILE_STATUS, 19) == ("", 19)


@pytest.mark.parametrize("kind", messages.CLEAR)
def test_what_is_kept_whole_has_a_limit(kind: tuple[int, int]) -> None:
    longest = messages.CLEAR[kind]
    assert messages.kept_of(*kind, longest) == ("", longest)
    with pytest.raises(Malformed):
        messages.kept_of(*kind, longest + 1)


def test_a_range_is_asked_for_with_its_end() -> None:
    asked = messages.request_parts(b"m" * 16, 5, 10)
    assert struct.unpack_from("<6I", asked, 22) == (5, 0, 0, 10, 0, 0)
