"""What peers say to each other is framed as the BEPs write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.bittorrent import messages
from protech.locate.bittorrent.messages import Kind


def test_a_handshake_names_the_torrent_and_nobody() -> None:
    first, second = (messages.handshake(bytes(range(32))) for _ in range(2))
    assert len(first) == messages.HANDSHAKE_BYTES
    assert first[:20] == b"\x13BitTorrent protocol"
    assert first[28:48] == bytes(range(20))
    assert first[48:] != second[48:]


def test_we_say_what_we_can_and_no_more() -> None:
    assert messages.is_extended(messages.RESERVED)
    assert messages.is_fast(messages.RESERVED)
    assert not messages.RESERVED[7] & 0x11  # neither the DHT nor an upgrade to another hash


def test_messages_are_framed() -> None:
    assert messages.framed(Kind.HAVE, bytes(4)) == bytes((0, 0, 0, 5, 4, 0, 0, 0, 0))
    asked = messages.request(1, 2, 3)
    assert asked == bytes((0, 0, 0, 13, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3))
    assert messages.framed(Kind.INTERESTED) == messages.INTERESTED
    assert messages.framed(Kind.HAVE_NONE) == messages.HAVE_NONE


@pytest.mark.parametrize("kind", messages.LENGTHS)
def test_a_message_of_one_length_has_no_other(kind: int) -> None:
    exact = messages.LENGTHS[kind]
    for length in (exact - 1, exact, exact + 1):
        is_one = messages.is_length(kind, length, pieces=9, is_fast=True)
        assert is_one == (length == exact)


def test_a_bitfield_has_a_bit_for_each_piece() -> None:
    for pieces, length in ((1, 2), (8, 2), (9, 3), (16, 3)):
        assert messages.is_length(Kind.BITFIELD, length, pieces=pieces, is_fast=False)
        assert not messages.is_length(Kind.BITFIELD, length + 1, pieces=pieces, is_fast=False)


@pytest.mark.parametrize("kind", messages.FAST)
def test_fast_messages_need_both_to_speak_them(kind: int) -> None:
    length = messages.LENGTHS[kind]
    assert messages.is_length(kind, length, pieces=9, is_fast=True)
    assert not messages.is_length(kind, length, pieces=9, is_fast=False)


def test_messages_of_any_length_have_a_least_one() -> None:
    for kind, least in messages.LEAST.items():
        assert not messages.is_length(kind, least - 1, pieces=9, is_fast=False)
        assert messages.is_length(kind, least, pieces=9, is_fast=False)
    assert messages.is_length(99, 1, pieces=9, is_fast=False)


@pytest.mark.parametrize(
    ("count", "layers", "hashes"), [(2, 0, 2), (2, 3, 5), (4, 3, 6), (8, 1, 8), (512, 12, 516)]
)
def test_hashes_are_the_leaves_and_the_uncles_above(
    count: int, layers: int, hashes: int
) -> None:
    fields = messages.hash_fields(bytes(32), index=count, count=count, proof_layers=layers)
    assert len(fields) == 48
    assert messages.hash_count(fields) == hashes


@pytest.mark.parametrize(("index", "count"), [(0, 0), (0, 1), (0, 3), (1, 2)])
def test_no_hashes_answer_what_may_not_be_asked(index: int, count: int) -> None:
    fields = messages.hash_fields(bytes(32), index=index, count=count, proof_layers=1)
    assert messages.hash_count(fields) is None


@given(st.integers(0, 255), st.integers(1, 1 << 32), st.integers(1, 1 << 24), st.booleans())
def test_every_length_is_one_or_none(kind: int, length: int, pieces: int, fast: bool) -> None:
    assert messages.is_length(kind, length, pieces=pieces, is_fast=fast) in {True, False}
