"""``check``, ``run`` and ``page``, as far as they need no network of their own."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.locate.case import create_case
from protech.locate.command_run import STOPS, check_run, run_case, wait_for_end
from protech.locate.schedule import AT_ONCE
from tests.unit.lists.test_fetch_keys import TORRENT
from tests.unit.locate.case_in_earnest import CASE, LIST, Ground, ground


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    return ground(tmp_path, monkeypatch)


def begun(at: Ground) -> None:
    words = ("run", at.case, "--list", LIST, "--no-page", "--one-round", *at.identity)
    assert run_case(at.options(*words)) == 0


def test_a_run_begins_its_case_and_says_how_it_ended(
    at: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(at)
    told = capsys.readouterr()
    assert told.out == ""
    assert f"Began the case {CASE}" in told.err
    assert "The run has ended: one round was asked for. Looked 1 times." in told.err
    words = ("run", at.case, "--list", LIST, "--no-page", "--one-round", "--json", *at.identity)
    assert run_case(at.options(*words)) == 0
    told = capsys.readouterr()
    assert "Began" not in told.err
    assert json.loads(told.out) == {"v": 1, "ended": "one round was asked for", "looks": 0}


def test_a_run_ends_after_its_minutes(at: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("run", at.case, "--list", LIST, "--no-page", "--minutes", "0.001", *at.identity)
    assert run_case(at.options(*words)) == 0
    assert "it was told to stop" in capsys.readouterr().err


def test_one_round_looks_for_every_file_of_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    count = AT_ONCE + 3
    keys = [replace(TORRENT, info_hash=number.to_bytes(20)) for number in range(count)]
    at = ground(tmp_path, monkeypatch, keys)
    begun(at)
    assert f"Looked {count} times" in capsys.readouterr().err


def test_check_tells_all_and_its_code_is_that_of_a_refusal(
    at: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(at)
    capsys.readouterr()
    assert check_run(at.options("check", at.case, "--list", LIST)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok  ") for line in lines)
    assert "ok  authorisation of this case: holds" in lines
    (at.papers / "timestamp.json").write_text("\x1b[2J")
    assert check_run(at.options("check", at.case, "--list", LIST)) == 7
    assert "NO  timestamp: " in capsys.readouterr().out
    assert check_run(at.options("check", at.case, "--list", LIST, "--json")) == 7
    found = json.loads(capsys.readouterr().out)["checks"]
    assert [one["what"] for one in found if not one["ok"]] == ["timestamp"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Name the case's directory and the list"),
        (("CASE",), "Name the case's directory and the list"),
        (("CASE", "--list", "L", "--seed", "7"), "--seed draws the swarm of --lab"),
        (("--lab", "--list", "L"), "leave out --list"),
        (("--lab", "--one-round"), "leave out --one-round"),
        (("--lab", "--pin-fd", "0"), "leave out --pin-fd"),
    ],
)
def test_what_would_be_left_out_is_refused(
    at: Ground, words: tuple[str, ...], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        run_case(at.options("run", *words))


def test_a_case_of_a_lab_or_one_that_is_open_to_others_is_not_run(
    at: Ground, tmp_path: Path
) -> None:
    lab = create_case(
        tmp_path / "lab", name=CASE, is_lab=True, recipients=at.anchors.recipients
    )
    words = ("--list", LIST, "--no-page", *at.identity)
    with pytest.raises(ConfigError, match="is of a lab"):
        run_case(at.options("run", lab.folder, *words))
    lab.folder.chmod(0o750)
    with pytest.raises(TrustError, match="open to others"):
        run_case(at.options("run", lab.folder, *words))


@pytest.mark.parametrize("number", STOPS)
def test_waiting_ends_with_each_signal_that_ends_a_process(number: signal.Signals) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        signal.raise_signal(number)
        wait_for_end()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
