"""Starting, restarting and stopping real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.guard.supervise import (
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    SECRETS,
    Part,
    PartError,
    Supervisor,
    delay_s,
)

SERVE = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SERVE
WITH_CHILD = (
    "import subprocess, sys, pathlib;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "pathlib.Path(sys.argv[1]).write_text(str(child.pid)); child.wait()"
)
SUPERVISOR = """
import pathlib, sys, time
from protech.guard.supervise import Part, Supervisor
ready = pathlib.Path(sys.argv[1])
part = Part(name="part", command=tuple(sys.argv[2:]), is_ready=ready.exists, meanwhile="")
with Supervisor([part], say=print) as supervisor:
    print(supervisor.processes()["part"], flush=True)
    supervisor.run()
"""


def part(code: str, ready: Path, *, name: str = "detector") -> Part:
    return Part(
        name=name,
        command=(sys.executable, "-c", code, os.fspath(ready)),
        is_ready=ready.exists,
        meanwhile="Nothing unscreened is shown.",
    )


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def tend_until(supervisor: Supervisor, done: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        supervisor.tend(timeout_s=0.05)


def test_what_is_killed_starts_again_and_the_person_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    ready = tmp_path / "ready"
    with Supervisor([part(SERVE, ready)], say=said.append) as supervisor:
        first = supervisor.processes()["detector"]
        ready.unlink()
        os.kill(first, signal.SIGKILL)
        tend_until(supervisor, lambda: len(said) == 2)
        assert supervisor.processes()["detector"] != first
    assert "ended unexpectedly (signal 9). Nothing unscreened is shown." in said[0]
    assert said[1] == "The detector is back."


def test_one_that_dies_leaves_the_others_alone(tmp_path: Path) -> None:
    parts = [part(SERVE, tmp_path / name, name=name) for name in ("detector", "proxy")]
    with Supervisor(parts, say=lambda _: None) as supervisor:
        before = supervisor.processes()
        os.kill(before["detector"], signal.SIGKILL)
        tend_until(
            supervisor,
            lambda: supervisor.processes().get("detector") not in (None, before["detector"]),
        )
        assert supervisor.processes()["proxy"] == before["proxy"]


@pytest.mark.parametrize("code", [SERVE, STUBBORN])
def test_stopping_ends_every_part(
    tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protech.guard.supervise.STOP_S", 0.5)
    with Supervisor([part(code, tmp_path / "ready")], say=lambda _: None) as supervisor:
        process = supervisor.processes()["detector"]
    assert not is_alive(process)


def test_a_parts_own_children_end_with_it(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with Supervisor([part(WITH_CHILD, ready)], say=lambda _: None):
        tend = time.monotonic() + 5
        while not ready.read_text() and time.monotonic() < tend:
            os.sched_yield()
        grandchild = int(ready.read_text())
        assert is_alive(grandchild)
    end = time.monotonic() + 5
    while is_alive(grandchild) and time.monotonic() < end:
        os.sched_yield()
    assert not is_alive(grandchild)


def test_a_part_that_gives_a_reason_ends_the_start_with_its_code(tmp_path: Path) -> None:
    broken = part("import sys; sys.exit(6)", tmp_path / "never")
    with pytest.raises(PartError, match="did not start") as told:
        Supervisor([broken], say=lambda _: None).__enter__()
    assert told.value.exit_code == 6


def test_a_part_that_is_killed_at_the_start_is_an_error(tmp_path: Path) -> None:
    broken = part("import os; os.kill(os.getpid(), 9)", tmp_path / "never")
    with pytest.raises(PartError, match="signal 9") as told:
        Supervisor([broken], say=lambda _: None).__enter__()
    assert told.value.exit_code == 2


def test_a_part_that_never_serves_is_an_error_and_ends(tmp_path: Path) -> None:
    silent = part("import time; time.sleep(60)", tmp_path / "never")
    with pytest.raises(PartError, match="did not serve"):
        Supervisor([silent], say=lambda _: None, ready_s=0.2).__enter__()


def test_a_stop_is_heard_during_the_start(tmp_path: Path) -> None:
    supervisor = Supervisor(
        [part("import time; time.sleep(60)", tmp_path / "never")], say=lambda _: None
    )
    supervisor.ask_to_stop()
    with pytest.raises(PartError, match="Stopped before"):
        supervisor.__enter__()


def test_a_stop_ends_the_run(tmp_path: Path) -> None:
    with Supervisor([part(SERVE, tmp_path / "ready")], say=lambda _: None) as supervisor:
        threading.Timer(0.1, supervisor.ask_to_stop).start()
        supervisor.run()


def test_parts_die_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    command = part(SERVE, ready).command
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, os.fspath(ready), *command], stdout=subprocess.PIPE
    ) as supervisor:
        assert supervisor.stdout is not None
        process = int(supervisor.stdout.readline())
        assert is_alive(process)
        supervisor.send_signal(signal.SIGKILL)
    end = time.monotonic() + 5
    while is_alive(process) and time.monotonic() < end:
        os.sched_yield()
    assert not is_alive(process)


def test_key_logs_are_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = tmp_path / "ready"
    for name in SECRETS:
        monkeypatch.setenv(name, os.fspath(tmp_path / "keys"))
    with Supervisor([part(SERVE, ready)], say=lambda _: None) as supervisor:
        process = supervisor.processes()["detector"]
        environment = Path(f"/proc/{process}/environ").read_bytes()
    assert b"KEYLOGFILE" not in environment


@given(st.integers(1, 10_000))
def test_delays_grow_and_are_bounded(failures: int) -> None:
    assert FIRST_DELAY_S <= delay_s(failures) <= LONGEST_DELAY_S
    assert delay_s(failures + 1) >= delay_s(failures)


def test_one_that_keeps_dying_waits_longer_each_time(tmp_path: Path) -> None:
    said: list[str] = []
    ready = tmp_path / "ready"
    with Supervisor([part(SERVE, ready)], say=said.append) as supervisor:
        for count in (1, 2, 3):
            tend_until(supervisor, lambda: "detector" in supervisor.processes())
            os.kill(supervisor.processes()["detector"], signal.SIGKILL)
            tend_until(
                supervisor,
                lambda c=count: sum("ended" in line for line in said) == c,  # type: ignore[misc]
            )
    waits = [line.rsplit("in ", 1)[1] for line in said if "ended" in line]
    assert waits == ["0.2 s.", "0.4 s.", "0.8 s."]
