"""The detector as a process: its socket, its refusals, its end."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from protech.errors import ConfigError, TrustError
from protech.serve.detector import listening
from protech.serve.detector_client import DetectorClient, DetectorUnavailable
from protech.serve.detector_wire import Answer
from protech.types import Decision, Kind, Reason
from tests.make_video import make_video

COMMAND = [sys.executable, "-P", "-m", "protech.serve.detector", "--workers", "1"]
NOT_A_PICTURE = b"this is said to be a picture and is none"


@contextmanager
def running(path: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [*COMMAND, "--socket", os.fspath(path), "--models", "none", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            end = time.monotonic() + 60
            while not is_listening(path):
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


def is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(os.fspath(path)) == 0


def inspected(path: Path, content: bytes, *, claims: Kind | None = Kind.IMAGE) -> Answer:
    async def ask() -> Answer:
        async with DetectorClient(path) as client:
            return await client.inspect(content, claims=claims, deadline_s=30)

    return asyncio.run(ask())


def state(path: Path) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        async with DetectorClient(path) as client:
            return await client.state()

    return asyncio.run(ask())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "detector"


@pytest.mark.parametrize("claims", [None, Kind.IMAGE, Kind.VIDEO])
def test_the_guard_hides_every_video_whatever_it_is_used_as(
    path: Path, claims: Kind | None
) -> None:
    film = make_video("h264.mp4", seeds=(1,), seconds=1)
    with running(path, "--policy", "guard"):
        answer = inspected(path, film, claims=claims)
    assert (answer.decision, answer.reason) == (Decision.BLOCK, Reason.UNSCANNABLE)


def test_it_serves_is_killed_and_serves_again(path: Path) -> None:
    for _ in range(2):
        with running(path):
            answer = inspected(path, NOT_A_PICTURE)
            assert (answer.decision, answer.reason) == (Decision.BLOCK, Reason.UNSCANNABLE)
            found = state(path)
            assert found["workers"] == 1
            assert found["lists"] == []
            assert found["models"] == {}
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(DetectorUnavailable):
            inspected(path, NOT_A_PICTURE)


def test_the_choices_of_the_person_reach_the_policy(path: Path) -> None:
    with running(path, "--unscannable", "allow"):
        assert inspected(path, NOT_A_PICTURE).decision is Decision.ALLOW


def test_a_stop_is_clean(path: Path) -> None:
    with running(path) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert not path.exists()


def test_a_second_one_is_refused_and_the_first_lives_on(path: Path) -> None:
    with running(path):
        second = subprocess.run(
            [*COMMAND, "--socket", os.fspath(path), "--models", "none"],
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert second.returncode == 2
        assert b"serves at" in second.stderr
        assert inspected(path, NOT_A_PICTURE).decision is Decision.BLOCK


def test_a_list_that_is_none_is_said_with_its_exit_code(path: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.list"
    broken.write_bytes(b"no list\n")
    done = subprocess.run(
        [*COMMAND, "--socket", os.fspath(path), "--models", "none", "--list", broken],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 4
    assert done.stderr.startswith(b"protech detector: ")
    assert done.stderr.count(b"\n") == 1


def test_a_directory_that_others_enter_is_refused(path: Path) -> None:
    path.parent.chmod(0o755)
    with pytest.raises(TrustError, match="open to others"), listening(path):
        pass


def test_a_path_that_cannot_be_used_is_refused(path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="cannot listen"),
        listening(path.with_name("x" * 120)),
    ):
        pass
    with pytest.raises(ConfigError, match="cannot listen"), listening(path / "a" / "b"):
        pass


def test_a_socket_that_was_left_is_taken_over(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(os.fspath(path))
    with listening(path):
        assert is_listening(path)
    assert not path.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another account")
def test_another_account_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("open")
    place.chmod(0o700)
    path = place / "detector"
    with running(path):
        # Even with the doors of the directories open, as root or a mistake might leave them.
        for directory in [place, *place.parents][:4]:
            directory.chmod(directory.stat().st_mode | 0o011)
        path.chmod(0o666)
        code = (
            "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
            "s.connect(sys.argv[1]); sys.exit(7 if s.recv(1) == b'' else 1)"
        )
        stranger = subprocess.run(
            [sys.executable, "-c", code, os.fspath(path)], check=False, timeout=20
        )
        assert stranger.returncode == 7
        assert inspected(path, NOT_A_PICTURE).decision is Decision.BLOCK


@pytest.mark.parametrize("workers", ["0", "65", "many"])
def test_a_number_of_workers_out_of_bounds_is_refused(path: Path, workers: str) -> None:
    done = subprocess.run(
        [*COMMAND[:4], "--workers", workers, "--socket", os.fspath(path)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"--workers" in done.stderr
