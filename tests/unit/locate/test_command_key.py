"""How a case is opened: by a token, or an identity; nothing else, and no PIN on the line."""

import argparse
import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from protech.errors import AuthorityError, ConfigError, TrustError
from protech.evidence import case_key
from protech.evidence.case_key import Wraps
from protech.lists.seal import new_identity, recipient_of
from protech.locate.command_key import add_key, token_key, unwrap_of
from protech.locate.tokens import Token
from tests.softhsm import MODULE, PIN, tokens


def options(*words: str | Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_key(parser)
    return parser.parse_args([str(word) for word in words])


@contextmanager
def pin(text: str) -> Iterator[str]:
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    try:
        yield str(reading)
    finally:
        os.close(reading)


def identity_file(folder: Path, identity: str) -> Path:
    path = folder / "identity.txt"
    path.touch(mode=0o600)
    path.write_text(identity + "\n")
    return path


def test_an_identity_opens_what_is_wrapped_to_it(tmp_path: Path) -> None:
    identity = new_identity()
    key = case_key.create(tmp_path, case="C-1", recipients=[recipient_of(identity)])
    wraps = case_key.read_wraps(tmp_path)
    assert unwrap_of(options("--identity", identity_file(tmp_path, identity)))(wraps) == key
    (tmp_path / "other").mkdir()
    other = unwrap_of(options("--identity", identity_file(tmp_path / "other", new_identity())))
    with pytest.raises(TrustError, match="not wrapped to this identity"):
        other(wraps)


def test_an_identity_that_is_not_there_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"age identity .* No such file"):
        unwrap_of(options("--identity", tmp_path / "none"))


def test_one_way_must_be_named() -> None:
    with pytest.raises(ConfigError, match="name one"):
        unwrap_of(options())
    with pytest.raises(ConfigError, match="--module and --token"), token_key(options()):
        pass


@pytest.mark.needs("softhsm2-util")
def test_a_token_opens_what_is_wrapped_to_it(tmp_path: Path) -> None:
    label = tokens()[0]
    with Token.open(MODULE, label, PIN, may_make_keys=True) as token:
        public = token.make_key("opens").public
    key = case_key.create(tmp_path, case="C-1", recipients=[], tokens=[public])
    wraps: Wraps = case_key.read_wraps(tmp_path)
    named = ("--module", MODULE, "--token", label, "--key", "opens", "--pin-fd")
    with pin(f"{PIN}\n") as descriptor:
        assert unwrap_of(options(*named, descriptor))(wraps) == key
    with pin("654321") as descriptor, pytest.raises(AuthorityError, match="another one"):
        unwrap_of(options(*named, descriptor))(wraps)


@pytest.mark.needs("softhsm2-util")
def test_a_pin_is_asked_for_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    label = tokens()[0]
    with Token.open(MODULE, label, PIN, may_make_keys=True) as token:
        token.make_key("asked")
    named = options("--module", MODULE, "--token", label, "--key", "asked")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(ConfigError, match="--pin-fd"), token_key(named):
        pass
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(getpass, "getpass", lambda _: PIN)
    with token_key(named) as key:
        assert len(key.public) == 65

    def hang_up(_: str) -> str:
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", hang_up)
    with pytest.raises(ConfigError, match="No PIN was typed"), token_key(named):
        pass
