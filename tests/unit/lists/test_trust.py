import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import TrustError
from protech.lists.entries import Category, LegalClass, Use
from protech.lists.trust import (
    ListTarget,
    TargetKind,
    check_target,
    check_use,
    custom_of,
    newest,
    parse_target,
    plan,
)

FULL = ListTarget(
    name="baseline",
    version=5,
    kind=TargetKind.FULL,
    sha256=bytes(range(32)),
    size_bytes=1000,
    entries=7,
    category=Category.CSAM,
    uses=frozenset({Use.GUARD, Use.TRIAGE}),
    issuer="A hotline",
    legal_basis="Law 1, section 2",
    legal_class=LegalClass.BASELINE,
    quality_floor=50,
    is_sealed=True,
    expires_at=datetime(2030, 1, 1, tzinfo=UTC),
)
FETCH_KEYS = replace(FULL, kind=TargetKind.FETCH_KEYS, uses=frozenset({Use.LOCATE}))


def delta(base: int, version: int) -> ListTarget:
    return replace(FULL, kind=TargetKind.DELTA, base=base, version=version)


names = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
texts = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=40)
targets = st.builds(
    ListTarget,
    name=names,
    version=st.integers(1, 2**32 - 1),
    kind=st.just(TargetKind.FULL),
    sha256=st.binary(min_size=32, max_size=32),
    size_bytes=st.integers(0, 1 << 40),
    entries=st.integers(0, 2**32 - 1),
    category=st.sampled_from([Category.CSAM, Category.KNOWN_GOOD]),
    uses=st.frozensets(st.sampled_from([Use.GUARD, Use.TRIAGE, Use.MESSAGING]), min_size=1),
    issuer=texts,
    legal_basis=texts,
    legal_class=st.none() | st.sampled_from(LegalClass),
    quality_floor=st.none() | st.integers(0, 100),
    is_sealed=st.booleans(),
    expires_at=st.none() | st.datetimes(datetime(2020, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are bare
)


@given(targets)
def test_what_a_target_says_survives_the_way_through_json(target: ListTarget) -> None:
    assert parse_target(json.loads(json.dumps(custom_of(target))), path=target.path) == target


def test_unknown_fields_are_kept() -> None:
    custom: dict[str, Any] = custom_of(FULL)
    custom["protech"]["later"] = [1, 2]
    assert custom_of(parse_target(custom)) == custom


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (FULL, "baseline.5.list.age"),
        (delta(4, 5), "baseline.4-5.delta.age"),
        (replace(FULL, kind=TargetKind.EXCEPTIONS), "baseline.5.exceptions.age"),
        (FETCH_KEYS, "baseline.5.fetch_keys.age"),
    ],
)
def test_the_name_of_a_target_says_what_it_is(target: ListTarget, path: str) -> None:
    assert target.path == path


def test_a_target_under_the_name_of_another_is_refused() -> None:
    with pytest.raises(TrustError, match="mixed up"):
        parse_target(custom_of(FULL), path="baseline.6.list.age")


@pytest.mark.parametrize(
    "changed",
    [
        {"v": 2},
        {"version": 0},
        {"kind": "whole"},
        {"sha256": "00"},
        {"size_bytes": 2**40 + 1},
        {"category": "own"},
        {"category": "terrorism"},
        {"uses": []},
        {"uses": ["advertising"]},
        {"uses": ["guard", "locate"]},
        {"issuer": None},
        {"legal_basis": ""},
        {"legal_class": "moral"},
        {"quality_floor": 101},
        {"sealed": None},
        {"expires_at": "tomorrow"},
        {"base": 3},
        {"list": "a.b"},
        {"list": "../up"},
    ],
)
def test_what_no_authority_may_publish_is_refused(changed: Mapping[str, object]) -> None:
    custom: dict[str, Any] = custom_of(FULL)
    custom["protech"] |= changed
    with pytest.raises(TrustError):
        parse_target(custom)


@pytest.mark.parametrize("custom", [None, [], {}, {"protech": None}, {"protech": []}])
def test_a_target_that_says_nothing_is_refused(custom: object) -> None:
    with pytest.raises(TrustError, match="says nothing"):
        parse_target(custom)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"uses": frozenset({Use.LOCATE})}, "only fetch keys are for locate"),
        ({"uses": frozenset()}, "no use"),
        ({"kind": TargetKind.FETCH_KEYS}, "nothing else"),
        ({"kind": TargetKind.EXCEPTIONS}, "guarded person"),
        ({"kind": TargetKind.DELTA}, "starts from"),
        ({"kind": TargetKind.DELTA, "base": 5}, "later version"),
        ({"category": Category.OWN}, "csam, known_good"),
    ],
)
def test_kind_uses_and_category_go_together(changed: dict[str, Any], what: str) -> None:
    with pytest.raises(TrustError, match=what):
        check_target(replace(FULL, **changed))


def test_a_list_is_used_only_as_its_authority_allows() -> None:
    check_use(FULL, Use.GUARD)
    check_use(FETCH_KEYS, Use.LOCATE)
    for target, use in ((FULL, Use.MESSAGING), (FULL, Use.LOCATE), (FETCH_KEYS, Use.TRIAGE)):
        with pytest.raises(TrustError, match=f"not for {use}"):
            check_use(target, use)


def test_the_newest_whole_version_counts() -> None:
    assert newest([replace(FULL, version=4), FULL, delta(4, 5)]) == FULL
    assert newest([delta(4, 5)]) is None
    with pytest.raises(ValueError, match="different lists"):
        newest([FULL, replace(FULL, name="other")])


def test_targets_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(TrustError, match="differ"):
        plan(4, [FULL, replace(delta(4, 5), sha256=bytes(32))])
    with pytest.raises(TrustError, match="not there whole"):
        plan(4, [FULL, delta(5, 6)])


def test_an_older_version_than_the_one_at_hand_is_refused() -> None:
    with pytest.raises(TrustError, match="old state"):
        plan(6, [FULL])


def test_a_list_that_is_gone_is_said() -> None:
    with pytest.raises(TrustError, match="not on offer"):
        plan(5, [])


@pytest.mark.parametrize(
    ("have", "deltas", "expected"),
    [
        (None, [(4, 5)], None),
        (5, [(4, 5)], []),
        (4, [(4, 5)], [(4, 5)]),
        (3, [(4, 5)], None),
        (2, [(4, 5), (2, 4)], [(2, 4), (4, 5)]),
        (2, [(2, 3), (3, 4), (4, 5), (3, 5)], [(2, 3), (3, 5)]),
        (3, [(2, 5)], None),
    ],
)
def test_the_fewest_deltas_are_taken_else_the_whole(
    have: int | None,
    deltas: list[tuple[int, int]],
    expected: list[tuple[int, int]] | None,
) -> None:
    offered = [FULL, *(delta(*step) for step in deltas)]
    chosen = plan(have, offered)
    assert chosen == (FULL if expected is None else [delta(*step) for step in expected])
