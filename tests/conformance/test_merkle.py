"""Merkle trees against the vectors of RFC 6962's reference implementation.

Leaves, roots and proofs are those of google/certificate-transparency's merkle_tree_test.cc, as
transparency-dev/merkle (proof/verify_test.go, rfc6962/rfc6962_test.go) carries them on. They
must be equal; one difference is meant: from the empty tree on, we want its own root, they any.
"""

import pytest

from protech.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

DATA = [
    bytes.fromhex(one)
    for one in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]

LEAVES = [leaf_hash(one) for one in DATA]

ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)

A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
G = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
H = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"

INCLUSION = [
    (0, 1, ()),
    (0, 8, (A, B, C)),
    (5, 8, (D, E, F)),
    (2, 3, (ROOTS[2],)),
    (1, 5, (ROOTS[1], B, D)),
]

CONSISTENCY = [
    (1, 1, ()),
    (1, 8, (A, B, C)),
    (6, 8, (G, E, F)),
    (2, 5, (B, D)),
    (6, 7, (G, H, F)),
]


def test_the_hashes_of_a_leaf_and_of_a_node_are_those_of_the_reference() -> None:
    leaf = "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    node = "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert leaf_hash(b"L123456").hex() == leaf
    assert node_hash(b"N123", b"N456").hex() == node
    assert EMPTY_ROOT.hex() == ROOTS[0]


@pytest.mark.parametrize("size", range(9))
def test_the_root_is_that_of_the_reference(size: int) -> None:
    assert root(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size", "expected"), INCLUSION)
def test_an_inclusion_proof_is_that_of_the_reference(
    index: int, size: int, expected: tuple[str, ...]
) -> None:
    proof = inclusion_proof(LEAVES, index, size)
    assert tuple(one.hex() for one in proof) == expected
    top = bytes.fromhex(ROOTS[size])
    assert verify_inclusion(proof, leaf=LEAVES[index], index=index, size=size, root=top)


@pytest.mark.parametrize(("old", "size", "expected"), CONSISTENCY)
def test_a_consistency_proof_is_that_of_the_reference(
    old: int, size: int, expected: tuple[str, ...]
) -> None:
    proof = consistency_proof(LEAVES, old, size)
    assert tuple(one.hex() for one in proof) == expected
    before, after = bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[size])
    assert verify_consistency(proof, old_size=old, old_root=before, size=size, root=after)
