"""How many pieces were asked for under each proof request: the limit that operators signed.

One process counts for itself; where several share a case, one table counts for all. Neither
ever lets more go than the limit: a piece counts before it is asked for. What the case's log
shows was spent, whoever removes the table.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from protech.db import Store
from protech.locate.meeting import RECEIVED
from protech.locate.vault import Vault

FORMAT_VERSION = 1

_TABLE = "CREATE TABLE pieces (request {bytes} PRIMARY KEY, spent {number} NOT NULL){strict}"

SQLITE_SCHEMA = (_TABLE.format(bytes="BLOB", number="INTEGER", strict=" STRICT"),)
POSTGRES_SCHEMA = (_TABLE.format(bytes="bytea", number="bigint", strict=""),)

_BEGIN = "INSERT INTO pieces VALUES (?, ?) ON CONFLICT (request) DO NOTHING"
_TAKE = "UPDATE pieces SET spent = spent + 1 WHERE request = ? AND spent < ? RETURNING spent"
_GIVE_BACK = (
    "UPDATE pieces SET spent = spent - 1 WHERE request = ? AND spent > 0 RETURNING spent"
)
_KNOW = (
    "INSERT INTO pieces VALUES (?, ?) ON CONFLICT (request) DO UPDATE SET"
    " spent = excluded.spent WHERE pieces.spent < excluded.spent"
)

_UNDER_A_REQUEST = b'"request_sha256":"'


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

    def __init__(self, store: Store, *, vault: Vault) -> None:
        """Take a database that was opened with one of the schemas, and what names requests."""
        self._store = store
        self._vault = vault

    def know(self, spent: Mapping[bytes, int]) -> None:
        """Take what was spent at least, by the SHA-256 of each request.

        Raises:
            ConfigError: The database cannot be used.
        """
        self._store.write(_KNOW, [(self._vault.name(one), n) for one, n in spent.items()])

    def take(self, request_sha256: bytes, *, limit: int) -> bool:
        """Count one more piece, and return whether that is within the limit.

        Raises:
            ConfigError: The database cannot be used.
        """
        name = self._vault.name(request_sha256)
        if self._store.change(_TAKE, (name, limit)):
            return True
        self._store.write(_BEGIN, [(name, 0)])
        return bool(self._store.change(_TAKE, (name, limit)))

    def give_back(self, request_sha256: bytes) -> None:
        """Count one piece less: none came.

        Raises:
            ConfigError: The database cannot be used.
        """
        self._store.change(_GIVE_BACK, (self._vault.name(request_sha256),))


def spent_in(records: Iterable[bytes]) -> Counter[bytes]:
    """Return how many pieces came under each request, by its SHA-256, as records say."""
    spent: Counter[bytes] = Counter()
    for content in records:
        if _UNDER_A_REQUEST not in content:
            continue
        record = json.loads(content)
        if record["kind"] == "sighting" and record["outcome"] in RECEIVED:
            spent[bytes.fromhex(record["request_sha256"])] += 1
    return spent
