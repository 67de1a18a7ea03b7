"""The grammar of ``protech locate``: each action explains itself and leads to its function."""

import argparse
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from protech.errors import ConfigError
from protech.locate import command, command_run
from protech.locate.command import add_command

ACTIONS = (
    "check", "run", "page", "sign", "propose", "approve", "report", "verify", "destroy",
)  # fmt: skip


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="protech")
    add_command(top.add_subparsers())
    return top


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Give back the loggers, which a command keeps for itself."""
    own, root = logging.getLogger("protech"), logging.getLogger()
    kept = (own.handlers, own.propagate, own.level, root.handlers, logging.lastResort)
    yield
    own.handlers, own.propagate, level, root.handlers, logging.lastResort = kept
    own.setLevel(level)


def help_of(parser: argparse.ArgumentParser, capsys: Any, *words: str) -> str:
    with pytest.raises(SystemExit):
        parser.parse_args(["locate", *words, "--help"])
    told: str = capsys.readouterr().out
    return told


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_has_an_example(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    told = help_of(parser, capsys, action)
    assert f"protech locate {action} " in told
    assert all(len(line) <= 120 for line in told.splitlines())


def test_the_whole_names_each_action_and_fits_a_terminal(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    told = help_of(parser, capsys)
    assert all(action in told for action in ACTIONS)
    assert max(map(len, told.splitlines())) <= 90


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--minutes", "soon"),
        ("run", "--seed", "-1"),
        ("propose", "CASE", "--list", "L", "--pieces", "0", "--out", "F"),
        ("report", "CASE", "--out", "D", "--pack", "one"),
        ("approve", "F", "--case", "C", "--pin-fd", "-1"),
        (),
    ],
)
def test_what_is_no_number_or_no_action_is_refused(
    parser: argparse.ArgumentParser, words: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["locate", *words])
    assert ended.value.code == 2


def test_no_option_takes_a_free_key_or_other_anchors(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    for action in ACTIONS:
        told = help_of(parser, capsys, action)
        assert not {"--info-hash", "--magnet", "--anchors", "--authority"} & set(told.split())


def test_the_process_is_shut_and_quiet_before_an_action(
    parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts: list[str] = []
    monkeypatch.setattr(command, "harden_process", lambda: acts.append("hardened"))
    options = parser.parse_args(["locate", "run"])
    with pytest.raises(ConfigError, match="Name the case's directory"):
        options.run(options)
    assert acts == ["hardened"]
    assert logging.getLogger("tuf").level > logging.CRITICAL
    assert logging.getLogger("protech").level == logging.WARNING
    assert command_run.NOT_READY == 7
