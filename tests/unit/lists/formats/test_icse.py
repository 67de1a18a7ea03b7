"""ICSE exports: MD5, SHA-1, PhotoDNA and what is said of them."""

import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists.entries import BadEntry, Entry
from protech.lists.formats.icse import matches, read

HEAD = (
    "MD5;SHA1;PhotoDNA;Image ID;Is distributed;Victim identified;Offender identified;"
    "Series name;Number of submissions;File Available;Media Type;Baseline"
)
MD5, SHA1, PHOTODNA = "AB" * 16, "CD" * 20, "01" * 144


def rows(content: str | bytes) -> list[Entry | BadEntry]:
    return list(read(io.BytesIO(content if isinstance(content, bytes) else content.encode())))


def test_a_row_is_an_entry_and_what_is_said_of_it() -> None:
    row = f"{MD5};{SHA1};{PHOTODNA};17;Y;no;;a series;3;True;image;TRUE"
    assert rows(f"\ufeff{HEAD}\r\n{row}\r\n\r\n") == [
        Entry(
            md5=bytes.fromhex(MD5),
            sha1=bytes.fromhex(SHA1),
            photodna=bytes.fromhex(PHOTODNA),
            others={
                "icse": {
                    "is_distributed": True,
                    "victim_identified": False,
                    "baseline": True,
                    "image_id": "17",
                    "media_type": "image",
                }
            },
        )
    ]


def test_columns_stand_in_any_order_and_only_three_are_needed() -> None:
    assert rows(f"image id;sha1;MD5\n;{SHA1};{MD5}\n") == [
        Entry(md5=bytes.fromhex(MD5), sha1=bytes.fromhex(SHA1), others={"icse": {}})
    ]


def test_a_bad_row_is_named_and_the_rest_kept() -> None:
    found = rows(f'{HEAD}\n{MD5};{SHA1};xx\n"\n;;;9\n{MD5}\n')
    assert [(one.line, one.reason) for one in found if isinstance(one, BadEntry)] == [
        (2, "'photodna' is not 144 bytes in hex, base64 or decimal"),
        (3, "the row is no row of a table: see its quotes"),
        (4, "there is no identifier"),
    ]
    assert [one.md5 for one in found if isinstance(one, Entry)] == [bytes.fromhex(MD5)] * 2


def test_an_export_is_known_by_its_head() -> None:
    assert matches(HEAD.encode())
    assert not matches(b"md5;sha1\n")
    assert not matches(HEAD.replace(";", ",").encode())
    assert not matches(b'"MD5;SHA1;Image ID')


@pytest.mark.parametrize("content", ["", "md5;sha1\n", "{}"])
def test_another_table_is_no_export(content: str) -> None:
    with pytest.raises(ListFormatError, match="--format csv"):
        rows(content)


@given(content=st.binary(max_size=300), head=st.sampled_from([b"", HEAD.encode() + b"\n"]))
def test_any_bytes_are_read_or_refused(content: bytes, head: bytes) -> None:
    matches(head + content)
    with suppress(ListFormatError):
        assert all(isinstance(one, Entry | BadEntry) for one in rows(head + content))
