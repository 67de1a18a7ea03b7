"""One guard for each user, and what it says about itself."""

from pathlib import Path

import pytest

from protech.errors import ConfigError
from protech.guard.running import LOCK, STATE, Running, announce, only_one, running_guard

RUNNING = Running(
    process=1,
    listen="127.0.0.1:8787",
    certificate="ca.pem",
    detector="detector.sock",
    started_at="2026-03-01T12:00:00+00:00",
)


def test_a_second_guard_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with (
        only_one(tmp_path),
        pytest.raises(ConfigError, match="guard status"),
        only_one(tmp_path),
    ):
        pass
    with only_one(tmp_path):
        pass


def test_a_running_guard_is_found_while_it_runs(tmp_path: Path) -> None:
    assert running_guard(tmp_path) is None
    with only_one(tmp_path):
        assert running_guard(tmp_path) is None
        announce(tmp_path, RUNNING)
        assert running_guard(tmp_path) == RUNNING
    assert running_guard(tmp_path) is None


def test_what_a_killed_guard_left_is_not_a_running_one(tmp_path: Path) -> None:
    announce(tmp_path, RUNNING)
    (tmp_path / LOCK).touch()
    assert running_guard(tmp_path) is None
    with only_one(tmp_path):
        assert running_guard(tmp_path) is None


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"v": 2}', b'{"v": 1, "other": 1}', b"\xff"]
)
def test_a_state_of_another_kind_is_none(tmp_path: Path, content: bytes) -> None:
    with only_one(tmp_path):
        (tmp_path / STATE).write_bytes(content)
        assert running_guard(tmp_path) is None
