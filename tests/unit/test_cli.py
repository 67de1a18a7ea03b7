"""The command line: its grammar, and what each kind of end looks like."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from protech import cli, doctor
from protech.cli import BROKEN_PIPE, INTERRUPTED, main
from protech.errors import ListFormatError
from tests.as_process import run


def ended(monkeypatch: pytest.MonkeyPatch, end: Callable[[], int]) -> int:
    """Return the exit code where a command ends in some way."""
    monkeypatch.setattr(cli, "_doctor", lambda options: end())
    return main(["doctor"])


def raising(error: BaseException) -> Callable[[], int]:
    def act() -> int:
        raise error

    return act


def test_a_command_s_own_exit_code_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(monkeypatch, lambda: 7) == 7


def test_our_errors_are_one_line_and_their_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, raising(ListFormatError("do this"))) == 4
    assert capsys.readouterr() == ("", "protech: do this\n")


def test_an_error_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, raising(ListFormatError("a\x1b[31m\r\x9bname"))) == 4
    assert capsys.readouterr().err == "protech: a\ufffd[31m\ufffd\ufffdname\n"


def test_what_the_system_refuses_is_one_line_and_never_the_code_of_a_blocked_item(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, raising(OSError(28, "No space left on device"))) == 2
    said = capsys.readouterr().err
    assert said.startswith("protech: ")
    assert "No space left on device" in said
    assert said.count("\n") == 1


def shell(line: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command with its streams redirected as ``line`` says."""
    command = ["sh", "-c", f'exec "$@" {line}', "sh", sys.executable, "-m", "protech.cli"]
    return subprocess.run(
        [*command, *map(str, arguments)], text=True, capture_output=True, check=False
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [(">/dev/full", 2), (">&-", 0), ("<&- >&- 2>&-", 0), ("2>&-", 0)],
)
def test_streams_that_are_full_or_closed_are_survived(
    line: str, code: int, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("text")
    ended = shell(line, "scan", "--fast", "--workers", "1", tmp_path)
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)
    ended = shell(line, "doctor", "--json")
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)


def test_ctrl_c_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, raising(KeyboardInterrupt())) == INTERRUPTED
    assert capsys.readouterr().err == "protech: stopped\n"


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}.txt").write_text("x" * 99)
    command = [sys.executable, "-m", "protech.cli", "scan", "--fast", "--json", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    assert process.returncode == BROKEN_PIPE
    assert "Error" not in said


@pytest.mark.parametrize(
    "arguments", [["scan"], ["lists", "make"], ["lists", "show"], ["doctor"], ["guard"]]
)
def test_every_command_explains_itself_with_an_example(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "example" in text
    assert f"protech {' '.join(arguments)}" in text


def test_the_whole_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for command in ("guard", "scan", "lists", "doctor"):
        assert command in text


@pytest.mark.parametrize(
    "arguments",
    [[], ["scan"], ["scan", "a", "--workers", "0"], ["scan", "a", "--workers", "x"], ["lists"],
     ["scan", "a", "--json", "--jsonl", "b"], ["nonsense"]],
)  # fmt: skip
def test_a_wrong_command_line_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


@pytest.mark.parametrize("part", ["guard", "locate"])
def test_without_its_packages_a_part_says_what_to_install(
    part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(doctor.EXTRAS, part, ("no_such_package",))
    assert main([part, "--help"]) == 2
    assert f"pip install 'protech[{part}]'" in capsys.readouterr().err


def test_the_doctor_answers_in_json(tmp_path: Path) -> None:
    told = run("doctor", "--json", folder=tmp_path)
    assert json.loads(told.stdout)["v"] == 1
    assert told.returncode in {0, 2}
