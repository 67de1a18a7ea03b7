"""``protech lists import|export``, run as processes."""

import csv
import json
from pathlib import Path

import pytest

from protech import cli
from tests.as_process import run
from tests.listed import ENTRY, header, write
from tests.make_data import encode, make_photo
from tests.rds import digests, minimal

MD5, SHA1 = "ab" * 16, "cd" * 20
VICS = {
    "@odata.context": "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml",
    "value": [
        {"MediaID": 1, "Category": 1, "MD5": MD5, "SHA1": SHA1},
        {"MediaID": 2, "Category": 0, "MD5": MD5[::-1]},
        {"MediaID": 3, "Category": 1, "MD5": "zz"},
    ],
}


@pytest.fixture
def vics(tmp_path: Path) -> Path:
    path = tmp_path / "national.json"
    path.write_text(json.dumps(VICS))
    return path


def test_of_an_imported_file_only_the_chosen_categories_are_listed(
    vics: Path, tmp_path: Path
) -> None:
    out = tmp_path / "national.list"
    refused = run("lists", "import", vics, "--out", out, folder=tmp_path)
    assert refused.returncode == 2
    assert "0 (1), 1 (1)" in refused.stderr
    assert not out.exists()
    options = (
        "--take",
        "1",
        "--issuer",
        "Police",
        "--expires",
        "2027-12-31",
        "--use",
        "triage",
    )
    done = run("lists", "import", vics, "--out", out, *options, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["entries"], told["bad"], told["version"]) == (1, 1, 1)
    assert told["categories"] == {"0": 1, "1": 1}
    shown = json.loads(run("lists", "show", out, "--json", folder=tmp_path).stdout)
    assert (shown["issuer"], shown["uses"], shown["category"]) == ("Police", ["triage"], "csam")
    again = run("lists", "import", vics, "--out", out, "--take", "all", folder=tmp_path)
    assert again.stdout.splitlines() == [
        f"{out}: national 2, 2 entries of vics",
        "category 0: 1 in the file",
        "category 1: 1 in the file",
    ]
    assert "left out: 1 in all" in again.stderr
    assert MD5 not in again.stdout + again.stderr + done.stdout + shown["name"]


def test_a_list_that_was_cut_is_not_exported_nor_one_over_what_is_there(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", header(), [ENTRY, ENTRY])
    lines = whole.read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").write_bytes(b"".join(lines[:2]))
    (tmp_path / "bad").write_bytes(b"".join([*lines[:2], b"{}\n"]))

    def export(name: str, out: str) -> tuple[int, str]:
        options = ("--format", "csv", "--out", tmp_path / out)
        done = run("lists", "export", tmp_path / name, *options, folder=tmp_path)
        return done.returncode, done.stderr

    code, said = export("cut", "out.csv")
    assert (code, "it was cut" in said, (tmp_path / "out.csv").exists()) == (4, True, False)
    code, said = export("whole", "whole")
    assert (code, "would be lost" in said) == (2, True)
    assert whole.read_bytes() == b"".join(lines)
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    code, said = export("whole", "photo.jpg")
    assert (code, "would be lost" in said) == (2, True)
    assert (tmp_path / "photo.jpg").read_bytes() == b"mine"
    assert export("bad", "out.csv") == (0, "left out: 1 lines that are no entries\n")


def test_known_good_files_are_said_to_be_so(tmp_path: Path) -> None:
    database = tmp_path / "rds.db"
    minimal(database, digests(1))
    out = tmp_path / "nsrl.list"
    refused = run("lists", "import", database, "--out", out, folder=tmp_path)
    assert (refused.returncode, "--category known_good" in refused.stderr) == (4, True)
    options = ("--category", "known_good", "--out", out)
    done = run("lists", "import", database, *options, folder=tmp_path)
    assert done.stdout == f"{out}: rds 1, 1 entries of nsrl\n", done.stderr


def test_an_own_list_is_exported_and_an_authoritys_is_not(vics: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.png").write_bytes(encode(make_photo(1), "PNG"))
    run("lists", "make", mine, "--out", tmp_path / "mine.list", folder=tmp_path)
    out = tmp_path / "mine.csv"
    done = run(
        "lists", "export", tmp_path / "mine.list", "--format", "csv", "--out", out,
        folder=tmp_path,
    )  # fmt: skip
    assert done.stdout == f"{out}: 1 entries\n"
    (row,) = csv.DictReader(out.read_text().splitlines())
    assert (row["label"], len(row["sha256"]), len(row["pdq"])) == ("a.png", 64, 64)
    back = run("lists", "import", out, "--category", "own", "--out", tmp_path / "b.list",
               folder=tmp_path)  # fmt: skip
    assert back.stdout.endswith("1 entries of csv\n"), back.stderr
    run("lists", "import", vics, "--out", tmp_path / "n.list", "--take", "1", folder=tmp_path)
    refused = run(
        "lists", "export", tmp_path / "n.list", "--format", "csv", "--out", tmp_path / "n.csv",
        folder=tmp_path,
    )  # fmt: skip
    assert (refused.returncode, "is not exported" in refused.stderr) == (5, True)
    assert not (tmp_path / "n.csv").exists()


@pytest.mark.parametrize(
    "wrong",
    [["--expires", "soon"], ["--quality-floor", "101"], ["--quality-floor", "x"],
     ["--use", "locate"], ["--category", "weather"]],
)  # fmt: skip
def test_what_no_list_may_say_is_refused(wrong: list[str]) -> None:
    given = ["lists", "import", "a", "--out", "b", *wrong]
    with pytest.raises(SystemExit) as refused:
        cli.parser(given).parse_args(given)
    assert refused.value.code == 2


def test_a_format_that_does_not_exist_is_named_with_those_that_do(
    vics: Path, tmp_path: Path
) -> None:
    options = ("--out", tmp_path / "l", "--format", "excel")
    refused = run("lists", "import", vics, *options, folder=tmp_path)
    assert (refused.returncode, "ncmec, hma" in refused.stderr) == (2, True)
