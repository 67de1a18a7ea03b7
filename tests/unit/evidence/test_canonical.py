"""Canonical records: one way to write each, Python's own, all at once as one by one."""

import json
import math
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.evidence import canonical as module
from protech.evidence.canonical import canonical, canonical_each

INTEGERS = st.integers(-(1 << 63), (1 << 64) - 1)
NUMBERS = st.floats(1e-4, 1e16, exclude_max=True)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.text() | NUMBERS | NUMBERS.map(lambda x: -x),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=4), inner)
    ),
    max_leaves=10,
)
RECORDS = st.dictionaries(st.text(max_size=6), JSON)


class Word(StrEnum):
    PEER = "peer"


class Step(IntEnum):
    THIRD = 3


def python_s_own(record: object) -> bytes:
    text = json.dumps(
        record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


@given(RECORDS)
def test_a_record_is_written_as_python_s_own_json_writes_it(record: dict[str, object]) -> None:
    assert canonical(record) == python_s_own(record)


@given(
    st.floats() | st.integers() | st.text(st.characters()) | st.text(st.characters(codec=None))
)
def test_whatever_is_not_refused_is_written_as_python_s_own(value: object) -> None:
    try:
        written = canonical({"a": value})
    except ValueError:
        return
    assert written == python_s_own({"a": value})


@given(st.lists(RECORDS, max_size=6))
def test_all_at_once_is_as_one_by_one(records: list[dict[str, object]]) -> None:
    assert canonical_each(records) == [canonical(one) for one in records]


def test_keys_are_sorted_and_nothing_stands_between() -> None:
    assert canonical({"b": [1, None], "a": "é\n"}) == '{"a":"é\\n","b":[1,null]}'.encode()


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 1e-4, 9999999999999998.0, -1.5, Word.PEER, Step.THIRD, True]
)
def test_what_stands_at_the_limits_is_written(value: object) -> None:
    assert canonical({"a": [value]}) == python_s_own({"a": [value]})


@pytest.mark.parametrize(
    "value",
    [
        math.nan, math.inf, -math.inf, 1e16, 1e-5, 9.9e-5, 5e-324,
        1 << 64, -(1 << 63) - 1,
        "\ud800", b"bytes", {1: 2}, {"a", "b"},
        datetime(2026, 11, 28, tzinfo=UTC), UUID(int=0),
    ],
)  # fmt: skip
def test_what_can_be_written_in_several_ways_is_refused(value: object) -> None:
    for record in ({"a": value}, {"a": [{"b": (value,)}]}):
        with pytest.raises(ValueError, match="JSON"):
            canonical(record)
        with pytest.raises(ValueError, match="JSON"):
            canonical_each([{}, record])


def test_a_record_that_holds_the_mark_is_not_taken_apart() -> None:
    with pytest.raises(ValueError, match="mark"):
        canonical_each([{"a": [0, module._MARK, 0]}, {}])


def test_a_record_that_holds_itself_is_a_bug() -> None:
    record: dict[str, object] = {}
    record["self"] = record
    with pytest.raises(ValueError, match="JSON"):
        canonical(record)
