"""Parquet in memory, and how little DuckDB can reach."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from protech.errors import ConfigError
from protech.locate.parquet import Session, Table, write_parquet

COLUMNS = {"a": "BIGINT", "b": "VARCHAR"}


def made(*rows: tuple[int | None, str | None]) -> bytes:
    return write_parquet(({"a": a, "b": b} for a, b in rows), columns=COLUMNS, order=("b", "a"))


def test_rows_come_back_from_several_files_as_one_table() -> None:
    first, second = made((1, "é'\n\""), (None, None)), made((2, "x"))
    assert first[:4] == first[-4:] == b"PAR1"
    with Table([first, second]) as table:
        assert table.rows("SELECT a, b FROM sightings ORDER BY a NULLS LAST") == [
            (1, "é'\n\""),
            (2, "x"),
            (None, None),
        ]
        assert table.rows("SELECT a FROM sightings WHERE b = ?", ("x",)) == [(2,)]


def test_a_file_of_no_rows_is_a_file() -> None:
    with Table([made()]) as table:
        assert table.rows("SELECT count(*) FROM sightings") == [(0,)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '{path}/out.parquet'",
        "ATTACH '{path}/other.db'",
        "EXPORT DATABASE '{path}/dump'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM 'https://198.18.0.1/a.parquet'",
        "SET enable_external_access = true",
        "SET temp_directory = '{path}'",
        "SET lock_configuration = false",
        "SELECT * FROM '/proc/self/fd/0'",
    ],
)
def test_a_session_reaches_no_disk_no_network_and_no_setting(
    statement: str, tmp_path: Path
) -> None:
    with Session([]) as session, pytest.raises(ConfigError, match="cannot be made") as refused:
        session.run(statement.format(path=tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert refused.value.__suppress_context__


def test_what_needs_too_much_memory_is_an_error_and_not_spilled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("protech.locate.parquet._OFF", {"memory_limit": "20MB"})
    with Session([]) as session, pytest.raises(ConfigError, match="OutOfMemory"):
        session.run("SELECT count(*) FROM (SELECT DISTINCT hash(range) FROM range(20000000))")
    assert list(tmp_path.iterdir()) == []


def test_a_hostile_file_is_an_error() -> None:
    whole = made(*((i, "x" * i) for i in range(50)))
    for size in (0, 4, 20, len(whole) - 5):
        with pytest.raises(ConfigError, match="cannot be made"):
            Table([whole[:size]])


TOUCHES_NOTHING = """
from protech.locate.parquet import Table, write_parquet
made = write_parquet(({"a": i} for i in range(1000)), columns={"a": "BIGINT"}, order=("a",))
with Table([made]) as table:
    print(table.rows("SELECT sum(a) FROM sightings")[0][0])
"""


def test_nothing_is_left_in_the_home_the_directory_or_the_temporary_one(
    tmp_path: Path,
) -> None:
    home, here, temporary = (tmp_path / name for name in ("home", "here", "tmp"))
    for one in (home, here, temporary):
        one.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", TOUCHES_NOTHING],
        capture_output=True,
        check=True,
        cwd=here,
        env={
            **os.environ,
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "COVERAGE_PROCESS_CONFIG": "",
        },
    )
    assert ran.stdout == b"499500\n"
    left = [path for one in (home, here, temporary) for path in one.rglob("*")]
    assert left == []
