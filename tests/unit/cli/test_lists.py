"""``protech lists``, run as a process."""

import json
from pathlib import Path

from tests.as_process import run
from tests.make_data import encode, make_photo


def test_a_list_is_made_and_shown(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.png").write_bytes(encode(make_photo(1), "PNG"))
    (mine / "bad\n.jpg").write_bytes(b"\xff\xd8\xff")
    out = tmp_path / "mine.list"
    made = run("lists", "make", mine, "--out", out, folder=tmp_path)
    assert (made.returncode, made.stdout) == (0, f"{out}: mine 1, 1 entries\n")
    assert "left out: corrupt: " in made.stderr
    assert "bad\ufffd.jpg\n" in made.stderr
    assert "1 that cannot be judged, 0 that are neither picture nor video\n" in made.stderr
    again = run("lists", "make", mine, "--out", out, "--json", folder=tmp_path)
    assert json.loads(again.stdout) == {
        "v": 1, "name": "mine", "version": 2, "entries": 1, "skipped": 1, "others": 0
    }  # fmt: skip
    shown = run("lists", "show", out, folder=tmp_path)
    assert "uses           guard, messaging, triage\n" in shown.stdout
    assert "identifiers    sha256 1, sha1 1, md5 1, pdq 1, vpdq 0\n" in shown.stdout
    assert "a.png" not in shown.stdout
    fields = json.loads(run("lists", "show", out, "--json", folder=tmp_path).stdout)
    assert (fields["name"], fields["version"], fields["bad"]) == ("mine", 2, 0)


def test_bad_lines_are_shown_with_their_reason(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    out = tmp_path / "mine.list"
    run("lists", "make", tmp_path / "mine", "--out", out, folder=tmp_path)
    text = out.read_text()
    out.write_text(text.replace('"count":0', '"count":1') + "bad\n")
    shown = run("lists", "show", out, folder=tmp_path)
    assert "line 2         the line is no JSON object in UTF-8\n" in shown.stdout
