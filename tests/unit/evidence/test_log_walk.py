"""Walking a log's file: changes are named, and what stands behind them is still found."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.evidence.frames import HEAD_BYTES, MAGIC
from protech.evidence.log import FRAMES, Log
from protech.evidence.log_walk import Damage, Frame, Place, grown, walk
from protech.merkle import Tree, leaf_hash
from protech.signing import Key

LEAVES = [leaf_hash(bytes([n])) for n in range(200)]


@given(st.lists(st.integers(0, 60), max_size=3))
def test_a_tree_grows_by_many_as_by_one(batches: list[int]) -> None:
    tree, slow = Tree(), Tree()
    for count in batches:
        some = LEAVES[tree.size : tree.size + count]
        before = (tree.size, tree.peaks)
        after = grown(tree, some)
        assert (tree.size, tree.peaks) == before
        tree = after
        for leaf in some:
            slow.append(leaf)
        assert (tree.size, tree.peaks) == (slow.size, slow.peaks)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Log.create(tmp_path, origin="o", signer=Key.generate(), data_key=bytes(32)) as log:
        for count in (3, 2, 4):
            log.append([{"n": n} for n in range(count)])
    return tmp_path / FRAMES


def walked(path: Path) -> Iterator[Frame | Damage]:
    with path.open("rb") as file:
        log_id = Log.open(path.parent).about.log_id
        yield from walk(file.fileno(), Place(), log_id=log_id)


def places(path: Path) -> list[int]:
    return [found.place.offset for found in walked(path) if isinstance(found, Frame)]


def changed_at(path: Path, offset: int) -> list[str]:
    with path.open("rb") as file:
        log_id = Log.open(path.parent).about.log_id
        content = bytearray(file.read())
    content[offset] ^= 1
    other = path.with_name("other")
    other.write_bytes(content)
    descriptor = os.open(other, os.O_RDONLY)
    found = list(walk(descriptor, Place(), log_id=log_id))
    os.close(descriptor)
    return [one.text if isinstance(one, Damage) else str(one.head.number) for one in found]


def test_a_changed_body_costs_one_frame(path: Path) -> None:
    at = places(path)[2] + HEAD_BYTES
    why = "frame 2 (records 3 to 4): its content was changed"
    assert changed_at(path, at) == ["0", "1", why, "3"]


def test_a_changed_head_costs_one_frame(path: Path) -> None:
    for at in range(places(path)[2], places(path)[2] + HEAD_BYTES):
        why = "frame 2 (records 3 to 4): its head was changed"
        assert changed_at(path, at) == ["0", "1", why, "3"]


def test_a_changed_last_head_leaves_nothing_behind_it(path: Path) -> None:
    why = "frame 3 (records from 5 on): its head was changed"
    assert changed_at(path, places(path)[3]) == ["0", "1", "2", why]


def test_the_first_frame_has_no_records(path: Path) -> None:
    assert changed_at(path, 5)[0] == "frame 0 (no records): its head was changed"


def test_a_magic_that_is_no_head_is_passed_over(path: Path) -> None:
    at = places(path)[2]
    content = bytearray(path.read_bytes())
    log_id = Log.open(path.parent).about.log_id
    content[at : at + 1] = b"?"
    content[at + 80 : at + 84] = MAGIC
    path.write_bytes(content)
    with path.open("rb") as file:
        found = list(walk(file.fileno(), Place(), log_id=log_id))
    assert [isinstance(one, Frame) for one in found] == [True, True, False, True]
