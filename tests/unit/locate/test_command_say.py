import io
import os
import sys

import pytest

from protech.locate.command_say import on_one_line, say


def test_what_a_paper_says_cannot_steer_a_terminal() -> None:
    told = on_one_line("case\x1b[2J\r\n\u202e 7\u0000")
    assert told == "case\ufffd[2J\ufffd\ufffd\ufffd 7\ufffd"
    assert on_one_line("réquisition n° 7") == "réquisition n° 7"


def test_what_is_said_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("began\nthe case")
    assert capsys.readouterr() == ("", "protech: began\ufffdthe case\n")


def test_it_goes_on_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    raw = io.FileIO(writing, "w")
    stream = io.TextIOWrapper(raw, write_through=True)
    monkeypatch.setattr(sys, "stderr", stream)
    say("nobody hears it")
    monkeypatch.undo()
    raw.close()
