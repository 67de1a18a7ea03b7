"""What a file is told by: its own reader's sign, and no other's."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.lists.formats import circl, hma, icse, ncmec, nsrl, tables
from tests import rds

MD5, SHA1, HASH = "ab" * 16, "cd" * 20, "0f" * 32

SIGNS: dict[str, Callable[[bytes], bool]] = {
    "nsrl": nsrl.matches,
    "circl": circl.matches,
    "ncmec": ncmec.matches,
    "hma": hma.matches,
    "icse": icse.matches,
    "csv": tables.csv_matches,
    "text": tables.text_matches,
}

HEADS = {
    "ncmec": f"<?xml version='1.0'?>\n<queryResult><images><image><id>{MD5}</id>",
    "hma": f"0,100,{HASH},0.000\n1,100,{HASH},0.033\n",
    "csv": f"label,MD5\nx,{MD5}\n",
    "text": f"# a list\n{SHA1}\n{MD5}  name\n",
}


@pytest.mark.parametrize("name", HEADS)
def test_a_text_has_one_sign(name: str) -> None:
    assert [one for one, sign in SIGNS.items() if sign(HEADS[name].encode())] == [name]


def test_an_icse_export_is_a_table_too_so_that_it_is_asked_for_first() -> None:
    head = f"MD5;SHA1;Image ID\n{MD5};{SHA1};1\n".encode()
    assert [one for one, sign in SIGNS.items() if sign(head)] == ["icse", "csv"]


def test_a_typed_digest_is_of_threatexchange_and_of_plain_text() -> None:
    signed = [one for one, sign in SIGNS.items() if sign(f"pdq {HASH}\n".encode())]
    assert signed == ["hma", "text"]


def test_binary_lists_have_one_sign(tmp_path: Path) -> None:
    rds.minimal(tmp_path / "rds", rds.digests(5))
    heads = {
        "nsrl": (tmp_path / "rds").read_bytes()[:4096],
        "circl": circl.HEADER.pack(1, 100, 0.01, 5, 4099, 50) + bytes(512),
    }
    for name, head in heads.items():
        assert [one for one, sign in SIGNS.items() if sign(head)] == [name]


@given(head=st.binary(max_size=300))
def test_any_bytes_have_a_sign_or_none(head: bytes) -> None:
    for sign in SIGNS.values():
        assert sign(head) in {True, False}
