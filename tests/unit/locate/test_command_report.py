"""The report of a case from the command line, and the end of its key."""

import io
import sys
from pathlib import Path

import pytest

from protech.errors import ConfigError, SourceError
from protech.evidence import case_key
from protech.locate.case import open_case
from protech.locate.command_report import destroy_case, write_report
from protech.locate.command_run import run_case
from tests.unit.locate.case_in_earnest import CASE, LIST, Ground, ground


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    made = ground(tmp_path, monkeypatch)
    words = ("run", made.case, "--list", LIST, "--no-page", "--one-round", *made.identity)
    assert run_case(made.options(*words)) == 0
    return made


def test_a_report_is_written_into_a_new_directory(
    at: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    out = at.folder / "report"
    words = ("report", at.case, "--out", out, "--lang", "en", *at.identity)
    assert write_report(at.options(*words)) == 0
    assert "the report in report-en.pdf" in capsys.readouterr().out
    assert (out / "report-en.pdf").read_bytes().startswith(b"%PDF")
    assert (out / "verify.py").exists()


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        (("--pack", "999"), SourceError, "is no sighting"),
        (("--sheet", "epoc"), ConfigError, "name it with --peer"),
    ],
)
def test_what_is_not_there_is_not_reported(
    at: Ground, words: tuple[str, ...], error: type[Exception], told: str
) -> None:
    out = at.folder / "report"
    with pytest.raises(error, match=told):
        write_report(at.options("report", at.case, "--out", out, *words, *at.identity))
    assert not out.exists()


def destroyed(at: Ground, *words: str) -> int:
    reason = ("--reason", "ordered on 2027-01-31")
    return destroy_case(at.options("destroy", at.case, *reason, *at.identity, *words))


def test_a_key_is_destroyed_once_the_name_of_the_case_was_typed(
    at: Ground, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("another\n"))
    with pytest.raises(ConfigError, match="Nothing was destroyed"):
        destroyed(at)
    assert (at.case / case_key.KEY).exists()
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{CASE}\n"))
    assert destroyed(at) == 0
    told = capsys.readouterr()
    assert f"({CASE})" in told.err
    assert "ordered on 2027-01-31" in told.out
    assert not (at.case / case_key.KEY).exists()
    with pytest.raises(ConfigError, match="was destroyed"):
        open_case(at.case, lambda wraps: case_key.open_with_identity(wraps, ""))


def test_a_run_is_not_cut_off_by_the_end_of_its_key(at: Ground) -> None:
    identity = at.people.identity
    case = open_case(at.case, lambda wraps: case_key.open_with_identity(wraps, identity))
    with case.open_log(for_writing=True), pytest.raises(ConfigError, match="Another process"):
        destroyed(at, "--yes")
    assert (at.case / case_key.KEY).exists()
    assert destroyed(at, "--yes") == 0
