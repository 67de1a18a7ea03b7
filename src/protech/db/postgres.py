"""A PostgreSQL database that several machines share; the only door to psycopg.

It is reached over its Unix socket, or over TLS with a certificate that is verified. What it
keeps is under the case key before it comes here: the server, its backups and its logs see
keyed names, times and ciphertext.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from protech.db.values import Row, Value
from protech.errors import ConfigError

CONNECT_S = 10
STATEMENT_MS = 30_000
"""How long a statement may take, waiting for others included."""

SCHEMA_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

Connection = psycopg.Connection[Row]


class SharedDatabase:
    """One schema of a PostgreSQL database; safe between threads, processes and machines.

    A change is on the server's disk when its call returns. A connection that was lost is made
    anew, once for each call.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        """Take what makes connections; ``open`` does."""
        self._connect = connect
        self._connection = connect()
        self._lock = Lock()

    @classmethod
    def open(cls, where: str, *, name: str, schema: Sequence[str], version: int) -> Self:
        """Open or make the tables of ``schema``.

        Args:
            where: How libpq reaches the database (its keywords and values). A host that is no
                socket's directory must be verified: ``sslmode=verify-full`` is put in, whatever
                a service file or the environment says.
            name: The schema that holds the tables; one a case.
            schema: Statements that make the tables.
            version: The version of ``schema``; tables of another one are refused.

        Raises:
            ConfigError: It cannot be reached, or holds something else; it quotes no address.
        """
        if not SCHEMA_NAME.fullmatch(name):
            raise ConfigError(
                "A shared database keeps a case under a name of small letters, digits and"
                " underscores; choose another name."
            )
        complete = _complete(where)

        def connect() -> Connection:
            try:
                made: Connection = psycopg.connect(complete, autocommit=True)
                made.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(name)))
            except psycopg.Error as refused:
                raise _unusable(refused) from None  # its text names the host
            return made

        database = cls(connect)
        try:
            database._prepare(name, schema, version)
        except BaseException:
            database.close()
            raise
        return database

    def read(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return every row that ``statement`` gives."""
        return self.change(statement, values)

    def write(self, statement: str, rows: Sequence[Sequence[Value]]) -> None:
        """Carry ``statement`` out for each of ``rows``, all of them or none."""

        def carry_out(connection: Connection) -> list[Row]:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(_ours(statement), rows)
            return []

        self._guarded(carry_out)

    def change(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Carry one ``statement`` out, whole or not at all, and return what it gives."""

        def carry_out(connection: Connection) -> list[Row]:
            cursor = connection.execute(_ours(statement), values)
            return cursor.fetchall() if cursor.description else []

        return self._guarded(carry_out)

    def close(self) -> None:
        """Close the connection."""
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
        """Close the connection."""
        self.close()

    def _prepare(self, name: str, schema: Sequence[str], version: int) -> None:
        with _clear(), self._connection.transaction():
            # Two that make the same tables at once would disturb each other.
            self._connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (name,))
            made = sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name))
            self._connection.execute(made)
            self._connection.execute("CREATE TABLE IF NOT EXISTS format (version integer)")
            found = self._connection.execute("SELECT version FROM format").fetchall()
            if not found:
                for statement in schema:
                    self._connection.execute(_ours(statement))
                self._connection.execute("INSERT INTO format VALUES (%s)", (version,))
        if found and found != [(version,)]:
            raise ConfigError(
                "The shared database was written by another version of Protech; use that"
                " version everywhere, or give the case another name there."
            )

    def _guarded(self, carry_out: Callable[[Connection], list[Row]]) -> list[Row]:
        with self._lock, _clear():
            if not self._connection.broken:
                try:
                    return carry_out(self._connection)
                except psycopg.OperationalError:
                    if not self._connection.broken:
                        raise
            self._connection.close()
            self._connection = self._connect()
            return carry_out(self._connection)


def _complete(where: str) -> str:
    """Return what psycopg connects with; a server far away must show who it is."""
    try:
        parameters = conninfo_to_dict(where)
    except psycopg.Error:  # it quotes what it was given, which may hold a password
        raise ConfigError(
            "How to reach the shared database is not written as libpq reads it; write it as"
            " 'host=... dbname=... user=...'."
        ) from None
    # Where the host comes from a service file or the environment it is not seen here; for a
    # socket libpq leaves it out. GSSAPI would take the place of TLS.
    parameters |= {"sslmode": "verify-full", "gssencmode": "disable"}
    parameters.setdefault("connect_timeout", CONNECT_S)
    parameters["options"] = f"-c statement_timeout={STATEMENT_MS} -c synchronous_commit=on"
    parameters["application_name"] = "protech"
    return make_conninfo("", **parameters)


def _ours(statement: str) -> bytes:
    """Return a statement with the placeholders of psycopg; ours have neither sign otherwise."""
    return statement.replace("%", "%%").replace("?", "%s").encode()


@contextmanager
def _clear() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as broken:
        raise _unusable(broken) from None  # it quotes values


def _unusable(cause: psycopg.Error) -> ConfigError:
    what = cause.sqlstate or "no answer"
    return ConfigError(
        f"The shared database cannot be used ({type(cause).__name__}, {what}); check that its"
        " server runs, that it has room, and that this account may use it."
    )
