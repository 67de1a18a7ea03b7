"""Small private SQLite databases that survive a kill."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from protech.db.values import Row, Value
from protech.errors import ConfigError

BUSY_S = 5.0
"""How long a statement waits for another process that writes."""


class Database:
    """One SQLite file in WAL mode; safe between threads and between processes.

    A change survives a kill when its call returns, and a power failure as well unless the
    caller gave that up; deleted rows are overwritten (``secure_delete``).
    """

    def __init__(self, connection: sqlite3.Connection, *, path: Path) -> None:
        """Take an open connection; ``open`` makes one."""
        self._connection = connection
        self._path = path
        self._lock = Lock()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        schema: Sequence[str],
        version: int,
        survives_power_failure: bool = True,
    ) -> Self:
        """Open or make the database at ``path``, readable by this user alone.

        Args:
            path: The file; missing directories are made, mode 0700.
            schema: Statements that make the tables of a new file.
            version: The version of ``schema``; a file of another one is refused.
            survives_power_failure: Whether each change waits for the disk; without, the last
                ones before a power failure may be lost, whole ones and in order.

        Raises:
            ConfigError: The file is no such database, or cannot be opened.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as refused:
            raise _unusable(path, refused) from refused
        database = cls(connection, path=path)
        try:
            database._prepare(schema, version, "FULL" if survives_power_failure else "NORMAL")
        except BaseException:
            connection.close()
            raise
        return database

    def read(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return every row that ``statement`` gives."""
        with self._guarded():
            return self._connection.execute(statement, values).fetchall()

    def write(self, statement: str, rows: Sequence[Sequence[Value]]) -> None:
        """Carry ``statement`` out for each of ``rows``, all of them or none."""
        with self._guarded(), self._transaction():
            self._connection.executemany(statement, rows)

    def change(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Carry one ``statement`` out, whole or not at all, and return what it gives."""
        with self._guarded(), self._transaction():
            return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        """Return the database itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def _prepare(self, schema: Sequence[str], version: int, synchronous: str) -> None:
        with self._guarded():
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {synchronous}")
            self._connection.execute("PRAGMA secure_delete = ON")
            with self._transaction():
                [(found,)] = self._connection.execute("PRAGMA user_version").fetchall()
                if found == 0:
                    for statement in schema:
                        self._connection.execute(statement)
                    self._connection.execute(f"PRAGMA user_version = {version:d}")
        if found not in (0, version):
            raise ConfigError(
                f"{self._path} was written by another version of Protech (format {found}, this"
                f" one reads {version}); use that version, or move the file away."
            )

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as broken:
                raise _unusable(self._path, broken) from broken

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _unusable(path: Path, cause: Exception) -> ConfigError:
    return ConfigError(
        f"The database {path} cannot be used ({type(cause).__name__}: {cause}); check that the"
        " disk is not full and that the file is yours, or move it away to begin a new one."
    )
