"""The installed guard under load while its processes are killed, and its refusals."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from protech.guard import consent
from protech.guard.demo.certificate import site_pair
from protech.guard.demo.look import Way, look_as_client
from protech.guard.demo.pictures import Photo, evening_pixels, has_detail
from protech.guard.demo.site import HOST, listed_files, photos, served
from protech.guard.plan import Plan, Rooms
from protech.guard.record import Record
from protech.guard.session import supervised, with_ports
from protech.guard.supervise import Supervisor
from protech.salus.enlist import enlist

PROTECH = Path(sys.executable).with_name("protech")
PATIENCE_S = 90.0


@dataclass(kw_only=True)
class Load:
    """Looks at the site through the guard, over and over, in threads of its own."""

    way: Way
    photos: list[Photo]
    shown: int = 0
    """Pixels of listed photos that came through; there must never be one."""
    whole: int = 0
    """Looks in which every other photo came through."""
    refused: int = 0
    is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.is_over.is_set():
            try:
                seen = look_as_client(self.way, self.photos)
            except OSError:
                self.refused += 1
                self.is_over.wait(0.05)
                continue
            pairs = list(zip(self.photos, seen, strict=True))
            self.shown += sum(
                evening_pixels(each.pixels) for photo, each in pairs if photo.is_listed
            )
            others = [each for photo, each in pairs if not photo.is_listed]
            self.whole += all(has_detail(each.pixels) for each in others)


@contextmanager
def loaded(way: Way, shown: list[Photo]) -> Iterator[Load]:
    load = Load(way=way, photos=shown)
    threads = [threading.Thread(target=load.run) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.is_over.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def rooms(tmp_path: Path) -> Rooms:
    rooms = Rooms(runtime=tmp_path / "run", state=tmp_path / "state")
    rooms.make()
    return rooms


@pytest.fixture
def under_load(tmp_path: Path, rooms: Rooms) -> Iterator[tuple[Supervisor, Load]]:
    """A whole guard, its own known list, and a browser's worth of requests."""
    folder = tmp_path / "evenings"
    folder.mkdir()
    for name, content in listed_files().items():
        (folder / name).write_bytes(content)
    enlist(folder, tmp_path / "evenings.list", workers=1)
    pair = site_pair(HOST, now=datetime.now(UTC))
    (tmp_path / "roots.pem").write_bytes(pair.authority)
    shown = photos()
    with served(shown, certificate=pair.chain, key=pair.key) as port:
        plan = with_ports(
            Plan(
                rooms=rooms,
                listen=("127.0.0.1", 0),
                lists=(str(tmp_path / "evenings.list"),),
                models="none",
                workers=1,
                overrides={HOST: ("127.0.0.1", port)},
                roots=tmp_path / "roots.pem",
            )
        )
        with supervised(plan, say=lambda _: None) as supervisor:
            way = Way(
                site=("127.0.0.1", port),
                proxy=plan.listen,
                authority=rooms.authority.read_bytes(),
            )
            with loaded(way, shown) as load:
                yield supervisor, load


