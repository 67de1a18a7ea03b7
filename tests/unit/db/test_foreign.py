"""Databases of others: read only, believed in nothing."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from protech.db import ForeignDatabase
from protech.errors import SourceError
from tests import rds


@contextmanager
def foreign(path: Path, *, silence_s: float = 20.0) -> Iterator[ForeignDatabase]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with closing(ForeignDatabase.open(descriptor, silence_s=silence_s)) as database:
            yield database
    finally:
        os.close(descriptor)


def test_a_foreign_database_gives_its_plain_tables(tmp_path: Path) -> None:
    rds.script(
        tmp_path / "a", "CREATE TABLE t (a, b TEXT)", "INSERT INTO t VALUES (?, ?)", [(1, "x")]
    )
    with foreign(tmp_path / "a") as database:
        assert database.columns("T") == ("a", "b")
        assert database.columns("other") == ()
        assert list(database.rows("t", ["b", "a"])) == [(b"x", 1)]


def test_equal_rows_of_a_foreign_table_are_one_where_an_index_tells(tmp_path: Path) -> None:
    twice = [(1,), (2,), (1,)]
    for indexed, rows in (("CREATE INDEX i ON t (a)", 2), ("", 3)):
        path = tmp_path / f"of {rows}"
        rds.script(path, f"CREATE TABLE t (a); {indexed}", "INSERT INTO t VALUES (?)", twice)
        with foreign(path) as database:
            assert len(list(database.rows("t", ["a"]))) == rows


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT load_extension('x')",
        "SELECT lower('x')",
        "ATTACH 'other' AS o",
        "INSERT INTO t VALUES (1)",
        "CREATE TEMP TABLE u (a)",
        "PRAGMA writable_schema = 1",
        "SELECT a FROM v",
    ],
)
def test_nothing_else_of_sqlite_can_be_had_from_a_foreign_database(
    statement: str, tmp_path: Path
) -> None:
    rds.script(tmp_path / "a", "CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t")
    with (
        foreign(tmp_path / "a") as database,
        pytest.raises(SourceError, match="cannot be read"),
    ):
        list(database._answers(statement))


def test_a_foreign_database_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    rows = [(at,) for at in range(100_000)]
    rds.script(tmp_path / "a", "CREATE TABLE t (a)", "INSERT INTO t VALUES (?)", rows)
    with (
        foreign(tmp_path / "a", silence_s=-1.0) as database,
        pytest.raises(SourceError, match="cannot be read"),
    ):
        list(database._answers("SELECT a FROM t WHERE a < 0"))


def test_what_a_damaged_foreign_database_says_is_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "a"
    rds.script(path, "CREATE TABLE secret (a)")
    path.write_bytes(
        path.read_bytes().replace(b"CREATE TABLE secret (a)", b"CREATE TABLE \xffsecre ((")
    )
    with foreign(path) as database, pytest.raises(SourceError) as refused:
        database.columns("t")
    assert "secre" not in str(refused.value)
    assert refused.value.__suppress_context__
