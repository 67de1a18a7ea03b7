"""Identifiers as others write them: what is one is read, what is none is named, not quoted."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.lists.entries import DIGESTS, LABEL_CHARACTERS, PDQ_PER_ENTRY, WIDTHS, Entry
from protech.lists.formats.values import BadValue, entry_of, from_hex, photodna

PHOTODNA = st.binary(min_size=144, max_size=144)


@given(kind=st.sampled_from(sorted(WIDTHS)), data=st.data())
def test_hex_digits_are_read_in_any_case(kind: str, data: st.DataObject) -> None:
    raw = data.draw(st.binary(min_size=WIDTHS[kind], max_size=WIDTHS[kind]))
    assert from_hex(kind, raw.hex()) == from_hex(kind, raw.hex().upper()) == raw


@given(kind=st.sampled_from(sorted(WIDTHS)), text=st.text(max_size=80))
def test_any_other_text_is_refused_and_not_quoted(kind: str, text: str) -> None:
    with pytest.raises(BadValue) as refused:
        from_hex(kind, text + "x")
    assert str(refused.value) == f"'{kind}' is not {2 * WIDTHS[kind]} hex digits"


def test_blanks_between_digits_are_no_digits() -> None:
    with pytest.raises(BadValue):
        from_hex("md5", "ab " * 10 + "ab")


@given(raw=PHOTODNA)
def test_photodna_is_read_in_its_three_forms(raw: bytes) -> None:
    forms = (raw.hex(), base64.b64encode(raw).decode(), ",".join(str(one) for one in raw))
    assert {photodna(form) for form in forms} == {raw}


@given(text=st.text(max_size=300) | st.text("0123456789,+/=", min_size=192, max_size=192))
def test_any_other_text_is_no_photodna(text: str) -> None:
    with suppress(BadValue):
        assert len(photodna(text)) == 144


@pytest.mark.parametrize(
    "text", ["256," * 143 + "1", "1," * 142 + "1", "1," * 144 + "1", "١," * 144]
)
def test_photodna_of_other_numbers_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        photodna(text)


def test_the_good_identifiers_of_an_entry_are_kept() -> None:
    with pytest.raises(BadValue, match="'md5' is not 32 hex digits") as refused:
        entry_of({"md5": "short", "sha1": "ab" * 20}, label="one")
    assert refused.value.kept == Entry(label="one", sha1=b"\xab" * 20)


def test_an_entry_without_identifier_is_none() -> None:
    for held in ({}, {"md5": "short"}):
        with pytest.raises(BadValue) as refused:
            entry_of(held)
        assert refused.value.kept is None


def test_an_entry_has_so_many_hashes_and_no_more() -> None:
    assert len(entry_of({"pdq": " ".join(["ab" * 32] * PDQ_PER_ENTRY)}).pdq) == PDQ_PER_ENTRY
    with pytest.raises(BadValue, match=f"more than {PDQ_PER_ENTRY} hashes"):
        entry_of({"pdq": " ".join(["ab" * 32] * (PDQ_PER_ENTRY + 1))})


def test_a_label_has_so_many_characters_and_no_more() -> None:
    held = {"md5": "ab" * 16}
    assert entry_of(held, label="x" * LABEL_CHARACTERS).label == "x" * LABEL_CHARACTERS
    with pytest.raises(BadValue) as refused:
        entry_of(held, label="x" * (LABEL_CHARACTERS + 1))
    assert refused.value.kept == Entry(md5=b"\xab" * 16)


def test_every_digest_is_read() -> None:
    entry = entry_of({name: "0f" * WIDTHS[name] for name in DIGESTS})
    assert [len(getattr(entry, name)) for name in DIGESTS] == [16, 20, 32]
