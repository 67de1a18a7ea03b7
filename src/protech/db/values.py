"""What a database gives and takes."""

from collections.abc import Sequence
from typing import Protocol

Value = str | int | float | bytes | None
Row = tuple[Value, ...]


class Store(Protocol):
    """A database of ours, whichever keeps it; statements have ``?`` where values go."""

    def read(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return every row that ``statement`` gives."""
        ...

    def write(self, statement: str, rows: Sequence[Sequence[Value]]) -> None:
        """Carry ``statement`` out for each of ``rows``, all of them or none."""
        ...

    def change(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Carry one ``statement`` out, whole or not at all, and return what it gives."""
        ...

    def close(self) -> None:
        """Close it."""
        ...
