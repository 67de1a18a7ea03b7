"""Keys that stay secret, and signatures that hold for nothing else."""

import errno
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ConfigError, TrustError
from protech.signing import FILE_BYTES, Key, parse_public, public_text, verify, verify_p256

KEY = Key.of_seed(bytes(range(32)))


@given(st.binary(max_size=200))
def test_what_a_key_signed_holds(message: bytes) -> None:
    assert verify(KEY.public, message, KEY.sign(message))


@given(st.binary(max_size=200), st.integers(0, 511), st.integers(0, 255))
def test_nothing_else_holds(message: bytes, bit: int, key_bit: int) -> None:
    signature = KEY.sign(message)
    forged = bytearray(signature)
    forged[bit // 8] ^= 1 << bit % 8
    other_key = bytearray(KEY.public)
    other_key[key_bit // 8] ^= 1 << key_bit % 8
    assert not verify(KEY.public, message, bytes(forged))
    assert not verify(KEY.public, message + b"\0", signature)
    assert not verify(bytes(other_key), message, signature)
    assert not verify(Key.generate().public, message, signature)


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_what_is_no_key_or_no_signature_is_refused_not_an_error(
    public: bytes, signature: bytes
) -> None:
    assert not verify(public, b"message", KEY.sign(b"message"))
    assert not verify(KEY.public, b"message", signature)


def test_a_vector_of_the_standard_holds() -> None:
    # RFC 8032 section 7.1, test 2
    key = Key.of_seed(
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    )
    public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert key.public.hex() == public
    assert key.sign(b"\x72").hex() == signature


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_a_key_comes_back_from_a_file_of_this_user_alone(
    tmp_path: Path, passphrase: str | None
) -> None:
    path = tmp_path / "keys" / "log.pem"
    KEY.save(path, passphrase=passphrase)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert Key.load(path, passphrase=passphrase).public == KEY.public
    assert [one.name for one in path.parent.iterdir()] == ["log.pem"]


def test_a_key_with_a_passphrase_needs_it(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    KEY.save(path, passphrase="correct horse")
    with pytest.raises(ConfigError, match="has a passphrase"):
        Key.load(path)
    with pytest.raises(ConfigError, match="another passphrase"):
        Key.load(path, passphrase="wrong")


def test_a_passphrase_for_a_key_without_one_is_refused(tmp_path: Path) -> None:
    KEY.save(tmp_path / "log.pem")
    with pytest.raises(ConfigError, match="has no passphrase"):
        Key.load(tmp_path / "log.pem", passphrase="any")


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="protects nothing"):
        KEY.save(tmp_path / "log.pem", passphrase="")


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    KEY.save(path)
    with pytest.raises(ConfigError, match="never overwritten"):
        Key.generate().save(path)
    assert Key.load(path).public == KEY.public
    assert [one.name for one in tmp_path.iterdir()] == ["log.pem"]


def test_a_key_that_the_disk_has_no_room_for_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        KEY.save(tmp_path / "log.pem")
    assert not list(tmp_path.iterdir())


def test_a_key_where_nothing_can_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        KEY.save(tmp_path / "file" / "log.pem")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "log.pem"
    KEY.save(path)
    path.chmod(mode)
    with pytest.raises(TrustError, match="chmod 600"):
        Key.load(path)


def private_file(path: Path, content: bytes) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return path


@pytest.mark.parametrize("content", [b"", b"no key", b"x" * (FILE_BYTES + 1)])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigError):
        Key.load(private_file(tmp_path / "log.pem", content))


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = X25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(ConfigError, match="not for Ed25519"):
        Key.load(private_file(tmp_path / "log.pem", other))


def test_a_key_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Key.load(tmp_path / "log.pem")


def test_a_public_key_comes_back_from_its_text() -> None:
    text = public_text(KEY.public)
    assert len(text) == 44
    assert parse_public(f" {text}\n") == KEY.public


@pytest.mark.parametrize("text", ["", "AAAA", "!" * 44, public_text(KEY.public)[:-2]])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="ask its owner"):
        parse_public(text)


def test_a_key_shows_nothing_of_itself() -> None:
    assert repr(KEY) == "Key()"
    assert not hasattr(KEY, "__dict__")


def test_what_a_token_signed_holds_and_nothing_else() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    r, s = decode_dss_signature(private.sign(b"message", ec.ECDSA(SHA256())))
    signature = r.to_bytes(32) + s.to_bytes(32)
    assert verify_p256(public, b"message", signature)
    assert not verify_p256(public, b"massage", signature)
    assert not verify_p256(public, b"message", bytes(64))
    assert not verify_p256(public, b"message", signature[:-1])
    assert not verify_p256(public[:-1], b"message", signature)
    assert not verify_p256(b"\x04" + bytes(64), b"message", signature)
