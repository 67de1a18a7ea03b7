"""Reads the fields of a record, which our own log has verified before; pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from protech.errors import SourceError


class Fields:
    """One JSON object, read strictly; ``where`` says of which record, in messages."""

    def __init__(self, values: Mapping[str, object], where: str) -> None:
        """Read ``values``; nothing of them is ever quoted."""
        self.values = values
        self._where = where

    def text(self, name: str) -> str:
        """Return a text."""
        return self._of(name, str)

    def text_or_none(self, name: str) -> str | None:
        """Return a text, or None where it is null or not there."""
        return None if self.values.get(name) is None else self._of(name, str)

    def number(self, name: str) -> int:
        """Return a whole number."""
        value = self._of(name, int)
        if isinstance(value, bool):
            raise self.refused(name)
        return value

    def number_or_none(self, name: str) -> int | None:
        """Return a whole number, or None where it is null or not there."""
        return None if self.values.get(name) is None else self.number(name)

    def amount_or_none(self, name: str) -> float | None:
        """Return a number, or None where it is null or not there."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refused(name)
        return float(value)

    def flag(self, name: str) -> bool:
        """Return true or false."""
        return self._of(name, bool)

    def moment(self, name: str) -> datetime:
        """Return a moment in UTC."""
        try:
            found = datetime.fromisoformat(self._of(name, str))
        except ValueError:
            raise self.refused(name) from None
        if found.tzinfo is None:
            raise self.refused(name)
        return found

    def digest_or_none(self, name: str) -> bytes | None:
        """Return bytes written in hex, or None where it is null or not there."""
        text = self.text_or_none(name)
        if text is None:
            return None
        try:
            return bytes.fromhex(text)
        except ValueError:
            raise self.refused(name) from None

    def inner(self, name: str) -> "Fields":
        """Return an object inside this one."""
        return Fields(self._of(name, dict), self._where)

    def inner_or_none(self, name: str) -> "Fields | None":
        """Return an object inside this one, or None where it is null or not there."""
        return None if self.values.get(name) is None else self.inner(name)

    def items(self, name: str) -> Sequence[object]:
        """Return an array; empty where it is null or not there."""
        if self.values.get(name) is None:
            return ()
        return self._of(name, list)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return an array of texts; empty where it is not there."""
        found = self.items(name)
        if not all(isinstance(one, str) for one in found):
            raise self.refused(name)
        return tuple(cast("Sequence[str]", found))

    def objects(self, name: str) -> "tuple[Fields, ...]":
        """Return an array of objects; empty where it is not there."""
        found = self.items(name)
        if not all(isinstance(one, Mapping) for one in found):
            raise self.refused(name)
        return tuple(
            Fields(one, self._where) for one in cast("Sequence[Mapping[str, object]]", found)
        )

    def _of[T](self, name: str, kind: type[T]) -> T:
        value = self.values.get(name)
        if not isinstance(value, kind):
            raise self.refused(name)
        return value

    def refused(self, name: str) -> SourceError:
        """Return the error of a field that is not as this version reads it."""
        return SourceError(
            f"The report cannot be made: {self._where} has no '{name}' in the form that this"
            " version reads. Use the version of Protech that the run's record names."
        )
