"""A scan as a whole: rows, table, warnings, exit codes."""

import errno
import io
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protech.errors import ConfigError, ListFormatError, TrustError
from protech.lists.entries import (
    OWN_USES,
    Category,
    Entry,
    ListHeader,
    Use,
)
from protech.lists.formats.own import (
    ListWriter,
)
from protech.salus.enlist import enlist
from protech.triage.scan import Order, scan
from protech.triage.show import HEADING
from tests.make_data import encode, make_photo
from tests.unit.triage.test_show import Terminal

NOW = datetime.now(UTC)
HEADER = ListHeader(
    name="mine", version=1, category=Category.OWN, uses=OWN_USES, created_at=NOW
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a photo, a copy of it in other bytes, another photo, and a text."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(encode(make_photo(1), "JPEG"))
    (folder / "b.png").write_bytes(encode(make_photo(1), "PNG"))
    (folder / "c.png").write_bytes(encode(make_photo(2), "PNG"))
    (folder / "d.txt").write_text("text")
    return folder


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """Return a list of the first photo."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.jpg").write_bytes(encode(make_photo(1), "JPEG"))
    enlist(mine, tmp_path / "mine.list", workers=1)
    return tmp_path / "mine.list"


def write(path: Path, header: ListHeader, entries: tuple[Entry, ...] = ()) -> Path:
    with path.open("wb") as file:
        writer = ListWriter(file, header)
        for entry in entries:
            writer.write(entry)
        writer.finish()
    return path


def scanned(order: Order, out: io.StringIO | None = None) -> tuple[int, str, str]:
    out, err = out or io.StringIO(), io.StringIO()
    code = scan(replace(order, workers=1, is_fast=True), out=out, err=err)
    return code, out.getvalue(), err.getvalue()


def test_known_and_resembling_files_are_blocked_in_order(folder: Path, known: Path) -> None:
    code, out, err = scanned(Order(paths=[folder], lists=[known], rows="-"))
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [(Path(row["path"]).name, row["reason"]) for row in rows] == [
        ("a.jpg", "known"),
        ("b.png", "resembles"),
        ("c.png", "none"),
        ("d.txt", "none"),
    ]
    assert rows[0]["matches"][0]["entry"] == "a.jpg"
    assert err == "4 items: 2 blocked, 0 to review, 2 allowed\n"


def test_a_table_on_a_terminal_has_a_heading(folder: Path, known: Path) -> None:
    code, out, _ = scanned(Order(paths=[folder], lists=[known]), Terminal())
    assert code == 1
    assert out.startswith(HEADING)
    assert len(out.splitlines()) == 5


def test_rows_in_a_file_leave_the_table_and_are_not_scanned_themselves(folder: Path) -> None:
    rows = folder / "rows.jsonl"
    code, out, err = scanned(Order(paths=[folder], rows=str(rows)))
    assert code == 0
    assert [json.loads(line)["v"] for line in rows.read_text().splitlines()] == [1] * 4
    assert len(out.splitlines()) == 4
    assert rows.stat().st_mode & 0o777 == 0o600
    assert "no known list is loaded" in err


def test_rows_replace_rows_and_nothing_else(folder: Path) -> None:
    rows = folder.parent / "rows.jsonl"
    for _ in range(2):
        scanned(Order(paths=[folder / "d.txt"], rows=str(rows)))
        assert len(rows.read_text().splitlines()) == 1
    photo = (folder / "a.jpg").read_bytes()
    with pytest.raises(ConfigError, match="holds no rows, so it is not written over"):
        scanned(Order(paths=[folder], rows=str(folder / "a.jpg")))
    assert (folder / "a.jpg").read_bytes() == photo


def test_rows_may_go_to_a_device(folder: Path) -> None:
    assert scanned(Order(paths=[folder / "d.txt"], rows=os.devnull))[0] == 0


def test_a_path_that_is_not_there_is_told_and_the_rest_goes_on(folder: Path) -> None:
    paths = [folder / "none", folder / "c.png"]
    code, out, err = scanned(Order(paths=paths))
    assert code == 3
    assert out.startswith("allow")
    assert "none cannot be looked at" in err


def test_something_blocked_outweighs_what_is_missing(folder: Path, known: Path) -> None:
    paths = [folder / "none", folder / "a.jpg"]
    assert scanned(Order(paths=paths, lists=[known]))[0] == 1


def test_a_review_alone_is_no_failure(folder: Path) -> None:
    (folder / "e.jpg").write_bytes(b"")
    code, _, err = scanned(Order(paths=[folder / "e.jpg"]))
    assert code == 0
    assert "1 item: 0 blocked, 1 to review, 0 allowed; could not be judged: 1 empty" in err


def test_a_stale_list_is_used_and_said(tmp_path: Path, folder: Path) -> None:
    header = replace(HEADER, expires_at=NOW - timedelta(days=1))
    known = write(tmp_path / "l", header, (Entry(sha256=bytes(32)),))
    _, _, err = scanned(Order(paths=[folder / "d.txt"], lists=[known]))
    assert "the list mine 1 has expired" in err


def test_bad_entries_of_a_list_are_said(tmp_path: Path, folder: Path) -> None:
    known = write(tmp_path / "l", HEADER, (Entry(sha256=bytes(32)),) * 2)
    known.write_bytes(known.read_bytes().replace(b'":"00', b'":"zz', 1))
    _, _, err = scanned(Order(paths=[folder / "d.txt"], lists=[known]))
    assert "1 entries of the list mine 1 cannot be read" in err
    assert "on line 2: 'sha256' is not 64 hex digits" in err


def test_a_list_that_is_for_the_guard_only_is_refused(tmp_path: Path, folder: Path) -> None:
    known = write(tmp_path / "l", replace(HEADER, uses=frozenset({Use.GUARD})))
    with pytest.raises(TrustError, match="for guard, not for triage"):
        scanned(Order(paths=[folder], lists=[known]))


def test_what_is_no_list_is_refused(folder: Path) -> None:
    with pytest.raises(ListFormatError):
        scanned(Order(paths=[folder], lists=[folder / "a.jpg"]))


def test_rows_that_cannot_be_written_are_an_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match="--jsonl"):
        scanned(Order(paths=[folder], rows=str(folder)))


class Full(io.StringIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


def test_a_full_disk_and_a_closed_pipe_end_the_scan(folder: Path) -> None:
    order = Order(paths=[folder])
    with pytest.raises(ConfigError, match=r"No space left.*make room"):
        scanned(order, Full(OSError(errno.ENOSPC, "No space left")))
    with pytest.raises(BrokenPipeError):
        scanned(order, Full(BrokenPipeError()))


def test_a_file_of_rows_on_a_full_disk_ends_the_scan(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"No space left.*make room"):
        scanned(Order(paths=[folder], rows="/dev/full"))


def test_without_models_a_scan_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protech.models.registry.PACKAGED", tmp_path / "none")
    err = io.StringIO()
    order = Order(paths=[folder / "d.txt"], workers=1)
    assert scan(order, out=io.StringIO(), err=err) == 0
    assert "no model is installed" in err.getvalue()
