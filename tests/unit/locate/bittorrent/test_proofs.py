"""Only a piece of the listed file, whole and as it is listed, proves anything."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from protech.evidence.events import Measured
from protech.lists.fetch_key import BLOCK_BYTES, TorrentTree
from protech.locate.adapter import Proof
from protech.locate.bittorrent import messages
from protech.locate.bittorrent.held import TorrentKey
from protech.locate.bittorrent.proofs import Hashes, lies_inside, proof_of, tree_place
from tests import spoken

WHOLE = spoken.content(3, 6 * BLOCK_BYTES + 10)
PIECE = 2 * BLOCK_BYTES
FILE = spoken.file_key(WHOLE, piece_bytes=PIECE)
AMONG = spoken.file_key(WHOLE, piece_bytes=PIECE, first_byte=PIECE, size_bytes=PIECE + 5)
TREE = spoken.tree_key(WHOLE, piece_bytes=PIECE, first_piece=2)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def measured(piece: int, data: bytes, offset: int | None = None) -> Measured:
    return Measured(
        at_ms=0,
        piece=piece,
        offset_bytes=offset,
        length_bytes=len(data),
        sha256=sha(data),
        sha1=hashlib.sha1(data).digest(),
        distinct_bytes=256,
    )


def delivered(piece: int, data: bytes, at: int = 0) -> dict[tuple[int, int], tuple[int, bytes]]:
    blocks = {
        begin: data[begin : begin + BLOCK_BYTES] for begin in range(0, len(data), BLOCK_BYTES)
    }
    return {(piece, at + begin): (len(one), sha(one)) for begin, one in blocks.items()}


Blocks = dict[tuple[int, int], tuple[int, bytes]]
Case = tuple[str, TorrentKey, Measured, Blocks]


def of_piece(key: TorrentKey, place: int) -> Proof | None:
    piece = key.first_piece + place
    before = place if isinstance(key, TorrentTree) else piece
    data = WHOLE[before * PIECE :][:PIECE]
    return proof_of(
        key, frozenset(), measured(piece, data), blocks=delivered(piece, data), hashes=()
    )


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("key", [FILE, TREE], ids=["file", "tree"])
def test_each_piece_proves(key: TorrentKey, place: int) -> None:
    proof = of_piece(key, place)
    assert proof is not None
    assert proof.offset_bytes == place * PIECE
    assert proof.sha256 == sha(WHOLE[place * PIECE :][:PIECE])


def test_a_piece_shared_with_another_file_proves_nothing() -> None:
    assert [lies_inside(AMONG, place) for place in range(2)] == [True, False]
    assert of_piece(AMONG, 0) is not None
    assert of_piece(AMONG, 1) is None


def cases() -> Iterator[Case]:
    data = WHOLE[:PIECE]
    for name, key in (("file", FILE), ("tree", TREE)):
        piece = key.first_piece
        good, blocks = measured(piece, data), delivered(piece, data)
        yield f"{name}: another place", key, replace(good, piece=piece + 1), blocks
        yield f"{name}: no such place", key, replace(good, piece=piece + 4), blocks
        yield f"{name}: another length", key, replace(good, length_bytes=PIECE - 1), blocks
        yield f"{name}: a block is missing", key, good, dict(list(blocks.items())[1:])
        if name == "tree":
            wrong = {**blocks, (piece, 0): (BLOCK_BYTES, bytes(32))}
            yield f"{name}: another block", key, good, wrong
        overlap = {**blocks, (piece, 5): (BLOCK_BYTES, bytes(32))}
        yield f"{name}: blocks overlap", key, good, overlap
    found, blocks = measured(0, data), delivered(0, data)
    yield "file: another digest", FILE, replace(found, sha1=bytes(20)), blocks
    yield "file: none", FILE, replace(found, sha1=None), blocks
    yield "file: an offset", FILE, replace(found, offset_bytes=0), blocks
    yield "tree: no block", TREE, measured(2, data[:BLOCK_BYTES], 5), delivered(2, data)
    yield "tree: beyond", TREE, measured(5, WHOLE[-10:], BLOCK_BYTES), delivered(5, WHOLE[-10:])


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case[0])
def test_anything_else_proves_nothing(case: Case) -> None:
    _, key, found, blocks = case
    assert proof_of(key, frozenset(), found, blocks=blocks, hashes=()) is None


def test_a_weak_place_proves_nothing() -> None:
    data = WHOLE[:PIECE]
    found = proof_of(
        FILE, frozenset({0}), measured(0, data), blocks=delivered(0, data), hashes=()
    )
    assert found is None


def test_a_piece_in_one_block_is_what_was_measured() -> None:
    key = spoken.file_key(WHOLE, piece_bytes=BLOCK_BYTES)
    data = WHOLE[:BLOCK_BYTES]
    blocks = {(0, 0): (BLOCK_BYTES, bytes(32))}
    assert proof_of(key, frozenset(), measured(0, data), blocks=blocks, hashes=()) is None
    blocks = delivered(0, data)
    assert proof_of(key, frozenset(), measured(0, data), blocks=blocks, hashes=()) is not None


def hashes(key: TorrentTree, whole: bytes, leaf: int, count: int) -> Hashes:
    _, _, height = tree_place(key, 0, 0)
    fields = messages.hash_fields(
        key.root, index=leaf - leaf % count, count=count, proof_layers=height - 1
    )
    answer = spoken.hashes_for(whole, key, fields)
    each = tuple(answer[at : at + 32] for at in range(0, len(answer), 32))
    return Hashes(index=leaf - leaf % count, leaves=each[:count], uncles=each[count:])


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("blocks", [2, 5, 8, 13])
def test_a_block_proves_with_the_hashes_above_it(blocks: int, count: int) -> None:
    whole = spoken.content(4, blocks * BLOCK_BYTES - 7)
    key = spoken.tree_key(whole, piece_bytes=16 * BLOCK_BYTES)  # no layer: up to the root
    for leaf in range(blocks):
        data = whole[leaf * BLOCK_BYTES :][:BLOCK_BYTES]
        given = [hashes(key, whole, leaf, min(count, 2 if blocks == 2 else count))]
        at = leaf * BLOCK_BYTES
        found = measured(0, data, at)
        proof = proof_of(key, frozenset(), found, blocks=delivered(0, data, at), hashes=given)
        assert proof is not None
        assert (proof.digest, proof.offset_bytes) == (sha(data), at)
        for broken in (
            replace(given[0], uncles=(bytes(32),) * len(given[0].uncles)),
            replace(given[0], leaves=(bytes(32), *given[0].leaves[1:])),
            replace(given[0], index=given[0].index + 1),
            replace(given[0], uncles=given[0].uncles[:-1]),
        ):
            if broken == given[0]:
                continue
            blocks_there = delivered(0, data, at)
            shown = proof_of(key, frozenset(), found, blocks=blocks_there, hashes=[broken])
            assert shown is None


def test_a_block_that_is_a_piece_needs_no_hashes() -> None:
    key = spoken.tree_key(WHOLE, piece_bytes=BLOCK_BYTES)
    data = WHOLE[BLOCK_BYTES : 2 * BLOCK_BYTES]
    found = measured(1, data, 0)
    proof = proof_of(key, frozenset(), found, blocks=delivered(1, data), hashes=())
    assert proof is not None
    assert proof.offset_bytes == BLOCK_BYTES
    other = measured(2, data, 0)
    assert proof_of(key, frozenset(), other, blocks=delivered(2, data), hashes=()) is None
