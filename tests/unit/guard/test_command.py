"""The command line of the guard, and its commands beside a running one."""

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.errors import ConfigError, SourceError
from protech.guard.command import NOT_RUNNING, add_command, plan_of, run
from protech.guard.plan import DEFAULT_LISTEN, Rooms
from protech.guard.record import Record, day_of
from protech.guard.running import Running, announce, only_one
from protech.lists.device import DeviceLists
from protech.lists.keys import make_device_key
from protech.lists.sync.flow import sync
from protech.settings import Places
from tests.repository import LIST, Repository


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="protech")
    add_command(parser.add_subparsers())
    return parser.parse_args(["guard", *arguments])


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rooms:
    for name in ("STATE", "CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", os.fspath(tmp_path / name.lower()))
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", os.fspath(tmp_path / "run"))
    rooms = Rooms.of(Places.of_user())
    assert tmp_path in rooms.runtime.parents
    rooms.make()
    return rooms


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options("--help")
    assert ended.value.code == 0
    assert "protech guard --demo" in capsys.readouterr().out


def test_without_options_the_plan_is_the_ordinary_guard(rooms: Rooms) -> None:
    plan = plan_of(options(), rooms)
    assert plan.listen == DEFAULT_LISTEN
    assert plan.lists == ()
    assert plan.models == "packaged"
    assert not plan.is_adult_filter_on


def test_options_reach_the_plan_with_whole_paths(
    rooms: Rooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.list").touch()
    (tmp_path / "models").mkdir()
    chosen = options(
        "--listen",
        "127.0.0.1:9",
        "--list",
        "own.list",
        "--models",
        "models",
        "--adult-filter=on",
    )
    plan = plan_of(chosen, rooms)
    assert plan.listen == ("127.0.0.1", 9)
    assert plan.lists == (os.fspath(tmp_path / "own.list"),)
    assert plan.models == os.fspath(tmp_path / "models")
    assert plan.is_adult_filter_on


@pytest.mark.parametrize("option", ["--list", "--models"])
def test_a_path_that_is_not_there_is_said_before_anything_starts(
    rooms: Rooms, option: str
) -> None:
    with pytest.raises(SourceError, match="check the path"):
        plan_of(options(option, "./nowhere"), rooms)


def test_a_name_that_no_synced_list_has_is_said_before_anything_starts(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(SourceError, match="protech lists sync"):
        plan_of(options("--list", "nowhere"), rooms)


def test_a_file_of_the_name_of_a_synced_list_does_not_take_its_place(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    device = DeviceLists.of_user()
    repository = Repository(tmp_path / "r", recipients=[make_device_key(device.key)])
    repository.add(set())
    repository.publish()
    sync(device, str(repository.folder), root=repository.first_root)
    monkeypatch.chdir(tmp_path)
    (tmp_path / LIST).touch()
    assert plan_of(options("--list", LIST), rooms).lists == (LIST,)
    assert plan_of(options("--list", f"./{LIST}"), rooms).lists == (str(tmp_path / LIST),)


def test_an_address_for_others_is_refused(rooms: Rooms) -> None:
    with pytest.raises(ConfigError, match="this machine only"):
        plan_of(options("--listen", "0.0.0.0:8899"), rooms)


def test_a_pause_and_its_end_are_said(rooms: Rooms, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(options("pause", "--minutes", "5")) == 0
    assert "Paused until" in capsys.readouterr().out
    assert rooms.pause.exists()
    assert run(options("resume")) == 0
    assert "protects again" in capsys.readouterr().out
    assert not rooms.pause.exists()


def test_the_status_of_no_guard_is_its_own_exit_code(
    rooms: Rooms, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(options("status")) == NOT_RUNNING
    assert "The guard is off" in capsys.readouterr().out


def test_the_status_as_json_holds_state_counts_and_pause(
    rooms: Rooms, capsys: pytest.CaptureFixture[str]
) -> None:
    running = Running(
        process=os.getpid(),
        listen="127.0.0.1:9",
        certificate="c",
        detector="d",
        started_at="2026-03-01T12:00:00+00:00",
    )
    with Record.open(rooms.counts) as record:
        record.count(day=day_of(datetime.now(UTC)), surface="proxy", reason="known", times=2)
    run(options("pause"))
    capsys.readouterr()
    with only_one(rooms.runtime):
        announce(rooms.runtime, running)
        assert run(options("status", "--json")) == 0
        told = json.loads(capsys.readouterr().out)
        assert run(options("status")) == 0
        assert "does not answer" in capsys.readouterr().out
    assert told["running"]["listen"] == "127.0.0.1:9"
    assert told["detector"] is None
    assert told["paused_until"]
    assert told["hidden_today"] == [{"surface": "proxy", "reason": "known", "count": 2}]


@pytest.mark.parametrize(
    ("language", "first"),
    [
        ("fr_FR.UTF-8", "STOP"),
        ("de_DE.UTF-8", "Kein Täter"),
        ("C", "Troubled"),
        ("", "Troubled"),
    ],
)
def test_help_lines_begin_near_the_person(
    rooms: Rooms,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    first: str,
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.delenv("LANG", raising=False)
    assert run(options("status", "--help-lines")) == 0
    assert first in capsys.readouterr().out.split("\n\n")[1]


def test_a_second_guard_is_refused_before_anything_starts(rooms: Rooms) -> None:
    with only_one(rooms.runtime), pytest.raises(ConfigError, match="running already"):
        run(options())
