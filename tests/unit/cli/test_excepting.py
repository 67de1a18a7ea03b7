"""``protech lists except``: from a wrong match to a row without it."""

import json
import re
from pathlib import Path

from tests.as_process import home, run
from tests.make_data import encode, make_photo


def test_a_wrong_match_is_excepted_once_its_author_is_pinned(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    photo = mine / "a.png"
    photo.write_bytes(encode(make_photo(1), "PNG"))
    known, out, key = tmp_path / "mine.list", tmp_path / "unjust.exceptions", tmp_path / "k.key"
    run("lists", "make", mine, "--out", known, folder=tmp_path)
    made = run("lists", "keys", "new", key, "--name", "examiner-7", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    given = ("lists", "except", photo, "--of", "mine", "--reason", "a landscape",
             "--author", "Examiner 7", "--key", key, "--out", out)  # fmt: skip
    done = run(*given, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{out}: unjust 1, 1 exceptions\n")
    assert run(*given, folder=tmp_path).stdout.startswith(f"{out}: unjust 2, 1 exceptions\n")
    scan = ("scan", photo, "--list", known, "--exceptions", out, "--fast", "--json")
    refused = run(*scan, folder=tmp_path)
    assert (refused.returncode, "pin" in refused.stderr) == (5, True)
    line = re.search(r"exception_keys = .*", done.stdout)
    assert line
    settings = Path(home(tmp_path)["XDG_CONFIG_HOME"]) / "protech" / "settings.toml"
    settings.parent.mkdir(parents=True, mode=0o700)
    settings.write_text(line[0] + "\n")
    settings.chmod(0o600)
    heeded = run(*scan, folder=tmp_path)
    row = json.loads(heeded.stdout)
    assert (heeded.returncode, row["decision"]) == (0, "allow"), heeded.stderr
    assert {match["kind"] for match in row["excepted"]} == {"sha256", "sha1", "md5", "pdq"}


def test_what_is_no_exception_list_is_not_written_over(tmp_path: Path) -> None:
    other = tmp_path / "letter.txt"
    other.write_text("dear")
    run("lists", "keys", "new", tmp_path / "k.key", "--name", "me", folder=tmp_path)
    refused = run(
        "lists", "except", other, "--of", "a", "--reason", "b", "--author", "c",
        "--key", tmp_path / "k.key", "--out", other, folder=tmp_path,
    )  # fmt: skip
    assert refused.returncode == 5
    assert other.read_text() == "dear"


def test_what_someone_else_wrote_into_a_list_is_not_signed(tmp_path: Path) -> None:
    out, key, file = tmp_path / "a.exceptions", tmp_path / "k.key", tmp_path / "a.txt"
    file.write_text("a")
    run("lists", "keys", "new", key, "--name", "me", folder=tmp_path)
    given = ("lists", "except", file, "--of", "x", "--reason", "r", "--author", "me",
             "--key", key, "--out", out)  # fmt: skip
    assert run(*given, folder=tmp_path).returncode == 0
    out.write_text(out.read_text().replace('"reason":"r"', '"reason":"another"'))
    written = out.read_bytes()
    refused = run(*given, folder=tmp_path)
    assert (refused.returncode, "--out" in refused.stderr) == (5, True)
    assert out.read_bytes() == written
