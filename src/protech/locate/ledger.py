"""How many pieces were asked for under each proof request: the limit that operators signed.

One process counts for itself; where several share a case, one table counts for all. Neither
ever lets more go than the limit: a piece counts before it is asked for.
"""

from collections.abc import Mapping
from typing import Protocol

from protech.db import Store

FORMAT_VERSION = 1

_TABLE = "CREATE TABLE pieces (request {bytes} PRIMARY KEY, spent {number} NOT NULL){strict}"

SQLITE_SCHEMA = (_TABLE.format(bytes="BLOB", number="INTEGER", strict=" STRICT"),)
POSTGRES_SCHEMA = (_TABLE.format(bytes="bytea", number="bigint", strict=""),)

_BEGIN = "INSERT INTO pieces VALUES (?, ?) ON CONFLICT (request) DO NOTHING"
_TAKE = "UPDATE pieces SET spent = spent + 1 WHERE request = ? AND spent < ? RETURNING spent"
_GIVE_BACK = (
    "UPDATE pieces SET spent = spent - 1 WHERE request = ? AND spent > 0 RETURNING spent"
)


class Ledger(Protocol):
    """Who counts the pieces of a case."""

    def take(self, request_sha256: bytes, *, limit: int) -> bool:
        """Count one more piece, and return whether that is within the limit."""
        ...

    def give_back(self, request_sha256: bytes) -> None:
        """Count one piece less: none came."""
        ...


class Tally:
    """A ledger of one process; it begins with what the case's log shows."""

    def __init__(self, spent: Mapping[bytes, int] | None = None) -> None:
        """Take what was spent before, by the SHA-256 of each request."""
        self._spent = dict(spent or {})

    def take(self, request_sha256: bytes, *, limit: int) -> bool:
        """Count one more piece, and return whether that is within the limit."""
        spent = self._spent.get(request_sha256, 0)
        if spent >= limit:
            return False
        self._spent[request_sha256] = spent + 1
        return True

    def give_back(self, request_sha256: bytes) -> None:
        """Count one piece less: none came."""
        self._spent[request_sha256] = max(0, self._spent.get(request_sha256, 0) - 1)


class SharedTally:
    """A ledger in a database; safe between processes and, in PostgreSQL, between machines."""

    def __init__(self, store: Store) -> None:
        """Take a database that was opened with one of the schemas."""
        self._store = store

    def take(self, request_sha256: bytes, *, limit: int) -> bool:
        """Count one more piece, and return whether that is within the limit.

        Raises:
            ConfigError: The database cannot be used.
        """
        if self._store.change(_TAKE, (request_sha256, limit)):
            return True
        self._store.write(_BEGIN, [(request_sha256, 0)])
        return bool(self._store.change(_TAKE, (request_sha256, limit)))

    def give_back(self, request_sha256: bytes) -> None:
        """Count one piece less: none came.

        Raises:
            ConfigError: The database cannot be used.
        """
        self._store.change(_GIVE_BACK, (request_sha256,))
