"""Lines of any length and encoding, one at a time."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists.entries import BadEntry, Entry
from protech.lists.fetch_keys import MAGIC
from protech.lists.formats.lines import (
    FETCH_KEYS,
    LINE_BYTES,
    entries,
    first_line,
    lines,
    refuse_fetch_keys,
)
from protech.lists.formats.values import BadValue, entry_of

MD5 = "ab" * 16


def read(content: bytes) -> list[tuple[int, str | None]]:
    return list(lines(io.BytesIO(content)))


def test_marks_and_ends_of_lines_are_no_part_of_them() -> None:
    assert read(b"\xef\xbb\xbfone\r\n\ntwo") == [(1, "one"), (2, ""), (3, "two")]


def test_a_line_is_of_so_many_bytes_and_no_more() -> None:
    longest = b"a" * LINE_BYTES
    assert read(longest + b"\nb") == [(1, longest.decode()), (2, "b")]
    assert read(longest * 3 + b"a\nb") == [(1, None), (2, "b")]
    assert read(longest * 3) == [(1, None)]


def test_what_is_no_utf_8_becomes_the_replacement_character() -> None:
    assert read(b"\xff\n") == [(1, "\ufffd")]


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_is_refused_with_what_to_do(mark: bytes) -> None:
    with pytest.raises(ListFormatError, match="save it again as UTF-8"):
        read(mark + b"a\0")


@pytest.mark.parametrize("before", [b"", b" \n", b"\xef\xbb\xbf"])
def test_fetch_keys_are_for_locate(before: bytes) -> None:
    assert FETCH_KEYS.decode() == f'"{MAGIC}"'
    with pytest.raises(ListFormatError, match="a list for locate"):
        refuse_fetch_keys(before + b'{"protech_fetch_keys":1}')


@given(head=st.binary(max_size=200))
def test_nothing_else_is(head: bytes) -> None:
    if MAGIC.encode() not in head:
        refuse_fetch_keys(head)


def test_the_good_part_of_a_line_is_kept_and_the_line_named() -> None:
    def parse(line: str) -> Entry | None:
        return entry_of({"md5": MD5, "sha1": "x"}) if line else None

    numbered = iter([(1, ""), (2, "x"), (3, None)])
    assert list(entries(numbered, parse)) == [
        Entry(md5=bytes.fromhex(MD5)),
        BadEntry(line=2, reason="'sha1' is not 40 hex digits"),
        BadEntry(line=3, reason=f"the line is longer than {LINE_BYTES} bytes"),
    ]


def test_a_line_that_is_nothing_is_named() -> None:
    def parse(_: str) -> Entry | None:
        raise BadValue("no")

    assert list(entries(iter([(7, "x")]), parse)) == [BadEntry(line=7, reason="no")]


def test_the_first_line_is_the_first_that_is_not_blank() -> None:
    assert first_line(b"\xef\xbb\xbf\r\n  one \ntwo") == "one"
    assert first_line(b"\n\n") == ""
