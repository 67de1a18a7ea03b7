"""Merkle trees: roots, and proofs that a leaf is in a tree and that a tree only grew; pure.

A tree is over the hashes of its leaves, in order. A leaf and a node are hashed with different
first bytes, so that no leaf can be passed off as a node.

Source: RFC 6962, section 2.1 (roots and proofs); RFC 9162, sections 2.1.3.2 and 2.1.4.2
(checking them).
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32

EMPTY_ROOT = sha256().digest()
"""The root of the tree without leaves."""

_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """Return the hash under which ``data`` is a leaf."""
    return sha256(_LEAF + data).digest()


def leaf_hashes(contents: Iterable[bytes]) -> list[bytes]:
    """Return the leaf hash of each; a little faster than one by one."""
    hashed = sha256
    mark = _LEAF
    return [hashed(mark + content).digest() for content in contents]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two others."""
    return sha256(_NODE + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of the tree over leaf hashes.

    Cost: n - 1 hashes; about a second for a million.
    """
    level = leaves
    while len(level) > 1:
        level = _above(level)
    return level[0] if level else EMPTY_ROOT


def inclusion_proof(leaves: Sequence[bytes], index: int, size: int) -> list[bytes]:
    """Return what shows that leaf ``index`` is in the tree over the first ``size`` leaves.

    Raises:
        ValueError: There is no such leaf, or there are not so many.
    """
    if not 0 <= index < size <= len(leaves):
        raise ValueError("the tree has no such leaf")
    return path(levels(leaves[:size]), index)


def levels(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Return a tree level by level, its leaf hashes first: for many proofs of one tree.

    Cost: n - 1 hashes, and as much memory again as the leaves.
    """
    found = [leaves]
    while len(found[-1]) > 1:
        found.append(_above(found[-1]))
    return found


def path(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """Return what shows that leaf ``index`` is in the tree that ``levels`` gave.

    Raises:
        ValueError: There is no such leaf.
    """
    if not 0 <= index < len(levels[0]):
        raise ValueError("the tree has no such leaf")
    besides = ((level, index >> height ^ 1) for height, level in enumerate(levels))
    return [level[beside] for level, beside in besides if beside < len(level)]


def consistency_proof(leaves: Sequence[bytes], old_size: int, size: int) -> list[bytes]:
    """Return what shows that the first ``old_size`` of ``size`` leaves are as they were.

    Raises:
        ValueError: The sizes are no sizes of trees over these leaves, the smaller one first.
    """
    if not 0 <= old_size <= size <= len(leaves):
        raise ValueError("the trees have no such sizes")
    proof: list[bytes] = []
    start, end = 0, size
    while start < old_size < end:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if old_size <= middle:
            proof.append(root(leaves[middle:end]))
            end = middle
        else:
            proof.append(root(leaves[start:middle]))
            start = middle
    # Who checks has the old root, and so has no need of it where it is a node of the new tree.
    if start:
        proof.append(root(leaves[start:end]))
    return proof[::-1]


def verify_inclusion(
    proof: Sequence[bytes], *, leaf: bytes, index: int, size: int, root: bytes
) -> bool:
    """Return whether ``proof`` shows that a leaf hash is at ``index`` under ``root``."""
    if not 0 <= index < size or not _are_hashes([leaf, root, *proof]):
        return False
    at, last = index, size - 1
    found = leaf
    for beside in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(beside, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(
    proof: Sequence[bytes], *, old_size: int, old_root: bytes, size: int, root: bytes
) -> bool:
    """Return whether ``proof`` shows that the tree of ``size`` begins with the older one."""
    if not 0 <= old_size <= size or not _are_hashes([old_root, root, *proof]):
        return False
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT and (size > 0 or root == EMPTY_ROOT)
    if old_size == size:
        return not proof and old_root == root
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    return bool(path) and _roots(path, old_size, size) == (old_root, root)


def _roots(path: Sequence[bytes], old_size: int, size: int) -> tuple[bytes, bytes] | None:
    """Return the roots of the older and the newer tree that a proof leads to."""
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    older = newer = path[0]
    for beside in path[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            older = node_hash(beside, older)
            newer = node_hash(beside, newer)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            newer = node_hash(newer, beside)
        at, last = at >> 1, last >> 1
    return (older, newer) if last == 0 else None


def _above(level: Sequence[bytes]) -> list[bytes]:
    """Return the nodes above a level; the last one without a neighbour rises as it is."""
    hashed = sha256
    node = _NODE
    each = iter(level)
    above = [hashed(node + left + right).digest() for left, right in zip(each, each)]  # noqa: B905 - the last may be alone
    if len(level) & 1:
        above.append(level[-1])
    return above


def _are_hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


class Tree:
    """A tree that grows at its end, held as the roots of its whole subtrees, largest first.

    ``size`` and ``peaks`` are all of it: a tree made from them goes on where that one stood.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """Go on from a tree of ``size`` leaves; without arguments, from the empty one.

        Raises:
            ValueError: There is another number of peaks than a tree of that size has.
        """
        self._size = size
        self._peaks = list(peaks)
        if size < 0 or len(self._peaks) != size.bit_count() or not _are_hashes(self._peaks):
            raise ValueError("a tree of that size has other peaks")

    @property
    def size(self) -> int:
        """How many leaves it has."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of its whole subtrees, one for each bit that is set in ``size``."""
        return tuple(self._peaks)

    @property
    def root(self) -> bytes:
        """The root; at most 63 hashes away."""
        if not self._peaks:
            return EMPTY_ROOT
        found = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            found = node_hash(peak, found)
        return found

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash; one hash on average."""
        peaks = self._peaks
        at = self._size
        while at & 1:
            leaf = sha256(_NODE + peaks.pop() + leaf).digest()
            at >>= 1
        peaks.append(leaf)
        self._size += 1
