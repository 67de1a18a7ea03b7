"""Canonical records: one way to write each, all at once as one by one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.evidence import canonical as module
from protech.evidence.canonical import canonical, canonical_each

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=10,
)
RECORDS = st.dictionaries(st.text(max_size=6), JSON)


@given(st.lists(RECORDS, max_size=6))
def test_all_at_once_is_as_one_by_one(records: list[dict[str, object]]) -> None:
    try:
        expected = [canonical(one) for one in records]
    except ValueError:  # infinity
        with pytest.raises(ValueError, match="JSON"):
            canonical_each(records)
        return
    assert canonical_each(records) == expected
    assert [json.loads(one) for one in expected] == records


def test_keys_are_sorted_and_nothing_stands_between() -> None:
    assert canonical({"b": [1, None], "a": "é\n"}) == '{"a":"é\\n","b":[1,null]}'.encode()


def test_a_record_that_holds_the_mark_is_not_taken_apart() -> None:
    with pytest.raises(ValueError, match="mark"):
        canonical_each([{"a": [0, module._MARK, 0]}, {}])


def test_a_record_that_holds_itself_is_a_bug() -> None:
    record: dict[str, object] = {}
    record["self"] = record
    with pytest.raises(RecursionError):
        canonical(record)
