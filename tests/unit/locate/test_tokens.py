"""Keys in tokens: they sign, they agree, they never leave."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protech.errors import AuthorityError, ConfigError
from protech.locate.tokens import Token, _point
from protech.signing import verify_p256
from tests.softhsm import MODULE, PIN, tokens

pytestmark = pytest.mark.needs("softhsm2-util")


@pytest.fixture
def token() -> Token:
    return Token.open(MODULE, tokens()[0], PIN, may_make_keys=True)


def test_a_key_signs_what_its_public_half_verifies(token: Token) -> None:
    with token:
        key = token.make_key("signs")
        assert verify_p256(key.public, b"message", key.sign(b"message"))
        assert not verify_p256(key.public, b"massage", key.sign(b"message"))
        assert token.public_key("signs") == key.public


def test_a_key_that_asks_for_the_pin_each_time_is_given_it(token: Token) -> None:
    with token:
        key = token.make_key("asks", asks_each_time=True)
        for message in (b"one", b"two"):
            assert verify_p256(key.public, message, key.sign(message))


def test_a_key_agrees_with_anybody(token: Token) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    public = other.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    with token:
        key = token.make_key("agrees")
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.public)
        assert key.agree(public) == other.exchange(ec.ECDH(), point)


def test_what_is_no_point_is_not_agreed_with(token: Token) -> None:
    with token:
        key = token.make_key("refuses")
        with pytest.raises(ValueError, match="65 bytes"):
            key.agree(b"\x02" + bytes(32))
        with pytest.raises(ConfigError, match="did not agree"):
            key.agree(b"\x04" + bytes(64))


def test_a_key_is_never_replaced(token: Token) -> None:
    with token:
        token.make_key("once")
        with pytest.raises(ConfigError, match="has a key once already"):
            token.make_key("once")


def test_what_is_not_there_is_said(token: Token) -> None:
    with token, pytest.raises(ConfigError, match="it has none"):
        token.key("nobody's")
    with pytest.raises(ConfigError, match="token nowhere cannot be opened"):
        Token.open(MODULE, "nowhere", PIN)
    with pytest.raises(ConfigError, match="cannot be opened"):
        Token.open(Path("no-module.so"), tokens()[0], PIN)


def test_a_wrong_pin_is_refused_and_not_told() -> None:
    with pytest.raises(AuthorityError, match="PIN is another one") as refused:
        Token.open(MODULE, tokens()[1], "765432")
    assert "765432" not in str(refused.value)


def test_neither_token_nor_key_shows_anything(token: Token) -> None:
    with token:
        assert repr(token) == "Token()"
        assert repr(token.make_key("quiet")) == "TokenKey()"


def test_a_point_is_read_with_or_without_its_der_header() -> None:
    point = b"\x04" + bytes(range(64))
    assert _point(b"\x04\x41" + point) == _point(point) == point
    for other in (b"", point[:-1], b"\x02" + point[1:]):
        with pytest.raises(ConfigError, match="none on P-256"):
            _point(other)
