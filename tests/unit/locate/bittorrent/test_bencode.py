"""Bencoding is read by libtorrent, within our limits, whatever the bytes are."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.bittorrent import bencode
from protech.locate.bittorrent.bencode import Bencoded, NotBencoded

VALUES = st.recursive(
    st.integers(-(1 << 62), (1 << 63) - 1) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.binary(max_size=10), VALUES, max_size=5))
def test_what_was_encoded_is_decoded(value: dict[bytes, Bencoded]) -> None:
    assert bencode.decode(bencode.encode(value)) == value


@given(st.binary(max_size=200) | st.binary(max_size=50).map(lambda rest: b"d1:a" + rest))
def test_whatever_the_bytes_are_they_are_a_dictionary_or_refused(data: bytes) -> None:
    with suppress(NotBencoded):
        assert isinstance(bencode.decode(data), dict)


def test_what_follows_the_dictionary_is_left_alone() -> None:
    assert bencode.decode(b"d1:ai1ee" + bytes(100)) == {b"a": 1}


@pytest.mark.parametrize("data", [b"", b"i1e", b"l1:ae", b"d1:a", b"d1:ai-ee", b"di1e1:ae"])
def test_what_is_no_dictionary_is_refused(data: bytes) -> None:
    with pytest.raises(NotBencoded):
        bencode.decode(data)


def nested(depth: int) -> bytes:
    return b"d1:a" + b"l" * (depth - 1) + b"e" * depth


def test_nesting_ends_at_the_limit() -> None:
    assert bencode.decode(nested(bencode.DEPTH))
    for depth in (bencode.DEPTH + 1, 10_000):
        with pytest.raises(NotBencoded):
            bencode.decode(nested(depth))


def test_a_message_ends_at_the_limit() -> None:
    filled = b"d1:a" + b"%d:" % (bencode.MESSAGE_BYTES - 11)
    data = filled + bytes(bencode.MESSAGE_BYTES - len(filled) - 1) + b"e"
    assert len(data) == bencode.MESSAGE_BYTES
    assert bencode.decode(data)
    with pytest.raises(NotBencoded):
        bencode.decode(data + b"e")
    assert bencode.decode(data + b"e", limit_bytes=len(data) + 1)


def test_a_number_beyond_64_bits_is_nothing() -> None:
    assert bencode.decode(b"d1:ai99999999999999999999ee") == {b"a": 0}
