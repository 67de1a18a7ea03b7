"""JSON through a window: every value comes out, and every fault is named and passed over."""

import io
import json
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists.formats import json_stream
from protech.lists.formats.json_stream import Cut, JsonText, Lost, Malformed, TooLong

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
INDENTS = st.none() | st.integers(0, 3) | st.just("\t\r\n")


def text_of(content: str | bytes) -> JsonText:
    return JsonText(io.BytesIO(content if isinstance(content, bytes) else content.encode()))


def pass_over(text: JsonText) -> None:
    try:
        text.value()
    except TooLong:
        text.skip()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the window so small that tests pass its edge."""
    monkeypatch.setattr(json_stream, "WINDOW_BYTES", 64)
    monkeypatch.setattr(json_stream, "VALUE_CHARACTERS", 256)
    monkeypatch.setattr(json_stream, "RESCUE_CHARACTERS", 32)


def small_window(patch: pytest.MonkeyPatch, bytes_: int, *, value: int = 1 << 20) -> None:
    patch.setattr(json_stream, "WINDOW_BYTES", bytes_)
    patch.setattr(json_stream, "VALUE_CHARACTERS", value)


@given(st.lists(VALUES, min_size=1, max_size=5), INDENTS, st.integers(1, 40))
def test_values_come_out_whatever_the_window(
    values: list[object], indent: int | str | None, window: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        small_window(patch, window)
        text = text_of(json.dumps(values, indent=indent, ensure_ascii=False))
        assert text.took("[")
        found = []
        while not text.took("]"):
            found.append(text.value())
            text.took(",")
        assert found == values
        assert text.peek() == ""


@given(VALUES, INDENTS, st.integers(1, 40))
def test_a_value_is_passed_over_whatever_the_window(
    value: object, indent: int | str | None, window: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        small_window(patch, window)
        text = text_of(json.dumps([value, 7], indent=indent, ensure_ascii=False))
        assert text.took("[")
        text.skip()
        assert text.took(",")
        assert text.value() == 7


@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=3), max_size=6))
def test_objects_in_a_row_come_out_up_to_the_last(values: list[dict[str, object]]) -> None:
    text = text_of(json.dumps(values))
    assert text.took("[")
    assert list(text.run()) == values[:-1]


@given(st.binary(max_size=300), st.integers(1, 40))
def test_whatever_the_bytes_it_ends(content: bytes, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        small_window(patch, window, value=50)
        try:
            text = text_of(content)
        except ListFormatError:
            return
        for _ in range(3 * len(content) + 3):
            if not text.peek():
                return
            try:
                with suppress(Malformed, Lost):
                    pass_over(text)
            except Cut:
                return
        raise AssertionError("it does not get on")


BROKEN = {
    '{"a":1,,}': "a comma too many",
    '{"a":"C:\\Users"}': "a backslash",
    '{"a":"\n"}': "a control character",
    '{"a":' + "[" * 20_000 + "]" * 20_000 + "}": "too deep",
    '{"a":' + "9" * 5000 + "}": "a number too long",
    "{'a':1}": "other quotes",
    "nul": "half a word",
    "nulls": "more than a word",
    "1x": "more than a number",
    "@": "a sign",
    "]": "a bracket",
}


@pytest.mark.parametrize("broken", BROKEN, ids=BROKEN.values())
def test_what_is_broken_is_passed_over(broken: str) -> None:
    text = text_of(f'[{broken}, {{"good": 1}}, 2]')
    assert text.took("[")
    with pytest.raises(Malformed):
        text.value()
    text.took(",")
    assert text.value() == {"good": 1}


def test_where_quotes_do_not_close_the_next_is_found(small: None) -> None:
    broken = '{"id":1,"a":"b,"c":"' + "x" * 300 + "}"
    text = text_of(f'[{broken},{{ "id":2}}]')
    assert text.took("[")
    with pytest.raises(Lost):
        text.value()
    assert text.find(re.compile(r'\{\s*"id"'))
    assert text.value() == {"id": 2}
    assert not text.find(re.compile(r'\{\s*"id"'))
    assert text.peek() == ""


@pytest.mark.parametrize(
    "long",
    [
        '"' + "x" * 999 + '"',
        json.dumps(["\\", '"'] * 300),
        "9" * 999,
        '{"a":"' + "\\\\" * 500 + '"}',
    ],
)
def test_what_is_too_long_is_said_and_can_be_passed_over(small: None, long: str) -> None:
    text = text_of(f"[{long} ,1]")
    assert text.took("[")
    with pytest.raises(TooLong):
        text.value()
    text.skip()
    assert text.took(",")
    assert text.value() == 1


def test_the_longest_value_is_read_and_one_much_longer_is_not() -> None:
    for more in (0, 1):
        value = "x" * (json_stream.VALUE_CHARACTERS - 2 + 2 * more * json_stream.WINDOW_BYTES)
        text = text_of(json.dumps(value) + " " * json_stream.WINDOW_BYTES * 2)
        if more:
            with pytest.raises(TooLong):
                text.value()
        else:
            assert text.value() == value


@pytest.mark.parametrize("cut", ["", " ", '"a', '{"a":', '{"a":tr', "[1,", '"\\u00', "[" * 40])
def test_a_cut_text_is_told(cut: str) -> None:
    with pytest.raises(Cut):
        text_of(cut).value()


@pytest.mark.parametrize("cut", ['"a', '"a\\', '{"a":', "[", "12"])
def test_a_cut_text_cannot_be_passed_over(cut: str) -> None:
    with pytest.raises(Cut):
        text_of(cut).skip()


def test_a_byte_order_mark_is_passed_over_and_utf_16_refused() -> None:
    assert text_of(b"\xef\xbb\xbf 1").value() == 1
    for mark in (b"\xff\xfe", b"\xfe\xff"):
        with pytest.raises(ListFormatError, match="UTF-8"):
            text_of(mark + b"1\0")


def test_bytes_that_are_no_utf_8_do_not_end_it() -> None:
    text = text_of(b'["\xff\xfe", 1]')
    assert text.value() == ["\udcff\udcfe", 1]
