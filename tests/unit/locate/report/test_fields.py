from datetime import UTC, datetime

import pytest

from protech.errors import SourceError
from protech.locate.report.fields import Fields

VALUES = {
    "text": "a",
    "number": 3,
    "amount": 1.5,
    "flag": True,
    "moment": "2026-11-28T09:30:00.123Z",
    "digest": "00ff",
    "inner": {"x": 1},
    "texts": ["a", "b"],
    "objects": [{"x": 1}],
    "null": None,
}
FIELDS = Fields(VALUES, "record 3 of the log")


def test_each_kind_is_read() -> None:
    assert FIELDS.text("text") == "a"
    assert FIELDS.number("number") == 3
    assert FIELDS.amount_or_none("amount") == 1.5
    assert FIELDS.flag("flag")
    assert FIELDS.moment("moment") == datetime(2026, 11, 28, 9, 30, 0, 123000, tzinfo=UTC)
    assert FIELDS.digest_or_none("digest") == b"\x00\xff"
    assert FIELDS.inner("inner").number("x") == 1
    assert FIELDS.texts("texts") == ("a", "b")
    assert [one.number("x") for one in FIELDS.objects("objects")] == [1]


@pytest.mark.parametrize("name", ["null", "absent"])
def test_what_is_null_or_not_there_is_none_where_it_may_be(name: str) -> None:
    assert FIELDS.text_or_none(name) is None
    assert FIELDS.amount_or_none(name) is None
    assert FIELDS.number_or_none(name) is None
    assert FIELDS.digest_or_none(name) is None
    assert FIELDS.inner_or_none(name) is None
    assert FIELDS.items(name) == ()


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (Fields.text, "number"),
        (Fields.number, "flag"),
        (Fields.number, "amount"),
        (Fields.amount_or_none, "flag"),
        (Fields.amount_or_none, "text"),
        (Fields.flag, "number"),
        (Fields.moment, "text"),
        (Fields.digest_or_none, "text"),
        (Fields.inner, "texts"),
        (Fields.texts, "objects"),
        (Fields.objects, "texts"),
        (Fields.items, "text"),
    ],
)
def test_what_is_of_another_kind_is_refused_with_the_record_and_without_its_value(
    read: object, name: str
) -> None:
    with pytest.raises(SourceError, match=f"record 3 of the log has no '{name}'") as refused:
        read(FIELDS, name)  # type: ignore[operator]
    assert "09:30" not in str(refused.value)


def test_a_moment_has_a_time_zone() -> None:
    with pytest.raises(SourceError):
        Fields({"at": "2026-11-28T09:30:00"}, "x").moment("at")
