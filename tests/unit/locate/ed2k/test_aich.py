"""A block leads to the root of its file with true hashes, and with no others."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protech.locate.ed2k.aich import (
    BLOCK_BYTES,
    HASHES,
    Block,
    blocks_of,
    leads_to,
    parse_recovery,
)
from protech.locate.ed2k.messages import PART_BYTES
from protech.locate.ed2k.tags import Malformed
from tests import donkeys
from tests.donkeys import Tree

SIZES = [
    1,
    BLOCK_BYTES,
    BLOCK_BYTES + 1,
    3 * BLOCK_BYTES,
    PART_BYTES - 1,
    PART_BYTES,
    PART_BYTES + 1,
    PART_BYTES + 3 * BLOCK_BYTES + 7,
    3 * PART_BYTES,
    5 * PART_BYTES + BLOCK_BYTES,
]
WHOLE = donkeys.content(5, max(SIZES))


@pytest.mark.parametrize("size", SIZES)
def test_blocks_tile_a_file(size: int) -> None:
    blocks = [one for part in range(-(-size // PART_BYTES)) for one in blocks_of(size, part)]
    assert blocks[0].start == 0
    assert sum(one.size for one in blocks) == size
    assert all(a.start + a.size == b.start for a, b in pairwise(blocks))
    assert all(0 < one.size <= BLOCK_BYTES for one in blocks)
    assert [one.place for one in blocks] == list(range(len(blocks)))


@pytest.mark.parametrize("size", SIZES)
def test_every_part_has_blocks_that_lead_to_the_root(size: int) -> None:
    whole = WHOLE[:size]
    tree = Tree(whole)
    for part in range(-(-size // PART_BYTES)):
        blocks = blocks_of(size, part)
        given = tree.recovery(part)
        for block in {blocks[0], blocks[len(blocks) // 2], blocks[-1]}:
            digest = donkeys.sha1(whole[block.start : block.start + block.size])
            assert leads_to(tree.root, block, digest, size_bytes=size, given=given)
            assert not leads_to(tree.root, block, bytes(20), size_bytes=size, given=given)


def test_a_block_leads_nowhere_without_hashes_or_with_false_ones() -> None:
    size = PART_BYTES + 3 * BLOCK_BYTES + 7
    whole = WHOLE[:size]
    tree = Tree(whole)
    block = blocks_of(size, 1)[1]
    digest = donkeys.sha1(whole[block.start : block.start + block.size])
    given = tree.recovery(1)
    assert leads_to(tree.root, block, digest, size_bytes=size, given=given)
    for number in given:
        if tree.places[number][0] == block.start:
            continue
        fewer = {one: value for one, value in given.items() if one != number}
        assert not leads_to(tree.root, block, digest, size_bytes=size, given=fewer)
        other = {**given, number: bytes(20)}
        assert not leads_to(tree.root, block, digest, size_bytes=size, given=other)


def test_hashes_lead_to_the_root_before_the_block_is_there() -> None:
    whole = WHOLE[: PART_BYTES + 3 * BLOCK_BYTES + 7]
    tree = Tree(whole)
    block = blocks_of(len(whole), 1)[1]
    given = tree.recovery(1)
    assert leads_to(tree.root, block, None, size_bytes=len(whole), given=given)
    own = next(one for one in given if tree.places[one] == (block.start, block.size))
    for wrong in ({**given, own: bytes(20)}, {one: given[one] for one in given if one != own}):
        assert not leads_to(tree.root, block, None, size_bytes=len(whole), given=wrong)


def test_what_is_given_on_the_way_proves_nothing() -> None:
    whole = WHOLE[: 4 * BLOCK_BYTES]
    tree = Tree(whole)
    block = blocks_of(len(whole), 0)[2]
    assert not leads_to(tree.root, block, bytes(20), size_bytes=len(whole), given=tree.hashes)


def test_what_is_no_block_leads_nowhere() -> None:
    whole = WHOLE[: 4 * BLOCK_BYTES]
    tree = Tree(whole)
    half = Block(start=0, size=2 * BLOCK_BYTES - 1, place=0)
    digest = donkeys.sha1(whole[: half.size])
    assert not leads_to(tree.root, half, digest, size_bytes=len(whole), given=tree.hashes)


def test_the_largest_file_is_judged_at_once() -> None:
    """A peer that gives no hashes must not make us look through the whole tree."""
    size = 1 << 48
    block = blocks_of(size, 5)[3]
    assert not leads_to(bytes(20), block, bytes(20), size_bytes=size, given={})


@pytest.mark.parametrize("wide", [False, True])
def test_hashes_are_read_in_both_forms(wide: bool) -> None:
    given = Tree(WHOLE[: 3 * BLOCK_BYTES]).recovery(0)
    raw = donkeys.recovery(given, wide=wide)
    assert parse_recovery(raw) == given
    if not wide:
        assert parse_recovery(raw[:-2]) == given


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0",
        b"\x01\0",
        bytes(2),
        bytes(5),
        donkeys.recovery({1: bytes(20)})[:-3],
        donkeys.recovery(dict.fromkeys(range(HASHES + 1), bytes(20))),
        donkeys.recovery({1: bytes(20)}) + b"x",
    ],
)
def test_what_is_no_form_of_hashes_is_a_fault(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse_recovery(raw)


def test_as_many_hashes_as_there_may_be_are_read() -> None:
    given = dict.fromkeys(range(HASHES), bytes(20))
    assert parse_recovery(donkeys.recovery(given)) == given


@given(st.binary(max_size=200))
def test_any_bytes_are_hashes_or_a_fault(raw: bytes) -> None:
    try:
        found = parse_recovery(raw)
    except Malformed:
        return
    assert all(len(one) == 20 for one in found.values())


@settings(max_examples=100)
@given(
    st.integers(1, 1 << 48),
    st.integers(0, 60),
    st.dictionaries(st.integers(0, 1 << 16), st.just(bytes(20)), max_size=40),
)
def test_made_up_hashes_lead_nowhere(size: int, at: int, given: dict[int, bytes]) -> None:
    blocks = blocks_of(size, 0)
    block = blocks[at % len(blocks)]
    assert not leads_to(b"r" * 20, block, bytes(20), size_bytes=size, given=given)
