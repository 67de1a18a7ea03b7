import errno
import io
import json
import os
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from protech.errors import ConfigError, TrustError
from protech.lists.keys import (
    KeySigner,
    device_identity,
    key_id,
    make_device_key,
    make_key,
    public_path,
    read_public,
    tuf_key,
)
from protech.lists.seal import seal, unseal
from protech.signing import Key


def test_the_public_half_stands_beside_the_secret_one(tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    made = make_key(path, name="alice")
    assert read_public(public_path(path)) == made
    assert Key.load(path).public == made.public
    assert path.stat().st_mode & 0o777 == 0o600
    assert made.public.hex() not in repr(made)
    assert len(made.fingerprint) == 39


def test_no_key_is_overwritten(tmp_path: Path) -> None:
    make_key(tmp_path / "alice.key", name="alice")
    before = (tmp_path / "alice.key").read_bytes()
    with pytest.raises(ConfigError, match="never overwritten"):
        make_key(tmp_path / "alice.key", name="alice")
    public_path(tmp_path / "alice.key").unlink()
    with pytest.raises(ConfigError, match="never overwritten"):
        make_key(tmp_path / "alice.key", name="alice")
    assert (tmp_path / "alice.key").read_bytes() == before


def test_a_passphrase_protects_a_key(tmp_path: Path) -> None:
    made = make_key(tmp_path / "alice.key", name="alice", passphrase="correct horse")
    assert Key.load(tmp_path / "alice.key", passphrase="correct horse").public == made.public
    with pytest.raises(ConfigError):
        Key.load(tmp_path / "alice.key")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a" * 101])
def test_a_name_that_no_note_can_hold_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name"):
        make_key(tmp_path / "a.key", name=name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "[" * 10_000,
        '{"v": 2, "name": "a", "ed25519": ""}',
        '{"v": 1, "name": "a", "ed25519": "AAAA"}',
        '{"v": 1, "name": 3}',
    ],
)
def test_what_is_no_public_key_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pub"
    path.write_text(content)
    with pytest.raises(ConfigError):
        read_public(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_public(tmp_path / "none.pub")


def test_tuf_takes_what_we_sign() -> None:
    signer = KeySigner(Key.generate())
    signature = signer.sign(b"metadata")
    signer.public_key.verify_signature(signature, b"metadata")
    assert signature.keyid == signer.public_key.keyid
    with pytest.raises(NotImplementedError):
        KeySigner.from_priv_key_uri("file:x", signer.public_key)


def test_an_id_is_that_of_the_reference_implementation() -> None:
    reference = CryptoSigner.generate_ed25519().public_key
    public = bytes.fromhex(reference.keyval["public"])
    assert key_id(public) == reference.keyid
    assert tuf_key(public) == reference


def test_a_device_keeps_the_key_that_it_has(tmp_path: Path) -> None:
    path = tmp_path / "state" / "device.key"
    recipient = make_device_key(path)
    assert make_device_key(path) == recipient
    assert path.stat().st_mode & 0o777 == 0o600
    sealed, opened = io.BytesIO(), io.BytesIO()
    seal(io.BytesIO(b"list"), sealed, [recipient])
    sealed.seek(0)
    unseal(sealed, opened, device_identity(path))
    assert opened.getvalue() == b"list"


def test_a_device_key_is_made_in_a_directory_of_this_user_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "lists").symlink_to(elsewhere)
    with pytest.raises(TrustError, match="not a directory of yours"):
        make_device_key(tmp_path / "lists" / "device.key")
    assert list(elsewhere.iterdir()) == []


def test_a_device_key_that_the_disk_has_no_room_for_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ConfigError, match="No space left"):
            make_device_key(tmp_path / "device.key")
    assert not list(tmp_path.iterdir())
    make_device_key(tmp_path / "device.key")


def test_a_device_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "device.key"
    make_device_key(path)
    path.chmod(0o644)
    with pytest.raises(TrustError, match="chmod 600"):
        device_identity(path)


@pytest.mark.parametrize("content", ["", "AGE-SECRET-KEY-1WRONG\n", json.dumps({"a": 1})])
def test_what_is_no_device_key_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "device.key"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(TrustError):
        make_device_key(path)
    with pytest.raises(ConfigError, match="lists keys device"):
        device_identity(tmp_path / "none.key")
