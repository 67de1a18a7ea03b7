"""Reading JSON values into dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.models.fields import FieldError, read_fields


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    share: float

    def __post_init__(self) -> None:
        if self.share > 1:
            raise ValueError("share has to be at most 1")


@dataclass(frozen=True)
class Outer[Part]:
    name: str
    count: int
    is_on: bool
    colour: Colour
    pair: tuple[float, float]
    numbers: tuple[int, ...]
    inners: Mapping[str, Inner]
    part: Part
    note: str = "none"


GOOD: dict[str, object] = {
    "name": "x",
    "count": 3,
    "is_on": True,
    "colour": "blue",
    "pair": [1, 2.5],
    "numbers": [1, 2, 3],
    "inners": {"a": {"share": 1}},
    "part": {"share": 0.5, "unknown": 1},
}


def test_every_field_is_read() -> None:
    assert read_fields(Outer, GOOD, "card", inner=Inner) == Outer(
        name="x",
        count=3,
        is_on=True,
        colour=Colour.BLUE,
        pair=(1.0, 2.5),
        numbers=(1, 2, 3),
        inners={"a": Inner(share=1.0)},
        part=Inner(share=0.5),
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", 1, "card.name is not a str"),
        ("count", 1.0, "card.count is not a int"),
        ("count", True, "card.count is not a int"),
        ("is_on", 1, "card.is_on is not a bool"),
        ("colour", "green", "card.colour is not one of red, blue"),
        ("pair", [1], "card.pair has 1 entries, not 2"),
        ("pair", "12", "card.pair is not a list"),
        ("pair", [1, float("nan")], r"card.pair\[1\] is not a finite number"),
        ("pair", [1, 2**2000], r"card.pair\[1\] is not a finite number"),
        ("numbers", [1, "2"], r"card.numbers\[1\] is not a int"),
        ("inners", [], "card.inners is not a JSON object"),
        ("inners", {"a": {"share": 2}}, "card.inners.a: share has to be at most 1"),
        ("inners", {"a": {}}, "card.inners.a.share is missing"),
        ("part", None, "card.part is not a JSON object"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object, message: str) -> None:
    with pytest.raises(FieldError, match=message):
        read_fields(Outer, {**GOOD, field: value}, "card", inner=Inner)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(FieldError, match=r"card\.name is missing"):
        read_fields(Outer, {}, "card", inner=Inner)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(GOOD)), inner),
        max_leaves=10,
    ),
    st.sampled_from(sorted(GOOD)),
)
def test_any_json_is_read_or_refused(value: object, field: str) -> None:
    try:
        read = read_fields(Outer, {**GOOD, field: value}, "card", inner=Inner)
    except FieldError:
        return
    assert isinstance(read, Outer)
