"""Merkle trees: every proof that is made holds, and no other does."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    leaf_hashes,
    levels,
    node_hash,
    path,
    root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(b"%d" % number) for number in range(70)]

SIZES = st.integers(1, len(LEAVES))


def test_leaves_are_hashed_together_as_each_by_itself() -> None:
    assert leaf_hashes(b"%d" % number for number in range(70)) == LEAVES


def recursive_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else EMPTY_ROOT
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(recursive_root(leaves[:split]), recursive_root(leaves[split:]))


@given(SIZES)
def test_the_levels_of_a_tree_give_all_of_its_proofs(size: int) -> None:
    tree = levels(LEAVES[:size])
    assert list(tree[-1]) == [root(LEAVES[:size])]
    for index in range(size):
        assert path(tree, index) == recursive_path(index, LEAVES[:size])
    for index in (-1, size):
        with pytest.raises(ValueError, match="no such leaf"):
            path(tree, index)


def recursive_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = leaves[:split], leaves[split:]
    if index < split:
        return [*recursive_path(index, left), recursive_root(right)]
    return [*recursive_path(index - split, right), recursive_root(left)]


def recursive_subproof(old: int, leaves: Sequence[bytes], *, is_whole: bool) -> list[bytes]:
    """RFC 6962 section 2.1.2, word for word."""
    if old == len(leaves):
        return [] if is_whole else [recursive_root(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = leaves[:split], leaves[split:]
    if old <= split:
        below = recursive_subproof(old, left, is_whole=is_whole)
        return [*below, recursive_root(right)]
    return [*recursive_subproof(old - split, right, is_whole=False), recursive_root(left)]


def changed(proof: Sequence[bytes], seed: int) -> list[list[bytes]]:
    """Return proofs that are not this one."""
    chance = random.Random(seed)
    longer = [*proof, chance.randbytes(HASH_BYTES)]
    results = [longer, [chance.randbytes(HASH_BYTES), *proof]]
    for place, one in enumerate(proof):
        bit = chance.randrange(8 * HASH_BYTES)
        flipped = bytearray(one)
        flipped[bit // 8] ^= 1 << bit % 8
        results += [
            [*proof[:place], bytes(flipped), *proof[place + 1 :]],
            [*proof[:place], one[:-1], *proof[place + 1 :]],
            [*proof[:place], *proof[place + 1 :]],
            [*proof[:place], one, *proof[place:]],
        ]
    return results


@pytest.mark.parametrize("size", range(len(LEAVES) + 1))
def test_a_root_is_that_of_the_rfc_and_a_growing_tree_has_it_too(size: int) -> None:
    grown = Tree()
    for leaf in LEAVES[:size]:
        grown.append(leaf)
    assert root(LEAVES[:size]) == recursive_root(LEAVES[:size]) == grown.root
    assert grown.size == size


@pytest.mark.parametrize("size", range(1, 34))
def test_proofs_are_those_of_the_rfc(size: int) -> None:
    leaves = LEAVES[:size]
    for index in range(size):
        assert inclusion_proof(LEAVES, index, size) == recursive_path(index, leaves)
    for old in range(1, size + 1):
        expected = recursive_subproof(old, leaves, is_whole=True)
        assert consistency_proof(LEAVES, old, size) == expected


@given(SIZES, st.data())
def test_every_inclusion_proof_holds(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(LEAVES, index, size)
    top = root(LEAVES[:size])
    assert verify_inclusion(proof, leaf=LEAVES[index], index=index, size=size, root=top)


@given(SIZES, st.data(), st.integers(0, 2**32))
def test_no_other_inclusion_proof_leaf_index_size_or_root_does(
    size: int, data: st.DataObject, seed: int
) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(LEAVES, index, size)
    top = root(LEAVES[:size])
    leaf = LEAVES[index]
    other = data.draw(st.integers(-1, 80).filter(lambda at: at != index))
    for wrong in changed(proof, seed):
        assert not verify_inclusion(wrong, leaf=leaf, index=index, size=size, root=top)
    assert not verify_inclusion(proof, leaf=leaf, index=other, size=size, root=top)
    for bad in (LEAVES[index - 1] if size > 1 else top[::-1], leaf[:-1], b""):
        assert not verify_inclusion(proof, leaf=bad, index=index, size=size, root=top)
        assert not verify_inclusion(proof, leaf=leaf, index=index, size=size, root=bad)


@given(SIZES, st.data())
def test_an_inclusion_proof_holds_for_no_other_tree(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(SIZES.filter(lambda one: one != size))
    proof = inclusion_proof(LEAVES, index, size)
    top = root(LEAVES[:other])
    assert not verify_inclusion(proof, leaf=LEAVES[index], index=index, size=other, root=top)


@given(SIZES, st.data())
def test_a_proof_of_another_height_is_refused_for_the_same_root(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(LEAVES, index, size)
    for other in (0, size * 2, (size - 1) * 2 + 2, size << 40):
        if (other - 1).bit_length() != (size - 1).bit_length():
            assert not verify_inclusion(
                proof, leaf=LEAVES[index], index=index, size=other, root=root(LEAVES[:size])
            )


@given(st.integers(0, len(LEAVES)), st.data())
def test_every_consistency_proof_holds(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, size))
    assert verify_consistency(
        consistency_proof(LEAVES, old, size),
        old_size=old,
        old_root=root(LEAVES[:old]),
        size=size,
        root=root(LEAVES[:size]),
    )


@given(st.integers(0, len(LEAVES)), st.data(), st.integers(0, 2**32))
def test_no_other_consistency_proof_size_or_root_does(
    size: int, data: st.DataObject, seed: int
) -> None:
    old = data.draw(st.integers(0, size))
    proof = consistency_proof(LEAVES, old, size)
    before, after = root(LEAVES[:old]), root(LEAVES[:size])

    def holds(
        shown: Sequence[bytes], old_size: int, old_root: bytes, new_size: int, new_root: bytes
    ) -> bool:
        return verify_consistency(
            shown, old_size=old_size, old_root=old_root, size=new_size, root=new_root
        )

    for wrong in changed(proof, seed):
        assert not holds(wrong, old, before, size, after)
    other = data.draw(st.integers(-1, size).filter(lambda at: at != old))
    assert not holds(proof, other, before, size, after)
    assert not holds(proof, old, before[::-1], size, after)
    assert not holds(proof, old, before, size, after[1:])
    if old:
        assert not holds(proof, old, before, size, after[::-1])
    if size > old:
        assert not holds(proof, size, after, old, before)


def test_a_tree_with_another_past_is_never_consistent() -> None:
    other = [leaf_hash(b"other"), *LEAVES[1:]]
    for old in range(1, 20):
        for size in range(old, 20):
            assert not verify_consistency(
                consistency_proof(other, old, size),
                old_size=old,
                old_root=root(LEAVES[:old]),
                size=size,
                root=root(other[:size]),
            )


def test_the_empty_tree_is_only_the_empty_tree() -> None:
    nothing = {"old_size": 0, "size": 0}
    assert verify_consistency([], **nothing, old_root=EMPTY_ROOT, root=EMPTY_ROOT)
    assert not verify_consistency([], **nothing, old_root=EMPTY_ROOT, root=LEAVES[0])
    assert not verify_inclusion([], leaf=LEAVES[0], index=0, size=0, root=EMPTY_ROOT)


def test_a_proof_of_nothing_is_no_proof() -> None:
    assert not verify_consistency(
        [], old_size=3, old_root=root(LEAVES[:3]), size=4, root=root(LEAVES[:4])
    )


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (0, 71)])
def test_no_proof_is_made_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        inclusion_proof(LEAVES, index, size)


@pytest.mark.parametrize(("old", "size"), [(-1, 3), (4, 3), (0, 71)])
def test_no_proof_is_made_of_trees_that_are_not_there(old: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such sizes"):
        consistency_proof(LEAVES, old, size)


@given(st.integers(0, len(LEAVES)), st.integers(0, len(LEAVES)))
def test_a_tree_goes_on_from_its_peaks(first: int, second: int) -> None:
    first, second = sorted((first, second))
    begun = Tree()
    for leaf in LEAVES[:first]:
        begun.append(leaf)
    resumed = Tree(begun.size, begun.peaks)
    for leaf in LEAVES[first:second]:
        resumed.append(leaf)
    assert resumed.root == root(LEAVES[:second])


@pytest.mark.parametrize(
    ("size", "peaks"), [(-1, []), (1, []), (3, [LEAVES[0]]), (1, [b"short"]), (0, [LEAVES[0]])]
)
def test_a_tree_refuses_the_peaks_of_another(size: int, peaks: list[bytes]) -> None:
    with pytest.raises(ValueError, match="other peaks"):
        Tree(size, peaks)
