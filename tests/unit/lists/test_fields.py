import base64
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from protech.errors import TrustError
from protech.lists.entries import Use
from protech.lists.fields import Fields

WHAT = "This object"


@pytest.mark.parametrize("value", [None, [], "text", 3, {}])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(TrustError, match="This object says nothing"):
        Fields(value, WHAT)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (True, lambda fields: fields.number("a")),
        (-1, lambda fields: fields.number("a")),
        (101, lambda fields: fields.number("a", most=100)),
        ("7", lambda fields: fields.number("a")),
        (1, lambda fields: fields.flag("a")),
        ("", lambda fields: fields.text("a", longest=3)),
        ("long", lambda fields: fields.text("a", longest=3)),
        ("a\nb", lambda fields: fields.text("a", longest=3)),
        (["guard"], lambda fields: fields.choice("a", Use)),
        ("spying", lambda fields: fields.choice("a", Use)),
        ([], lambda fields: fields.choices("a", Use)),
        (["guard", {}], lambda fields: fields.choices("a", Use)),
        ("2030-01-01", lambda fields: fields.moment("a")),
        ("0001-01-01T00:00:00+23:59", lambda fields: fields.moment("a")),
        (7, lambda fields: fields.moment("a")),
        ("AA" * 32, lambda fields: fields.digest("a")),
        ("aa" * 31, lambda fields: fields.digest("a")),
        ("zz", lambda fields: fields.digest("a")),
        (None, lambda fields: fields.digest("a")),
        ("!", lambda fields: fields.key("a")),
        (base64.b64encode(b"k" * 31).decode(), lambda fields: fields.key("a")),
        (2, lambda fields: fields.version(1)),
        ({}, lambda fields: fields.objects("a", WHAT)),
    ],
)
def test_a_field_of_another_kind_is_refused_without_being_quoted(
    value: object, read: Callable[[Fields], object]
) -> None:
    with pytest.raises(TrustError, match="This object") as refused:
        read(Fields({"a": value}, WHAT))
    if len(str(value)) > 5:
        assert str(value) not in str(refused.value)


def test_fields_are_read_and_the_rest_is_kept() -> None:
    given = {
        "v": 1,
        "number": 0,
        "flag": False,
        "uses": ["triage", "guard"],
        "at": "2030-01-01T02:00:00+02:00",
        "key": base64.b64encode(b"k" * 32).decode(),
        "none": None,
        "later": [1],
    }
    fields = Fields(given, WHAT)
    fields.version(1)
    assert fields.number("number") == 0
    assert fields.flag("flag") is False
    assert fields.choices("uses", Use) == {Use.GUARD, Use.TRIAGE}
    assert fields.moment("at") == datetime(2030, 1, 1, tzinfo=UTC)
    assert fields.key("key") == b"k" * 32
    assert not fields.has("none")
    assert fields.left() == {"later": [1]}
    assert len(given) == 8
