"""One JSON object of signed metadata, read strictly, each field taken out as it is read."""

import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum

from protech.errors import TrustError

PUBLIC_KEY_BYTES = 32
"""Ed25519 (RFC 8032)."""

DIGEST_BYTES = 32
"""SHA-256."""

LARGEST = (1 << 32) - 1


class Fields:
    """The fields of one object; ``what`` begins the message about one that does not hold."""

    def __init__(
        self, value: object, what: str, *, remedy: str = "its authority must publish it again"
    ) -> None:
        """Take a value out of JSON; it is not changed.

        Raises:
            TrustError: It is no object.
        """
        self._what = what
        self._remedy = remedy
        self._fields = dict(value) if isinstance(value, Mapping) else {}
        if not self._fields:
            raise self.wrong("says nothing that Protech knows")

    def wrong(self, why: str) -> TrustError:
        """Return the error to raise: it quotes nothing of what stands there."""
        return TrustError(f"{self._what} {why}; {self._remedy}.")

    def version(self, expected: int) -> None:
        """Check the version of the format."""
        if self.take("v") != expected:
            raise self.wrong(f"is in another version than {expected}, which this Protech reads")

    def has(self, key: str) -> bool:
        """Whether a field is there and not null."""
        if self._fields.get(key) is None:
            self._fields.pop(key, None)
            return False
        return True

    def take(self, key: str) -> object:
        """Return a field as it is, None where it is not."""
        return self._fields.pop(key, None)

    def left(self) -> dict[str, object]:
        """Return what nobody has read."""
        return self._fields

    def number(self, key: str, *, least: int = 0, most: int = LARGEST) -> int:
        """Read a whole number."""
        value = self.take(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(f"has no whole number from {least} to {most} as '{key}'")
        return value

    def flag(self, key: str) -> bool:
        """Read true or false."""
        value = self.take(key)
        if not isinstance(value, bool):
            raise self.wrong(f"has neither true nor false as '{key}'")
        return value

    def text(self, key: str, *, longest: int) -> str:
        """Read a text that can be shown on one line."""
        value = self.take(key)
        is_text = isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()
        if not isinstance(value, str) or not is_text:
            raise self.wrong(f"has no text of 1 to {longest} printable characters as '{key}'")
        return value

    def choice[T: StrEnum](self, key: str, of: type[T]) -> T:
        """Read one word of a few."""
        value = self.take(key)
        if not isinstance(value, str) or value not in set(of):
            raise self.wrong(f"has none of {', '.join(of)} as '{key}'")
        return of(value)

    def choices[T: StrEnum](self, key: str, of: type[T]) -> frozenset[T]:
        """Read one or more words of a few."""
        value = self.take(key)
        if not isinstance(value, list) or not value or not set(map(str, value)) <= set(of):
            raise self.wrong(f"has no list of one or more of {', '.join(of)} as '{key}'")
        return frozenset(of(one) for one in value)

    def moment(self, key: str) -> datetime:
        """Read a time with its zone (ISO 8601), in UTC."""
        value = self.take(key)
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(value) if isinstance(value, str) else None
            if moment is not None and moment.tzinfo is not None:
                return moment.astimezone(UTC)
        raise self.wrong(f"has no date and time with its zone as '{key}'")

    def digest(self, key: str) -> bytes:
        """Read the lowercase hex of a SHA-256."""
        value = self.take(key)
        try:
            raw = bytes.fromhex(value) if isinstance(value, str) else b""
        except ValueError:
            raw = b""
        if len(raw) != DIGEST_BYTES or raw.hex() != value:
            raise self.wrong(f"has no SHA-256 in lowercase hex as '{key}'")
        return raw

    def key(self, key: str) -> bytes:
        """Read the base64 of a raw public key of Ed25519."""
        value = self.take(key)
        try:
            raw = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
        except (ValueError, binascii.Error):
            raw = b""
        if len(raw) != PUBLIC_KEY_BYTES or base64.b64encode(raw).decode() != value:
            raise self.wrong(f"has no Ed25519 public key in base64 as '{key}'")
        return raw

    def objects(self, key: str, what: str) -> list["Fields"]:
        """Read a list of objects."""
        value = self.take(key)
        if not isinstance(value, list):
            raise self.wrong(f"has no list as '{key}'")
        return [Fields(one, what, remedy=self._remedy) for one in value]
