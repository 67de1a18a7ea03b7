"""What a peer says it has is counted as it says it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.bittorrent.held import Held, piece_count
from protech.locate.bittorrent.messages import Kind
from tests import spoken

WHOLE = spoken.content(1, 1050)
KEY = spoken.file_key(WHOLE, piece_bytes=50, first_byte=120, size_bytes=310)
"""Pieces 2 to 8 of 21."""
LISTED = range(2, 9)


def bits_of(pieces: set[int]) -> bytes:
    return sum(1 << (23 - piece) for piece in pieces).to_bytes(3)


@given(st.lists(st.integers(0, 20)), st.sets(st.integers(0, 20)))
def test_haves_and_bitfields_add_up(haves: list[int], bits: set[int]) -> None:
    held = Held(KEY)
    assert held.hear(Kind.BITFIELD, bits_of(bits))
    for piece in haves:
        assert held.hear(Kind.HAVE, piece.to_bytes(4))
    pieces = bits | set(haves)
    claims = held.claims
    assert claims is not None
    assert (claims.held, claims.total) == (len(pieces), 21)
    assert (claims.listed_held, claims.listed_total) == (len(pieces & set(LISTED)), 7)
    assert claims.bitfield_sha256 == hashlib.sha256(bits_of(pieces)).digest()
    assert [place + 2 for place in held.places()] == sorted(pieces & set(LISTED))
    assert held.is_whole == (set(LISTED) <= pieces)


def test_nothing_was_said_at_first() -> None:
    held = Held(KEY)
    assert held.claims is None
    assert (held.listed, held.is_whole, held.is_told) == (0, False, False)


def test_all_and_none_are_said_in_one_word() -> None:
    held = Held(KEY)
    assert held.hear(Kind.HAVE_NONE, b"")
    assert held.claims is not None
    assert held.claims.held == 0
    assert held.hear(Kind.HAVE_ALL, b"")
    assert held.claims.held == 21
    assert held.is_whole


@pytest.mark.parametrize("content", [b"\0\0\1", b"\0\0\7", b"\xff\xff\xff"])
def test_spare_bits_are_refused(content: bytes) -> None:
    held = Held(KEY)
    assert not held.hear(Kind.BITFIELD, content)
    assert held.claims is None


def test_a_piece_that_is_not_there_is_refused() -> None:
    held = Held(KEY)
    assert not held.hear(Kind.HAVE, (21).to_bytes(4))
    assert held.hear(Kind.HAVE, (20).to_bytes(4))


def test_other_messages_say_nothing_of_pieces() -> None:
    held = Held(KEY)
    assert held.hear(Kind.CHOKE, b"")
    assert not held.is_told


def test_a_tree_has_its_own_pieces() -> None:
    assert piece_count(spoken.tree_key(spoken.content(1, 40_000), piece_bytes=16_384)) == 3
    assert piece_count(KEY) == 7
