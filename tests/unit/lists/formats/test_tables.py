"""Plain text and tables: what is a digest is read, whatever stands around it."""

import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists.entries import BadEntry, Entry
from protech.lists.formats.lines import LINE_BYTES
from protech.lists.formats.tables import (
    Wide,
    cells,
    csv_matches,
    read_csv,
    read_text,
    text_matches,
)
from protech.lists.formats.values import BadValue

MD5, SHA1, WIDE = "ab" * 16, "cd" * 20, "0F" * 32


def text(content: str | bytes, wide: Wide = Wide.SHA256) -> list[Entry | BadEntry]:
    raw = content if isinstance(content, bytes) else content.encode()
    return list(read_text(io.BytesIO(raw), wide=wide))


def table(content: str | bytes) -> list[Entry | BadEntry]:
    raw = content if isinstance(content, bytes) else content.encode()
    return list(read_csv(io.BytesIO(raw)))


def test_the_kind_of_a_digest_is_its_length() -> None:
    assert text(f"{MD5}\n{SHA1}\n{WIDE}\n") == [
        Entry(md5=bytes.fromhex(MD5)),
        Entry(sha1=bytes.fromhex(SHA1)),
        Entry(sha256=bytes.fromhex(WIDE)),
    ]


def test_64_digits_are_what_the_person_says() -> None:
    assert text(WIDE, Wide.PDQ) == [Entry(pdq=(bytes.fromhex(WIDE),))]


@pytest.mark.parametrize("word", ["pdq ", "PDQ:", "pdq = ", "Pdq,"])
def test_a_word_before_a_digest_says_its_kind(word: str) -> None:
    assert text(word + WIDE) == [Entry(pdq=(bytes.fromhex(WIDE),))]


@pytest.mark.parametrize("word", ["SHA-1: ", "sha1 "])
def test_a_dash_in_the_word_is_nothing(word: str) -> None:
    assert text(word + SHA1) == [Entry(sha1=bytes.fromhex(SHA1))]


def test_comments_blank_lines_and_names_after_a_digest_are_left_out() -> None:
    assert (
        text(f"# a list\n\n{MD5}  a name.jpg\n{MD5} *other # why\n   # \n")
        == [Entry(md5=bytes.fromhex(MD5))] * 2
    )


def test_a_line_that_is_no_digest_is_named_and_not_quoted() -> None:
    assert text(f"{MD5}\nsomething else\n{MD5}x\n{'zz' * 16}\n") == [
        Entry(md5=bytes.fromhex(MD5)),
        BadEntry(line=2, reason="the line begins with no digest of 32, 40 or 64 hex digits"),
        BadEntry(line=3, reason="the line begins with no digest of 32, 40 or 64 hex digits"),
        BadEntry(line=4, reason="'md5' is not 32 hex digits"),
    ]


def test_bytes_that_are_no_text_are_no_list() -> None:
    with pytest.raises(ListFormatError, match="no text"):
        text(b"\0\1\2")


def test_a_zero_byte_in_a_later_line_makes_that_line_bad() -> None:
    assert [type(one) for one in text(f"{MD5}\n\0{MD5}\n{MD5}")] == [Entry, BadEntry, Entry]


@pytest.mark.parametrize("head", [MD5, f"# note\n\n{SHA1}\n", f"pdq {WIDE}", f"{WIDE}  name"])
def test_a_text_list_is_known_by_its_first_digest(head: str) -> None:
    assert text_matches(head.encode())


@pytest.mark.parametrize("head", ["", WIDE, f"# sha\n{WIDE}\n", "hello", "md5,sha1", "# md5"])
def test_what_may_be_of_two_kinds_or_of_none_is_not_guessed(head: str) -> None:
    assert not text_matches(head.encode())