def tend_until(supervisor: Supervisor, done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end
        supervisor.tend(timeout_s=0.05)


@pytest.mark.parametrize("part", ["detector", pytest.param("proxy", marks=pytest.mark.slow)])
def test_killed_under_load_it_shows_nothing_unscreened_and_comes_back(
    under_load: tuple[Supervisor, Load], part: str
) -> None:
    supervisor, load = under_load
    for _ in range(2):
        looked = load.whole
        tend_until(supervisor, lambda seen=looked: load.whole > seen + 2)  # type: ignore[misc]
        killed = supervisor.processes()[part]
        os.kill(killed, signal.SIGKILL)
        tend_until(
            supervisor,
            lambda old=killed: supervisor.processes().get(part) not in (None, old),  # type: ignore[misc]
        )
    looked = load.whole
    tend_until(supervisor, lambda: load.whole > looked + 2)
    assert load.shown == 0
    if part == "proxy":
        assert load.refused > 0


def test_what_is_hidden_is_counted_by_reason(
    under_load: tuple[Supervisor, Load], rooms: Rooms
) -> None:
    supervisor, load = under_load
    tend_until(supervisor, lambda: load.whole > 1)

    def reasons() -> set[tuple[str, str]]:
        with Record.open(rooms.counts) as record:
            return {(row.surface, row.reason) for row in record.counts(since=date.min)}

    tend_until(supervisor, lambda: len(reasons()) >= 2)
    assert reasons() == {("proxy", "known"), ("proxy", "resembles")}


def test_a_pause_shows_everything_and_its_end_nothing_more(
    under_load: tuple[Supervisor, Load], rooms: Rooms
) -> None:
    supervisor, load = under_load
    tend_until(supervisor, lambda: load.whole > 1)
    assert load.shown == 0
    consent.pause(rooms.pause, now=datetime.now(UTC), minutes=5)
    tend_until(supervisor, lambda: load.shown > 0)
    consent.resume(rooms.pause)
    time.sleep(3)  # the file is looked at once a second; answers under way are let out
    shown, looked = load.shown, load.whole
    tend_until(supervisor, lambda: load.whole > looked + 2)
    assert load.shown == shown


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Directories of one's own, so that a test meets nobody's guard and leaves nothing."""
    for name in ("run", "state", "cache", "config"):
        (tmp_path / name).mkdir(mode=0o700)
    return os.environ | {
        "XDG_RUNTIME_DIR": os.fspath(tmp_path / "run"),
        "XDG_STATE_HOME": os.fspath(tmp_path / "state"),
        "XDG_CACHE_HOME": os.fspath(tmp_path / "cache"),
        "XDG_CONFIG_HOME": os.fspath(tmp_path / "config"),
    }


def ask(home: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROTECH, "guard", *arguments],
        env=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@contextmanager
def guard(home: dict[str, str]) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    command = [os.fspath(PROTECH), "guard", "--listen", "127.0.0.1:0", "--models", "none"]
    with subprocess.Popen(command, env=home, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "The guard is on.\n"
            yield process, json.loads(ask(home, "status", "--json").stdout)
        finally:
            process.kill()


def is_listening(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def is_alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def gone(check: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while check() and time.monotonic() < end:
        time.sleep(0.05)
    return not check()


def test_a_killed_supervisor_takes_everything_with_it(home: dict[str, str]) -> None:
    with guard(home) as (process, told):
        listen, detector = told["running"]["listen"], told["detector"]["process"]
        assert is_listening(listen)
        assert told["detector"]["sandboxed"] is True
        process.send_signal(signal.SIGKILL)
        assert gone(lambda: is_listening(listen))
        assert gone(lambda: is_alive(detector))
        assert ask(home, "status").returncode == 2


def test_no_part_of_a_guard_leaves_a_core(home: dict[str, str]) -> None:
    with guard(home) as (process, told):
        parts = psutil.Process(process.pid).children(recursive=True)
        assert told["detector"]["process"] in {part.pid for part in parts}
        assert len(parts) >= 4  # detector, worker, proxy, page
        # A limit that cannot be raised again; it is unlimited where nobody sets it.
        assert {part.rlimit(psutil.RLIMIT_CORE) for part in parts} == {(0, 0)}


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_a_stop_is_clean_and_its_exit_code_0(
    home: dict[str, str], number: signal.Signals
) -> None:
    with guard(home) as (process, told):
        process.send_signal(number)
        assert process.wait(30) == 0
        assert not is_listening(told["running"]["listen"])
        assert not is_alive(told["detector"]["process"])


def test_beside_a_running_guard_another_is_refused_and_a_pause_is_taken(
    home: dict[str, str],
) -> None:
    with guard(home) as (_, told):
        second = ask(home)
        assert second.returncode == 2
        assert "running already" in second.stderr
        assert ask(home, "pause", "--minutes", "1").returncode == 0
        assert "paused until" in ask(home, "status").stdout
        assert ask(home, "resume").returncode == 0
        assert "The guard is on since" in ask(home, "status").stdout
        assert is_listening(told["running"]["listen"])


def test_a_port_in_use_is_named_with_what_to_do(home: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = ask(home, "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 2
    assert f"Port {port}" in done.stderr
    assert f"--listen 127.0.0.1:{port + 1}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_list_that_is_none_ends_the_start_with_its_exit_code(
    home: dict[str, str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.list"
    broken.write_text("no list\n")
    done = ask(home, "--listen", "127.0.0.1:0", "--list", os.fspath(broken))
    assert done.returncode == 4
    assert "known list" in done.stderr
    assert "Traceback" not in done.stderr
