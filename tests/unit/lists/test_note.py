"""Signed notes: what is written is read back, all else is refused, and nothing is believed."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protech.errors import TrustError
from protech.lists.note import (
    LATEST_TIME_S,
    NOTE_BYTES,
    SIGNATURES,
    Note,
    NoteKey,
    Signature,
    SignatureKind,
    is_name,
    parse_key,
    parse_note,
    signed_at,
    with_signature,
)
from protech.signing import Key, verify

KEY = Key.of_seed(bytes(32))
NAME = "example.com/log"
SIGNER = NoteKey(name=NAME, kind=SignatureKind.ED25519, public=KEY.public)
WITNESS = NoteKey(name="witness", kind=SignatureKind.COSIGNATURE, public=KEY.public)
NOTE = Note(text="one\n\ntwo\n", signatures=())

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="+"),
    min_size=1,
    max_size=20,
)
LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
SIGNATURE = st.builds(
    Signature,
    name=NAMES,
    key_id=st.binary(min_size=4, max_size=4),
    signature=st.binary(min_size=1, max_size=80),
)


def parse(content: bytes) -> Note:
    return parse_note(content, what="The note")


@given(st.lists(LINES, min_size=1), st.lists(SIGNATURE, min_size=1, max_size=8))
def test_a_note_comes_back_from_what_it_is_written_as(
    lines: list[str], signatures: list[Signature]
) -> None:
    note = Note(text="".join(f"{line}\n" for line in lines), signatures=tuple(signatures))
    assert parse(note.content) == note


@given(st.binary(max_size=300))
@example(b"text\n\n\xe2\x80\x94 name AAAAAAA=\n")
def test_whatever_comes_is_refused_or_written_as_it_came(content: bytes) -> None:
    with suppress(TrustError):
        assert parse(content).content == content


LINE = Signature(name="n", key_id=b"1234", signature=b"x").line


@pytest.mark.parametrize(
    "content",
    [
        "",
        "text\n",
        "text\n\n",
        f"\n{LINE}",
        f"text\n{LINE}",
        f"text\n\n{LINE[:-1]}",
        f"text\n\n{LINE}\n",
        f"te\txt\n\n{LINE}",
        f"text\r\n\n{LINE}",
        f"text\n\n{LINE.replace(' ', '  ')}",
        f"text\n\n{LINE.replace('n', 'a+b')}",
        f"text\n\n{LINE.replace('n', chr(0xA0))}",
        f"text\n\n{LINE.replace(' n', '')}",
        f"text\n\n- {LINE[2:]}",
        f"text\n\n{LINE}nonsense\n",
        "text\n\n\N{EM DASH} n AAAAAA==\n",  # no signature behind the key's id
        "text\n\n\N{EM DASH} n AAAAAAB=\n",  # bits set that count for nothing
        "text\n\n\N{EM DASH} n AAAAA-_=\n",
        "text\n\n\N{EM DASH} n AAAAAAA\n",
        f"text\n\n{LINE * (SIGNATURES + 1)}",
        f"{'x' * NOTE_BYTES}\n\n{LINE}",
    ],
)
def test_what_is_no_note_is_refused(content: str) -> None:
    with pytest.raises(TrustError, match="The note is no signed note"):
        parse(content.encode())


def test_a_note_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(TrustError, match="not UTF-8"):
        parse(b"\xff\n\n" + LINE.encode())


def test_as_many_signatures_as_allowed_are_read() -> None:
    assert len(parse(f"text\n\n{LINE * SIGNATURES}".encode()).signatures) == SIGNATURES


@pytest.mark.parametrize("key", [SIGNER, WITNESS])
def test_a_signature_holds_until_a_letter_changes(key: NoteKey) -> None:
    note = parse(with_signature(NOTE, key, KEY.sign, time_s=1234).content)
    expected = 1234 if key is WITNESS else 0
    assert signed_at(note, key, verify, what="The note") == (expected,)
    for changed in (replace(note, text="one\n\ntwO\n"), replace(note, text="one\n")):
        with pytest.raises(TrustError, match="does not hold"):
            signed_at(changed, key, verify, what="The note")


@given(st.integers(0, 71))
def test_every_byte_of_a_cosignature_counts(place: int) -> None:
    note = with_signature(NOTE, WITNESS, KEY.sign, time_s=1_700_000_000)
    forged = bytearray(note.signatures[0].signature)
    forged[place] ^= 1
    changed = replace(note, signatures=(replace(note.signatures[0], signature=bytes(forged)),))
    with pytest.raises(TrustError, match="does not hold"):
        signed_at(changed, WITNESS, verify, what="The note")


def test_a_time_beyond_the_standard_s_is_refused() -> None:
    note = with_signature(NOTE, WITNESS, KEY.sign, time_s=LATEST_TIME_S + 1)
    with pytest.raises(TrustError, match="does not hold"):
        signed_at(note, WITNESS, verify, what="The note")


def test_a_signature_cut_short_is_refused() -> None:
    short = Signature(name=WITNESS.name, key_id=WITNESS.id, signature=b"123")
    with pytest.raises(TrustError, match="does not hold"):
        signed_at(replace(NOTE, signatures=(short,)), WITNESS, verify, what="The note")


def test_one_bad_signature_of_a_key_spoils_its_good_one() -> None:
    note = with_signature(NOTE, SIGNER, KEY.sign)
    bad = replace(note.signatures[0], signature=bytes(64))
    for signatures in ((*note.signatures, bad), (bad, *note.signatures)):
        with pytest.raises(TrustError, match="does not hold"):
            signed_at(replace(note, signatures=signatures), SIGNER, verify, what="The note")


def test_a_key_of_the_same_name_or_the_same_id_is_another_key() -> None:
    note = with_signature(NOTE, SIGNER, KEY.sign)
    line = note.signatures[0]
    for other in (replace(line, key_id=b"1234"), replace(line, name="other")):
        changed = replace(note, signatures=(other,))
        assert signed_at(changed, SIGNER, verify, what="The note") == ()


def test_a_signature_is_no_cosignature_and_the_other_way_round() -> None:
    cosigner = replace(SIGNER, kind=SignatureKind.COSIGNATURE)
    assert cosigner.id != SIGNER.id
    note = with_signature(NOTE, SIGNER, KEY.sign)
    assert signed_at(note, cosigner, verify, what="The note") == ()
    posed = replace(note.signatures[0], key_id=cosigner.id)
    with pytest.raises(TrustError, match="does not hold"):
        signed_at(replace(note, signatures=(posed,)), cosigner, verify, what="The note")


def test_a_new_signature_takes_the_place_of_the_same_key_s_old_one() -> None:
    first = with_signature(NOTE, WITNESS, KEY.sign, time_s=1)
    both = with_signature(first, SIGNER, KEY.sign)
    again = with_signature(both, WITNESS, KEY.sign, time_s=2)
    assert signed_at(again, WITNESS, verify, what="The note") == (2,)
    assert signed_at(again, SIGNER, verify, what="The note") == (0,)
    assert len(again.signatures) == 2


@given(NAMES)
def test_a_name_without_spaces_and_plus_signs_is_one(name: str) -> None:
    assert is_name(name)
    assert not any(is_name(wrong) for wrong in (f"{name} ", f"+{name}", f"{name}\u2003", ""))


@given(NAMES, st.sampled_from(SignatureKind), st.binary(min_size=32, max_size=32))
def test_a_key_comes_back_from_its_text(name: str, kind: SignatureKind, public: bytes) -> None:
    key = NoteKey(name=name, kind=kind, public=public)
    assert parse_key(f" {key.text}\n") == key


@given(st.text(max_size=80))
@example("")
@example("++")
@example("a+b+c")
@example(SIGNER.text.replace("+", "-", 1))
@example(SIGNER.text[:-4])
@example(SIGNER.text.upper())
@example("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(TrustError, match="ask its owner"):
        parse_key(text)


@pytest.mark.parametrize(
    ("name", "public"), [("", bytes(32)), ("a b", bytes(32)), ("a+b", bytes(32)), ("a", b"")]
)
def test_a_key_that_no_line_could_name_is_refused(name: str, public: bytes) -> None:
    with pytest.raises(TrustError, match="without spaces"):
        NoteKey(name=name, kind=SignatureKind.ED25519, public=public)


def test_neither_text_nor_names_nor_keys_are_in_a_repr() -> None:
    note = with_signature(NOTE, SIGNER, KEY.sign)
    shown = repr(note) + repr(SIGNER)
    assert NAME not in shown
    assert "two" not in shown
    assert "b'" not in shown