@given(content=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_as_text(content: bytes) -> None:
    text_matches(content)
    with suppress(ListFormatError):
        assert all(isinstance(one, Entry | BadEntry) for one in text(content))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_are_found_by_name_in_any_order_and_case(delimiter: str) -> None:
    head = delimiter.join(["Name", "SHA-1", "x", "Md5 Hash", "SHA_256", "PDQ"])
    row = delimiter.join(["n", SHA1, "", MD5, WIDE, WIDE])
    assert csv_matches(head.encode())
    assert table(f"{head}\r\n{row}\r\n") == [
        Entry(
            md5=bytes.fromhex(MD5),
            sha1=bytes.fromhex(SHA1),
            sha256=bytes.fromhex(WIDE),
            pdq=(bytes.fromhex(WIDE),),
        )
    ]


def test_quotes_marks_and_empty_rows_are_read() -> None:
    content = f'\ufeff\n"label";"MD5"\r\n"a ""b"";c";"{MD5}"\r\n;\r\n\r\nplain;{MD5}\r\n'
    assert table(content) == [
        Entry(label='a "b";c', md5=bytes.fromhex(MD5)),
        Entry(label="plain", md5=bytes.fromhex(MD5)),
    ]


def test_several_hashes_stand_in_one_cell() -> None:
    assert table(f"vpdq,pdq\n{WIDE} {WIDE},{WIDE}\n") == [
        Entry(vpdq=(bytes.fromhex(WIDE),) * 2, pdq=(bytes.fromhex(WIDE),))
    ]


def test_a_bad_row_is_named_and_its_good_identifiers_kept() -> None:
    assert table(f'md5,sha1\n{MD5},x\n"{MD5}\n,\n{MD5}\nx,\n') == [
        Entry(md5=bytes.fromhex(MD5)),
        BadEntry(line=2, reason="'sha1' is not 40 hex digits"),
        BadEntry(line=3, reason="the row is no row of a table: see its quotes"),
        Entry(md5=bytes.fromhex(MD5)),
        BadEntry(line=6, reason="'md5' is not 32 hex digits"),
    ]


def test_a_row_without_identifier_is_named() -> None:
    assert table("md5,label\n,only a label\n") == [
        BadEntry(line=2, reason="there is no identifier")
    ]


def test_the_sign_that_makes_a_formula_text_is_taken_off() -> None:
    entries = table(f"label,md5\n'=1+1,{MD5}\n'quoted,{MD5}\n")
    assert [one.label for one in entries if isinstance(one, Entry)] == ["=1+1", "'quoted"]


@pytest.mark.parametrize("head", ["", "label,name", "x;y", MD5, '"md5', "a" * (LINE_BYTES + 2)])
def test_a_table_without_a_column_of_digests_is_no_list(head: str) -> None:
    assert not csv_matches(head.encode())
    with pytest.raises(ListFormatError, match="has no column md5"):
        table(head + "\n")


@pytest.mark.parametrize("head", ["md5,MD5", "sha1;label;sha-1", "pdq,md5,PDQ Hash"])
def test_a_column_that_is_there_twice_is_refused_by_its_name(head: str) -> None:
    assert csv_matches(head.encode())
    with pytest.raises(ListFormatError, match=r"more than one column (md5|sha1|pdq);"):
        list(table(f"{head}\n{MD5},{MD5}\n".encode()))


CELLS = st.lists(st.text(st.characters(exclude_characters="\r\n"), max_size=8), min_size=1)


@given(row=CELLS, delimiter=st.sampled_from(",;\t"))
def test_a_quoted_row_is_read_back(row: list[str], delimiter: str) -> None:
    line = delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row)
    assert cells(line, delimiter) == row


@given(line=st.text('",;\tab ', max_size=30), delimiter=st.sampled_from(",;\t"))
def test_any_row_is_split_or_refused(line: str, delimiter: str) -> None:
    with suppress(BadValue):
        assert len(cells(line, delimiter)) <= line.count(delimiter) + 1


@given(content=st.binary(max_size=300), head=st.sampled_from([b"", b"md5,pdq\n", b"sha1;x\n"]))
def test_any_bytes_are_read_or_refused_as_a_table(content: bytes, head: bytes) -> None:
    csv_matches(head + content)
    with suppress(ListFormatError):
        assert all(isinstance(one, Entry | BadEntry) for one in table(head + content))
