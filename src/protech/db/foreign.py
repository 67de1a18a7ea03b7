"""SQLite databases that somebody else made."""

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import Self

from protech.db.values import Row, Value
from protech.errors import SourceError

FOREIGN_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1 << 20,  # bytes of one row or value
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 50,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 10,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 8,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
"""Source: SQLite, "Defense Against The Dark Arts" (sqlite.org/security.html)."""

FOREIGN_STATEMENT = re.compile(rb"CREATE (TABLE|VIEW|INDEX|UNIQUE INDEX|TRIGGER) ")
"""How SQLite itself keeps the statements of a schema; anything else it did not write."""

FOREIGN_ROWS = 1024
FOREIGN_SILENCE_S = 20.0
"""How long so many rows of a foreign database may take."""
STEPS = 100_000
"""Instructions of SQLite's machine between two looks at the clock; about a millisecond."""


class ForeignDatabase:
    """A database that somebody else made: read only, and believed in nothing.

    ``open`` it before the process locks itself: that reads nothing of the file. Use it after.
    Only plain tables are read: no view, trigger, function or virtual table runs.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take an open connection; ``open`` makes one."""
        self._connection = connection
        self._deadline_s = 0.0
        self._silence_s = FOREIGN_SILENCE_S

    @classmethod
    def open(cls, descriptor: int, *, silence_s: float = FOREIGN_SILENCE_S) -> Self:
        """Open the database in a file, which must stay as it is meanwhile.

        Raises:
            SourceError: It cannot be opened.
        """
        address = f"file:/proc/self/fd/{descriptor}?mode=ro&immutable=1"
        try:
            connection = sqlite3.connect(address, uri=True, isolation_level=None)
        except sqlite3.Error as refused:
            raise _foreign(refused) from refused
        database = cls(connection)
        for limit, most in FOREIGN_LIMITS.items():
            connection.setlimit(limit, most)
        for name, is_on in _FOREIGN_CONFIG.items():
            if hasattr(sqlite3, name):  # an older SQLite has fewer
                connection.setconfig(getattr(sqlite3, name), is_on)
        for pragma in ("temp_store = MEMORY", "cell_size_check = ON", "mmap_size = 0"):
            connection.execute(f"PRAGMA {pragma}")
        connection.text_factory = bytes  # what it holds may be no UTF-8
        connection.set_authorizer(_authorize)

        def is_late() -> bool:
            return time.monotonic() > database._deadline_s

        database._silence_s = silence_s
        connection.set_progress_handler(is_late, STEPS)
        return database

    def columns(self, table: str) -> tuple[str, ...]:
        """Return the columns of a plain table; none where there is no such table.

        Raises:
            SourceError: The file is no database, or has a table that is not plain.
        """
        schema = "SELECT type, name, sql FROM sqlite_master"
        kinds = {}
        for kind, name, statement in self._answers(schema):
            if statement is not None and not FOREIGN_STATEMENT.match(_bytes(statement)):
                raise SourceError("It has tables that need a program to be read.")
            kinds[_bytes(name).lower()] = kind
        if kinds.get(table.lower().encode()) != b"table":
            return ()
        found = self._answers(f'PRAGMA table_info("{table}")')
        return tuple(_bytes(name).decode(errors="replace") for _, name, *_ in found)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        """Yield the rows of a plain table; text as bytes.

        Equal rows are yielded once where an index tells them apart; memory does not grow.

        Raises:
            SourceError: The file is damaged, or its rows take too long.
        """
        wanted = ", ".join(f'"{name}"' for name in columns)
        distinct = f'SELECT DISTINCT {wanted} FROM "{table}"'  # noqa: S608 - names from our code
        plan = self._answers(f"EXPLAIN QUERY PLAN {distinct}")
        needs_memory = any(b"TEMP B-TREE" in _bytes(step[3]) for step in plan)
        plain = distinct.replace("DISTINCT ", "")
        yield from self._answers(plain if needs_memory else distinct)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _answers(self, statement: str) -> Iterator[Row]:
        try:
            self._deadline_s = time.monotonic() + self._silence_s
            cursor = self._connection.execute(statement)
            while rows := cursor.fetchmany(FOREIGN_ROWS):
                yield from rows
                self._deadline_s = time.monotonic() + self._silence_s
        except (sqlite3.Error, UnicodeDecodeError, MemoryError) as broken:
            # Its messages quote the file, which may be no UTF-8.
            raise _foreign(broken) from None


_FOREIGN_CONFIG = {
    "SQLITE_DBCONFIG_DEFENSIVE": True,
    "SQLITE_DBCONFIG_TRUSTED_SCHEMA": False,
    "SQLITE_DBCONFIG_ENABLE_VIEW": False,
    "SQLITE_DBCONFIG_ENABLE_TRIGGER": False,
    "SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION": False,
    "SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER": False,
    "SQLITE_DBCONFIG_ENABLE_FKEY": False,
}


def _authorize(
    action: int, first: str | None, _: str | None, __: str | None, source: str | None
) -> int:
    """Allow to read tables and to ask for their columns, and that not from within a view."""
    is_reading = action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}
    is_asking = action == sqlite3.SQLITE_PRAGMA and first == "table_info"
    allowed = source is None and (is_reading or is_asking)
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _foreign(cause: Exception) -> SourceError:
    # SQLite's own text may quote a name of the file.
    return SourceError(f"The database cannot be read ({type(cause).__name__}); get it again.")
