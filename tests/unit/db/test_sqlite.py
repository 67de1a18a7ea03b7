"""The door to SQLite: private files, whole transactions, clear refusals."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from protech.db import Database
from protech.errors import ConfigError

SCHEMA = ("CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT",)
ADD = "INSERT INTO numbers VALUES (?)"
ALL = "SELECT number FROM numbers ORDER BY number"

ENDLESS_WRITER = f"""
import sys
from pathlib import Path
from protech.db import Database
database = Database.open(Path(sys.argv[1]), schema={SCHEMA!r}, version=1)
number = 0
while True:
    database.write({ADD!r}, [(number,)])
    print(number, flush=True)
    number += 1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "numbers.sqlite"


def test_what_was_written_is_read_after_opening_again(path: Path) -> None:
    for _ in range(2):
        with Database.open(path, schema=SCHEMA, version=1) as database:
            database.write("INSERT OR IGNORE INTO numbers VALUES (?)", [(1,), (2,)])
            assert database.read(ALL) == [(1,), (2,)]


def test_the_file_is_its_users_alone(path: Path) -> None:
    Database.open(path, schema=SCHEMA, version=1).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_write_is_whole_or_not_at_all(path: Path) -> None:
    with Database.open(path, schema=SCHEMA, version=1) as database:
        database.write(ADD, [(1,)])
        with pytest.raises(ConfigError):
            database.write(ADD, [(2,), (1,)])
        assert database.read(ALL) == [(1,)]


def test_a_change_gives_what_it_changed_and_is_kept(path: Path) -> None:
    with Database.open(path, schema=SCHEMA, version=1, survives_power_failure=False) as one:
        one.write(ADD, [(1,), (2,)])
        add = "UPDATE numbers SET number = number + 10 WHERE number > ? RETURNING number"
        assert one.change(add, (1,)) == [(12,)]
        with pytest.raises(ConfigError):
            one.change("UPDATE numbers SET number = 1")
    with Database.open(path, schema=SCHEMA, version=1) as again:
        assert again.read(ALL) == [(1,), (12,)]


def test_another_version_is_refused(path: Path) -> None:
    Database.open(path, schema=SCHEMA, version=2).close()
    with pytest.raises(ConfigError, match="another version"):
        Database.open(path, schema=SCHEMA, version=1)


def test_a_file_that_is_no_database_is_refused_and_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but a text of some length" * 100)
    with pytest.raises(ConfigError, match="cannot be used"):
        Database.open(path, schema=SCHEMA, version=1)
    assert path.read_bytes().startswith(b"not a database")


def test_a_directory_in_its_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be used"):
        Database.open(path, schema=SCHEMA, version=1)


def test_threads_and_a_second_process_write_side_by_side(path: Path) -> None:
    with (
        Database.open(path, schema=SCHEMA, version=1) as one,
        Database.open(path, schema=SCHEMA, version=1) as other,
    ):

        def fill(database: Database, start: int) -> None:
            for i in range(start, 80, 4):
                database.write(ADD, [(i,)])

        threads = [
            threading.Thread(target=fill, args=(database, start))
            for start, database in enumerate([one, other, one, other])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.read(ALL) == [(i,) for i in range(80)]


def test_a_kill_loses_nothing_that_was_confirmed(path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", ENDLESS_WRITER, os.fspath(path)], stdout=subprocess.PIPE
    )
    with writer:
        assert writer.stdout is not None
        for _ in range(20):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        last = int((writer.stdout.readlines() or [b"19"])[-1])
    with Database.open(path, schema=SCHEMA, version=1) as database:
        kept = [number for (number,) in database.read(ALL)]
    assert kept[: last + 1] == list(range(last + 1))


def test_deleted_rows_leave_the_file(path: Path) -> None:
    with Database.open(
        path, schema=("CREATE TABLE words (word TEXT) STRICT",), version=1
    ) as database:
        database.write("INSERT INTO words VALUES (?)", [("remembered" * 20,)])
        database.write("DELETE FROM words", [()])
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert b"remembered" not in path.read_bytes()
