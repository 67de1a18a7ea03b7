"""NSRL's databases: read inside the lock, whatever somebody put into one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists.entries import BadEntry, Entry
from protech.lists.formats import nsrl
from tests import rds

ROWS = rds.digests(50)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Entry | BadEntry]:
    with opened(path) as descriptor, closing(nsrl.prepare(descriptor)) as database:
        return list(nsrl.read(database))


def expected(rows: list[rds.Digests] = ROWS) -> set[tuple[bytes, bytes, bytes]]:
    return {tuple(map(bytes.fromhex, row)) for row in rows}  # type: ignore[misc]


def as_set(found: list[Entry | BadEntry]) -> set[tuple[bytes | None, ...]]:
    return {(one.sha256, one.sha1, one.md5) for one in found if isinstance(one, Entry)}


@pytest.mark.parametrize("write", [rds.minimal, rds.full])
def test_every_file_of_a_set_is_one_entry(write: object, tmp_path: Path) -> None:
    write(tmp_path / "rds.db", ROWS)  # type: ignore[operator]
    found = read(tmp_path / "rds.db")
    assert len(found) == len(ROWS)
    assert as_set(found) == expected()


def test_an_older_set_without_sha_256_is_read(tmp_path: Path) -> None:
    rds.script(
        tmp_path / "rds.db",
        "CREATE TABLE FILE (SHA1 TEXT, MD5 TEXT, crc32 TEXT)",
        "INSERT INTO FILE VALUES (?, ?, '')",
        [row[1:] for row in ROWS],
    )
    assert as_set(read(tmp_path / "rds.db")) == {(None, *row[1:]) for row in expected()}


WRONG = ["", "no", None, 17, 1.5, b"\xff" * 3, "x" * 1000, b"\0" * 64]


def test_a_cell_of_another_kind_is_named_and_the_others_kept(tmp_path: Path) -> None:
    sha1, md5 = ROWS[0][1:]
    rows = [(wrong, sha1, md5) for wrong in WRONG]
    rds.script(
        tmp_path / "rds.db",
        "CREATE TABLE FILE (sha256, sha1, md5)",
        "INSERT INTO FILE VALUES (?, ?, ?)",
        [*rows, (None, None, None)],
    )
    found = read(tmp_path / "rds.db")
    assert len([one for one in found if isinstance(one, Entry)]) == len(WRONG)
    bad = [(one.line, one.reason) for one in found if isinstance(one, BadEntry)]
    places = [place for place, wrong in enumerate(WRONG, start=1) if wrong is not None]
    assert bad == [
        *((place, "'sha256' is not 64 hex digits") for place in places),
        (len(WRONG) + 1, "there is no identifier"),
    ]


HOSTILE = {
    "a view of nothing": "CREATE VIEW FILE AS SELECT 'a' AS md5",
    "a view that never ends": "CREATE VIEW FILE AS WITH RECURSIVE n(md5) AS"
    " (SELECT 1 UNION ALL SELECT md5 + 1 FROM n) SELECT md5 FROM n",
    "a virtual table": "CREATE VIRTUAL TABLE FILE USING fts5(md5)",
    "a virtual table beside": "CREATE TABLE FILE (md5); CREATE VIRTUAL TABLE x USING fts5(y)",
    "other columns": "CREATE TABLE FILE (digest TEXT)",
    "computed columns": "CREATE TABLE FILE (x TEXT, md5 TEXT AS (hex(x)))",
    "no table": "CREATE TABLE OTHER (md5 TEXT)",
    "nothing": "",
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_only_plain_tables_are_read(hostile: str, tmp_path: Path) -> None:
    rds.script(tmp_path / "rds.db", HOSTILE[hostile])
    with pytest.raises(ListFormatError, match="NSRL"):
        read(tmp_path / "rds.db")


def test_a_trigger_or_an_index_with_a_program_never_runs(tmp_path: Path) -> None:
    rds.script(
        tmp_path / "rds.db",
        "CREATE TABLE FILE (md5 TEXT); CREATE TABLE t (x);"
        "CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT RAISE(ABORT, 'ran'); END;"
        "CREATE INDEX i ON FILE (lower(md5));",
        "INSERT INTO FILE VALUES (?)",
        [row[2:] for row in ROWS],
    )
    assert {one[2] for one in as_set(read(tmp_path / "rds.db"))} == {
        row[2] for row in expected()
    }


def test_a_row_larger_than_a_mebibyte_ends_the_reading(tmp_path: Path) -> None:
    rds.script(
        tmp_path / "rds.db",
        "CREATE TABLE FILE (md5 TEXT)",
        "INSERT INTO FILE VALUES (?)",
        [(ROWS[0][2],), ("x" * (2 << 20),)],
    )
    with pytest.raises(ListFormatError, match="NSRL"):
        read(tmp_path / "rds.db")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    edits=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=30),
    keep=st.integers(0, 1 << 20) | st.none(),
)
def test_a_damaged_database_is_read_or_refused(
    edits: list[tuple[int, int]], keep: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "rds.db"
    path.unlink(missing_ok=True)
    rds.minimal(path, ROWS)
    content = bytearray(path.read_bytes())
    for place, byte in edits:
        content[place % len(content)] = byte
    path.write_bytes(content[:keep])
    with suppress(ListFormatError):
        assert all(isinstance(one, Entry | BadEntry) for one in read(path))


@given(content=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_any_bytes_are_read_or_refused(content: bytes, tmp_path: Path) -> None:
    for head in (b"", nsrl.MAGIC):
        (tmp_path / "rds.db").write_bytes(head + content)
        with pytest.raises(ListFormatError):
            read(tmp_path / "rds.db")


def test_nothing_of_the_file_is_read_before_the_lock(tmp_path: Path) -> None:
    (tmp_path / "rds.db").write_bytes(nsrl.MAGIC + b"\xff" * 5000)
    with opened(tmp_path / "rds.db") as descriptor:
        nsrl.prepare(descriptor).close()


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as descriptor, pytest.raises(ListFormatError, match="NSRL"):
        nsrl.prepare(descriptor)


LOCKED = """
import sys
from protech.lists.formats import nsrl
from protech.sandbox import lock_down
database = nsrl.prepare(0)
state = lock_down(memory_bytes=256 << 20, channel=1)
print(state.is_locked, sum(1 for _ in nsrl.read(database)), flush=True)
"""


@pytest.mark.parametrize("page", [512, 4096, 65536])
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_set_is_read_inside_the_lock(page: int, mode: str, tmp_path: Path) -> None:
    path = tmp_path / "rds.db"
    rds.script(path, f"PRAGMA page_size = {page}; PRAGMA journal_mode = {mode};")
    rds.minimal(path, rds.digests(3000))
    with path.open("rb") as file:
        shown = subprocess.run(
            [sys.executable, "-c", LOCKED], stdin=file, capture_output=True, check=False
        )
    assert shown.stdout.split() == [b"True", b"3000"], shown.stderr


def test_a_database_is_known_by_its_magic() -> None:
    assert nsrl.matches(nsrl.MAGIC + b"more")
    assert not nsrl.matches(b"SQLite format 2\0")
