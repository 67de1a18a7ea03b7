"""The pause: the person's own, bounded, and never taken from a doubtful file."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ConfigError
from protech.guard.consent import LONGEST, Consent, _until, pause, paused_until, resume

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MOST = LONGEST // timedelta(minutes=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "pause.json"


def test_a_pause_lasts_until_its_end_and_no_longer(path: Path) -> None:
    until = pause(path, now=NOW, minutes=15)
    assert until == NOW + timedelta(minutes=15)
    assert paused_until(path, now=NOW) == until
    assert paused_until(path, now=until - timedelta(seconds=1)) == until
    assert paused_until(path, now=until) is None


def test_resuming_ends_it_and_may_be_said_twice(path: Path) -> None:
    pause(path, now=NOW, minutes=15)
    for _ in range(2):
        resume(path)
        assert paused_until(path, now=NOW) is None


@pytest.mark.parametrize("minutes", [0, -1, MOST + 1])
def test_a_pause_is_bounded(path: Path, minutes: int) -> None:
    with pytest.raises(ConfigError, match="lasts 1 to"):
        pause(path, now=NOW, minutes=minutes)
    assert not path.exists()


def test_the_longest_pause_is_taken(path: Path) -> None:
    assert pause(path, now=NOW, minutes=MOST) == NOW + LONGEST
    assert paused_until(path, now=NOW) == NOW + LONGEST


def test_the_file_is_its_users_alone_and_alone_in_its_place(path: Path) -> None:
    pause(path, now=NOW, minutes=1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208 - names are what is compared


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        json.dumps({"v": 2, "until": (NOW + timedelta(minutes=5)).isoformat()}).encode(),
        json.dumps({"v": 1, "until": "soon"}).encode(),
        json.dumps({"v": 1, "until": 5}).encode(),
        json.dumps({"v": 1, "until": "2026-03-01T12:05:00"}).encode(),
        json.dumps({"v": 1, "until": (NOW + 2 * LONGEST).isoformat()}).encode(),
    ],
)
def test_a_damaged_or_boundless_file_is_no_pause(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    assert paused_until(path, now=NOW) is None


def test_a_file_that_others_may_write_is_no_pause(path: Path) -> None:
    pause(path, now=NOW, minutes=15)
    path.chmod(0o666)
    assert paused_until(path, now=NOW) is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_account_is_no_pause(path: Path) -> None:
    pause(path, now=NOW, minutes=15)
    os.chown(path, 65534, 65534)
    assert paused_until(path, now=NOW) is None


def test_a_link_or_a_pipe_is_no_pause(path: Path, tmp_path: Path) -> None:
    pause(tmp_path / "other", now=NOW, minutes=15)
    path.parent.mkdir()
    path.symlink_to(tmp_path / "other")
    assert paused_until(path, now=NOW) is None
    path.unlink()
    os.mkfifo(path)
    assert paused_until(path, now=NOW) is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    until = _until(content)
    assert until is None or until.tzinfo is not None


def test_the_file_is_read_at_most_once_a_second(path: Path) -> None:
    consent = Consent(path)
    assert not consent.paused(NOW)
    pause(path, now=NOW, minutes=15)
    assert not consent.paused(NOW + timedelta(seconds=0.9))
    assert consent.paused(NOW + timedelta(seconds=1))
    resume(path)
    assert consent.paused(NOW + timedelta(seconds=1.9))
    assert not consent.paused(NOW + timedelta(seconds=2))


def test_a_pause_ends_on_time_without_a_new_look(path: Path) -> None:
    until = pause(path, now=NOW, minutes=1)
    consent = Consent(path)
    assert consent.paused(until - timedelta(seconds=0.1))
    assert not consent.paused(until)


def test_a_clock_set_back_is_a_new_look(path: Path) -> None:
    consent = Consent(path)
    assert not consent.paused(NOW)
    pause(path, now=NOW - timedelta(hours=1), minutes=15)
    assert consent.paused(NOW - timedelta(hours=1))


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be written"):
        pause(tmp_path / "file" / "pause.json", now=NOW, minutes=1)
    (tmp_path / "pause").mkdir()
    with pytest.raises(ConfigError, match="cannot be ended"):
        resume(tmp_path / "pause")
