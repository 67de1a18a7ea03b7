"""The description of a torrent is hashed and overwritten, whatever the peer sends of it."""

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.bittorrent import bencode, metadata
from protech.locate.bittorrent.messages import Kind, Malformed
from protech.locate.bittorrent.metadata import Known, Metadata
from tests import spoken

WHOLE = spoken.content(1, 40_000)
PARTS = range(3)


def part_of(whole: bytes, part: int) -> bytes:
    head = {b"msg_type": metadata.DATA, b"piece": part, b"total_size": len(whole)}
    data = whole[part * metadata.PART_BYTES :][: metadata.PART_BYTES]
    return bencode.encode(head) + data


@pytest.mark.parametrize("digest", [hashlib.sha1, hashlib.sha256])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_what_hashes_to_the_info_hash_is_verified(digest: object, order: tuple[int]) -> None:
    assert callable(digest)
    asked = Metadata(len(WHOLE), digest(WHOLE).digest())
    for part in order:
        assert asked.known is Known.ASKED
        asked.take(part_of(WHOLE, part))
    assert asked.known is Known.VERIFIED
    assert not any(asked._memory)


def test_another_description_is_different() -> None:
    asked = Metadata(len(WHOLE), bytes(20))
    for part in PARTS:
        asked.take(part_of(WHOLE, part))
    assert asked.known is Known.DIFFERENT


def test_all_of_it_is_asked_for_once() -> None:
    requests = Metadata(len(WHOLE), bytes(20)).requests(7)
    assert requests.count(bytes([Kind.EXTENDED, 7]) + b"d8:msg_typei0e5:piece") == len(PARTS)


def test_a_peer_may_refuse_or_ask_itself() -> None:
    asked = Metadata(len(WHOLE), bytes(20))
    known = []
    for kind in (metadata.REQUEST, metadata.REJECT):
        asked.take(bencode.encode({b"msg_type": kind, b"piece": 0}))
        known.append(asked.known)
    assert known == [Known.ASKED, Known.REFUSED]


@pytest.mark.parametrize(
    "content",
    [
        b"nonsense",
        bencode.encode({b"msg_type": metadata.DATA}),
        part_of(WHOLE, 0) + bytes(300),
        part_of(WHOLE + bytes(70_000), 5),
    ],
)
def test_what_was_not_asked_for_is_malformed(content: bytes) -> None:
    asked = Metadata(len(WHOLE), bytes(20))
    with pytest.raises(Malformed):
        asked.take(content)


def test_a_part_comes_once() -> None:
    asked = Metadata(len(WHOLE), bytes(20))
    asked.take(part_of(WHOLE, 0))
    with pytest.raises(Malformed):
        asked.take(part_of(WHOLE, 0))


@pytest.mark.parametrize("size", [0, -1, metadata.LONGEST_BYTES + 1])
def test_a_bomb_is_not_asked_for(size: int) -> None:
    with pytest.raises(ValueError, match="size"):
        Metadata(size, bytes(20))
    assert Metadata(metadata.LONGEST_BYTES, bytes(20)).known is Known.ASKED


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_whatever_comes_is_taken_or_malformed(contents: list[bytes]) -> None:
    asked = Metadata(100, bytes(20))
    for content in contents:
        with suppress(Malformed):
            asked.take(content)
