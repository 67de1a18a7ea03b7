"""A case's key: opened by those it is wrapped to, nobody else, and nobody once destroyed."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.evidence.case_key import (
    DESTROYED,
    KEY,
    REASON_CHARACTERS,
    add_token,
    create,
    destroy,
    open_with_identity,
    open_with_token,
    read_wraps,
)
from protech.evidence.ciphers import Agreement
from protech.evidence.log import Log
from protech.lists.checkpoint import log_key
from protech.lists.note import parse_note, signed_at
from protech.lists.seal import new_identity, recipient_of
from protech.signing import Key, verify

AUTHORITY = new_identity()
TOKEN, OTHER = Agreement(), Agreement()
SIGNER = Key.of_seed(bytes(32))
LOG_KEY = log_key("protech/case/1", SIGNER.public)
NOW = datetime(2026, 11, 28, 13, 26, tzinfo=UTC)


@pytest.fixture
def data_key(tmp_path: Path) -> bytes:
    return create(
        tmp_path, case="A-1", recipients=[recipient_of(AUTHORITY)], tokens=[TOKEN.public]
    )


def open_both(directory: Path) -> None:
    wraps = read_wraps(directory)
    open_with_identity(wraps, AUTHORITY)
    open_with_token(wraps, TOKEN.public, TOKEN.agree)


def test_authority_and_operator_open_the_same_key(tmp_path: Path, data_key: bytes) -> None:
    wraps = read_wraps(tmp_path)
    assert open_with_identity(wraps, AUTHORITY) == data_key
    assert open_with_token(wraps, TOKEN.public, TOKEN.agree) == data_key
    assert len(data_key) == 32
    assert (tmp_path / KEY).stat().st_mode & 0o777 == 0o600
    assert data_key not in (tmp_path / KEY).read_bytes()
    assert data_key.hex() not in (tmp_path / KEY).read_text()


def test_nobody_else_does(tmp_path: Path, data_key: bytes) -> None:
    wraps = read_wraps(tmp_path)
    with pytest.raises(TrustError, match="not wrapped to this identity"):
        open_with_identity(wraps, new_identity())
    with pytest.raises(TrustError, match="not wrapped to this token"):
        open_with_token(wraps, OTHER.public, OTHER.agree)
    with pytest.raises(TrustError, match="not wrapped to this token"):
        open_with_token(wraps, TOKEN.public, OTHER.agree)


def test_a_token_can_be_added_and_replaced(tmp_path: Path, data_key: bytes) -> None:
    for _ in range(2):
        add_token(tmp_path, data_key, OTHER.public)
    wraps = read_wraps(tmp_path)
    assert len(wraps.tokens) == 2
    assert open_with_token(wraps, OTHER.public, OTHER.agree) == data_key
    assert open_with_token(wraps, TOKEN.public, TOKEN.agree) == data_key
    with pytest.raises(TrustError):
        add_token(tmp_path, bytes(32), OTHER.public)


def test_a_key_that_nobody_could_open_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        create(tmp_path, case="A-1", recipients=[])
    with pytest.raises(TrustError):
        create(tmp_path, case="A-1", recipients=[], tokens=[bytes(65)])
    assert not (tmp_path / KEY).exists()


def test_a_key_is_not_written_over_another(tmp_path: Path, data_key: bytes) -> None:
    with pytest.raises(ConfigError, match="already"):
        create(tmp_path, case="A-1", recipients=[recipient_of(AUTHORITY)])


def test_operators_alone_will_do(tmp_path: Path) -> None:
    made = create(tmp_path, case="A-1", recipients=[], tokens=[TOKEN.public])
    assert open_with_token(read_wraps(tmp_path), TOKEN.public, TOKEN.agree) == made
    with pytest.raises(TrustError):
        open_with_identity(read_wraps(tmp_path), AUTHORITY)


@pytest.mark.parametrize("field", ["case", "check", "age", "tokens", "v"])
def test_each_changed_field_is_refused(tmp_path: Path, data_key: bytes, field: str) -> None:
    fields = json.loads((tmp_path / KEY).read_text())
    wrong: tuple[object, ...] = (None, 3, "00" * 32, [])
    for bad in wrong:
        (tmp_path / KEY).write_text(json.dumps({**fields, field: bad}))
        with pytest.raises(TrustError):
            open_both(tmp_path)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY).write_bytes(b"\xff")
    with pytest.raises(TrustError):
        read_wraps(tmp_path)


def test_a_wrap_is_of_one_case_alone(tmp_path: Path, data_key: bytes) -> None:
    fields = json.loads((tmp_path / KEY).read_text())
    (tmp_path / KEY).write_text(json.dumps({**fields, "case": "A-2"}))
    with pytest.raises(TrustError):
        open_with_token(read_wraps(tmp_path), TOKEN.public, TOKEN.agree)


def test_destruction_leaves_leaves_and_a_signed_note(tmp_path: Path, data_key: bytes) -> None:
    directory = tmp_path / "log"
    with Log.create(directory, origin=LOG_KEY.name, signer=SIGNER, data_key=data_key) as log:
        log.append([{"n": 1}])
        log.checkpoint(NOW)
        root = log.root
    content = (tmp_path / KEY).read_bytes()
    note = destroy(tmp_path, reason="Decision 7", now=NOW, key=LOG_KEY, sign=SIGNER.sign)
    parsed = parse_note(note, what="The note")
    assert signed_at(parsed, LOG_KEY, verify, what="The note") == (0,)
    assert "2026-11-28T13:26:00Z\nDecision 7\n" in parsed.text
    assert (tmp_path / DESTROYED).read_bytes() == note
    assert not (tmp_path / KEY).exists()
    assert all(
        content[:200] not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    )
    with pytest.raises(ConfigError, match="was destroyed"):
        read_wraps(tmp_path)
    with Log.open(directory) as log:
        assert log.root == root
    with pytest.raises(ConfigError, match="destroyed before"):
        destroy(tmp_path, reason="again", now=NOW, key=LOG_KEY, sign=SIGNER.sign)


def test_destruction_goes_on_after_a_kill(tmp_path: Path, data_key: bytes) -> None:
    (tmp_path / KEY).unlink()
    with pytest.raises(ConfigError, match="is not there"):
        read_wraps(tmp_path)
    destroy(tmp_path, reason="x" * REASON_CHARACTERS, now=NOW, key=LOG_KEY, sign=SIGNER.sign)


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * (REASON_CHARACTERS + 1)])
def test_a_reason_is_one_line(tmp_path: Path, data_key: bytes, reason: str) -> None:
    with pytest.raises(ConfigError, match="one line"):
        destroy(tmp_path, reason=reason, now=NOW, key=LOG_KEY, sign=SIGNER.sign)
    assert open_with_identity(read_wraps(tmp_path), AUTHORITY) == data_key
