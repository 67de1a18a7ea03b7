"""Parquet in memory: DuckDB without a disk, a network, extensions or settings that can change.

The only door to DuckDB. DuckDB's own encryption of Parquet needs an extension that is fetched
from elsewhere, so a file is made and read in memory alone (``memfd_create``) and sealed by
whoever keeps it (``locate.analysis``). No query text comes from outside.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import duckdb

from protech.errors import ConfigError

Cell = str | int | float | bool | None

MEMORY = "512MB"
"""What a query may take; there is nothing it could spill to."""
THREADS = 2

_OFF: Mapping[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "temp_directory": "",
    "memory_limit": MEMORY,
    "threads": str(THREADS),
}


def write_parquet(
    rows: Iterable[Mapping[str, Cell]], *, columns: Mapping[str, str], order: Sequence[str]
) -> bytes:
    """Return rows as one Parquet file (zstd).

    Args:
        rows: Each has a value for each column.
        columns: Names and DuckDB's types.
        order: Columns to sort by: like beside like takes less room.
    """
    with ExitStack() as stack:
        lines, made = (stack.enter_context(_MemoryFile()) for _ in range(2))
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        session = stack.enter_context(Session([lines, made]))
        typed = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
        source = f"read_json('{lines.path}', format='newline_delimited', columns={{{typed}}})"
        session.run(
            f"COPY (SELECT * FROM {source} ORDER BY {', '.join(order)}) TO '{made.path}'"  # noqa: S608 - our own names
            " (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
        )
        return made.content


class Table:
    """Parquet files as one table named ``sightings``, to be asked with SQL of ours."""

    def __init__(self, files: Iterable[bytes]) -> None:
        """Open files that ``write_parquet`` made."""
        with ExitStack() as stack:
            parts = []
            for content in files:
                part = stack.enter_context(_MemoryFile())
                part.write(content)
                parts.append(part)
            self._session = stack.enter_context(Session(parts))
            paths = ", ".join(f"'{part.path}'" for part in parts)
            self._session.run(
                f"CREATE VIEW sightings AS SELECT * FROM read_parquet([{paths}])"  # noqa: S608 - our own names
            )
            self._open = stack.pop_all()

    def rows(self, statement: str, values: Sequence[Cell] = ()) -> list[tuple[Cell, ...]]:
        """Return every row that a statement gives; values stand where ``?`` is.

        Raises:
            ConfigError: It needs more memory than it may take.
        """
        return self._session.run(statement, values)

    def close(self) -> None:
        """Let go of the memory."""
        self._open.close()

    def __enter__(self) -> Self:
        """Return the table itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the memory."""
        self.close()


class Session:
    """A DuckDB that reaches the given memory files and nothing else."""

    def __init__(self, files: Sequence["_MemoryFile"]) -> None:
        """Lock a fresh one; after that not even a statement could unlock it."""
        self._connection = duckdb.connect(":memory:", config=dict(_OFF))
        allowed = ", ".join(f"'{file.path}'" for file in files)
        for statement in (
            f"SET allowed_paths = [{allowed}]",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ):
            self._connection.execute(statement)

    def run(self, statement: str, values: Sequence[Cell] = ()) -> list[tuple[Cell, ...]]:
        """Carry out one statement and return its rows."""
        try:
            rows: list[tuple[Cell, ...]] = self._connection.execute(
                statement, list(values)
            ).fetchall()
        except duckdb.Error as broken:  # its text quotes values
            raise ConfigError(
                f"The analysis cannot be made ({type(broken).__name__}); ask for a shorter"
                f" time: it may take {MEMORY} of memory and no disk."
            ) from None
        return rows

    def __enter__(self) -> Self:
        """Return the session itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self._connection.close()


class _MemoryFile:
    """A file that has no place on any disk."""

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("protech", os.MFD_CLOEXEC)

    @property
    def path(self) -> str:
        """Where this process alone finds it."""
        return f"/proc/self/fd/{self._descriptor}"

    @property
    def content(self) -> bytes:
        """All of it."""
        size = os.fstat(self._descriptor).st_size
        parts, at = [], 0
        while at < size:
            parts.append(os.pread(self._descriptor, size - at, at))
            at += len(parts[-1])
        return b"".join(parts)

    def write(self, content: bytes) -> None:
        """Add to its end."""
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)
