"""The log that a device sees: what is in it, what was in it before, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import TrustError
from protech.lists.checkpoint import Checkpoint
from protech.lists.entries import Category, Use
from protech.lists.log import (
    LEAF_BYTES,
    LOG_BYTES,
    Leaf,
    leaf_of,
    lines,
    parse_leaf,
    require,
    verified,
)
from protech.lists.log import (
    LEAVES as MOST_LEAVES,
)
from protech.lists.trust import ListTarget, TargetKind
from protech.merkle import leaf_hash, root

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ORIGIN = "lists.example/log"

LEAVES = [
    Leaf(
        name="national",
        version=version,
        kind=TargetKind.FULL,
        sha256=bytes([version]) * 32,
        size_bytes=1000 * version,
        published_at=NOW,
    )
    for version in range(1, 21)
]
DATA = [leaf.data for leaf in LEAVES]

TARGET = ListTarget(
    name="national",
    version=3,
    kind=TargetKind.FULL,
    sha256=bytes([3]) * 32,
    size_bytes=3000,
    entries=10,
    category=Category.CSAM,
    uses=frozenset({Use.TRIAGE}),
    issuer="An authority",
    legal_basis="A law",
)


def checkpoint_of(data: list[bytes]) -> Checkpoint:
    top = root([leaf_hash(one) for one in data])
    return Checkpoint(origin=ORIGIN, size=len(data), root=top)


def content_of(data: list[bytes]) -> bytes:
    return b"".join(one + b"\n" for one in data)


@pytest.mark.parametrize("kind", [TargetKind.FULL, TargetKind.EXCEPTIONS])
def test_a_leaf_comes_back_from_its_line(kind: TargetKind) -> None:
    leaf = replace(LEAVES[0], kind=kind)
    assert parse_leaf(leaf.data) == leaf
    assert b"\n" not in leaf.data


def test_a_leaf_is_canonical_json() -> None:
    digest = "01" * 32
    assert DATA[0].decode() == (
        '{"kind":"full","list":"national","published_at":"2026-07-01T12:00:00+00:00",'
        f'"sha256":"{digest}","size_bytes":1000,"version":1}}'
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 10_000,
        DATA[0].replace(b'"version":1', b'"version":0'),
        DATA[0].replace(b'"full"', b'"other"'),
        DATA[0].replace(b":", b": ", 1),
        DATA[0].replace(b"}", b',"z":1}'),
        DATA[0].replace(b"+00:00", b"Z"),
        DATA[0].replace(b'"sha256":"01', b'"sha256":"zz'),
    ],
)
def test_what_is_no_leaf_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError, match="A leaf of the log"):
        parse_leaf(data)


def test_a_delta_s_leaf_is_that_of_the_list_it_leads_to() -> None:
    delta = replace(TARGET, kind=TargetKind.DELTA, base=2)
    assert leaf_of(delta, published_at=NOW) == leaf_of(TARGET, published_at=NOW) == LEAVES[2]


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_a_log_that_only_grew_holds(first: int, second: int, served: int) -> None:
    earlier, now, served = sorted((first, second, served))
    held = verified(DATA[:served], checkpoint_of(DATA[:now]), checkpoint_of(DATA[:earlier]))
    assert held == DATA[:now]
    assert verified(DATA[:served], checkpoint_of(DATA[:now]), None) == DATA[:now]


@given(st.data())
def test_a_log_that_changed_a_leaf_it_had_shown_is_refused(data: st.DataObject) -> None:
    earlier = data.draw(st.integers(1, 20))
    changed = data.draw(st.integers(0, earlier - 1))
    size = data.draw(st.integers(earlier, 20))
    other = [*DATA[:changed], b"{}", *DATA[changed + 1 : size]]
    with pytest.raises(TrustError, match="another past"):
        verified(other, checkpoint_of(other), checkpoint_of(DATA[:earlier]))


def test_a_log_that_lost_leaves_is_refused() -> None:
    with pytest.raises(TrustError, match="has 4 leaves and had 5 before"):
        verified(DATA, checkpoint_of(DATA[:4]), checkpoint_of(DATA[:5]))


def test_a_log_of_another_name_is_refused() -> None:
    other = replace(checkpoint_of(DATA), origin="other.example")
    with pytest.raises(TrustError, match="another log"):
        verified(DATA, other, checkpoint_of(DATA))


def test_a_log_that_is_shorter_than_its_checkpoint_is_refused() -> None:
    with pytest.raises(TrustError, match="has 4 leaves, and its checkpoint counts 5"):
        verified(DATA[:4], checkpoint_of(DATA[:5]), None)


@given(st.integers(0, 19))
def test_leaves_that_the_checkpoint_was_not_signed_for_are_refused(place: int) -> None:
    other = [*DATA[:place], DATA[place] + b" ", *DATA[place + 1 :]]
    with pytest.raises(TrustError, match="not those that its checkpoint"):
        verified(other, checkpoint_of(DATA), None)


def test_leaves_in_another_order_are_refused() -> None:
    with pytest.raises(TrustError, match="not those that its checkpoint"):
        verified(DATA[::-1], checkpoint_of(DATA), None)


def test_a_version_must_be_in_the_log() -> None:
    require(DATA, [TARGET, replace(TARGET, kind=TargetKind.DELTA, base=1)])
    require([], [])


@pytest.mark.parametrize(
    "other",
    [
        replace(TARGET, version=21),
        replace(TARGET, name="other"),
        replace(TARGET, sha256=bytes(32)),
        replace(TARGET, size_bytes=3001),
        replace(TARGET, kind=TargetKind.EXCEPTIONS),
    ],
)
def test_a_version_that_is_not_in_the_log_is_refused(other: ListTarget) -> None:
    with pytest.raises(TrustError, match="is not in the log"):
        require(DATA, [TARGET, other])


def test_a_version_that_the_log_holds_with_two_contents_is_refused() -> None:
    second = replace(LEAVES[2], sha256=bytes(32))
    with pytest.raises(TrustError, match="is twice in the log"):
        require([*DATA, second.data], [TARGET])


def test_a_line_without_its_end_is_left_out() -> None:
    assert lines(content_of(DATA)) == DATA
    assert lines(content_of(DATA) + b'{"kind"') == DATA
    assert lines(b"") == []


def test_a_log_or_a_leaf_larger_than_allowed_is_refused() -> None:
    assert lines(b"x" * LEAF_BYTES + b"\n") == [b"x" * LEAF_BYTES]
    assert len(lines(b"\n" * MOST_LEAVES)) == MOST_LEAVES
    too_large = (
        b"x" * (LEAF_BYTES + 1) + b"\n",
        b"\n" * (MOST_LEAVES + 1),
        b"x" * (LOG_BYTES + 1),
    )
    for content in too_large:
        with pytest.raises(TrustError, match="larger than"):
            lines(content)
