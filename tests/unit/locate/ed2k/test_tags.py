"""Tags are read in all the forms that clients write them in, and never beyond their end."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.ed2k.tags import Malformed, TagReader, written


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (written(1, b"text"), b"text"),
        (written(1, 77), 77),
        (b"\x88\x01" + struct.pack("<H", 600), 600),
        (b"\x89\x01\x07", 7),
        (b"\x8b\x01" + struct.pack("<Q", 1 << 40), 1 << 40),
        (b"\x94\x01abcd", b"abcd"),
        (b"\x91\x01a", b"a"),
        (b"\x81\x01" + bytes(16), None),
        (b"\x84\x01" + bytes(4), None),
        (b"\x85\x01\x01", None),
        (b"\x87\x01" + struct.pack("<I", 3) + b"abc", None),
        (b"\x8a\x01\x02ab", None),
    ],
)
def test_a_tag_of_each_type_is_read_to_its_end(raw: bytes, value: bytes | int | None) -> None:
    reader = TagReader(b"x" + raw + b"more", 1)
    assert reader.tag() == (b"\x01", value)
    assert reader.at == 1 + len(raw)


@pytest.mark.parametrize("raw", [b"", b"\x02", b"\x02\x01\x00", written(1, b"text")[:-1]])
def test_a_tag_that_was_cut_is_none(raw: bytes) -> None:
    with pytest.raises(Malformed):
        TagReader(raw, 0).tag()


def test_a_tag_of_no_known_type_is_none() -> None:
    with pytest.raises(Malformed):
        TagReader(b"\x8c\x01abcdefgh", 0).tag()


@given(st.binary(max_size=80), st.integers(0, 90))
def test_no_bytes_are_read_beyond_their_end(raw: bytes, at: int) -> None:
    reader = TagReader(raw, at)
    try:
        for _ in range(100):
            reader.tag()
            assert reader.at <= len(raw)
    except Malformed:
        return
    raise AssertionError("tags without an end")
