"""Ciphers: published vectors hold, and nothing that was changed is opened."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from protech.errors import TrustError
from protech.evidence.ciphers import (
    KEY_BYTES,
    NONCE_BYTES,
    Agreement,
    Cipher,
    derive,
)

RFC_8439_KEY = bytes(range(0x80, 0xA0))
RFC_8439_NONCE = bytes.fromhex("070000004041424344454647")
RFC_8439_ABOUT = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
RFC_8439_TEXT = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the"
    b" future, sunscreen would be it."
)


def test_rfc_8439_section_2_8_2() -> None:
    sealed = Cipher(RFC_8439_KEY).seal(RFC_8439_TEXT, RFC_8439_ABOUT, nonce=RFC_8439_NONCE)
    assert sealed[:NONCE_BYTES] == RFC_8439_NONCE
    assert sealed[NONCE_BYTES : NONCE_BYTES + 8].hex() == "d31a8d34648e60db"
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"


def test_what_was_sealed_is_opened_and_nothing_else() -> None:
    cipher = Cipher(bytes(KEY_BYTES))
    sealed = cipher.seal(b"content", b"about")
    assert cipher.open(sealed, b"about") == b"content"
    assert cipher.seal(b"content", b"about") != sealed
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(TrustError):
            cipher.open(bytes(changed), b"about")
    for cut in range(len(sealed)):
        with pytest.raises(TrustError):
            cipher.open(sealed[:cut], b"about")
    with pytest.raises(TrustError):
        cipher.open(sealed, b"other")
    with pytest.raises(TrustError):
        Cipher(bytes([1] * KEY_BYTES)).open(sealed, b"about")


def test_purposes_and_salts_give_other_keys() -> None:
    secret = bytes(32)
    made = {derive(secret, purpose="a"), derive(secret, purpose="b")}
    made |= {derive(secret, purpose="a", salt=b"x"), secret}
    assert len(made) == 4
    assert derive(secret, purpose="a") == derive(secret, purpose="a")


def test_rfc_5869_case_3_begins_as_published() -> None:
    made = derive(bytes([0x0B] * 22), purpose="")
    assert made.hex().startswith("8da4e775a563c18f715f802a063c5a31")


def test_two_holders_agree_and_a_third_does_not() -> None:
    one, other, third = Agreement(), Agreement(), Agreement()
    assert one.agree(other.public) == other.agree(one.public) != third.agree(one.public)


def test_what_is_no_point_is_refused() -> None:
    ours, public = Agreement(), Agreement().public
    ours.agree(public)
    for bad in (b"", public[:-1], public[:-1] + bytes([public[-1] ^ 1]), bytes(65)):
        with pytest.raises(TrustError, match="P-256"):
            ours.agree(bad)
    compressed = b"\x02" + ec.generate_private_key(
        ec.SECP256R1()
    ).private_numbers().public_numbers.x.to_bytes(32)
    with pytest.raises(TrustError):
        ours.agree(compressed)
