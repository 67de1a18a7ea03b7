"""Who looks after which target until when: one table, in SQLite or PostgreSQL.

A lease moves the moment at which its target is due behind its term. So a vantage that died
needs nobody to notice: its target is due again by itself. Each lease has a number (a fence)
that only grows; what is done under an old one changes nothing. One statement takes a lease, so
that a kill at any moment leaves a target either due or leased.

The table holds keyed names, times and ciphertext; see ``locate.vault``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from protech.db import Database, Store

FORMAT_VERSION = 1

TERM = timedelta(minutes=10)
"""Longer than a look-up and its probes; whoever needs longer renews."""
GRACE = timedelta(seconds=30)
"""Between the end of a term and a take-over: two machines' clocks may differ so much."""
LATE = timedelta(minutes=15)
"""When a target waits so long for the vantage of its shard, another one takes it."""

SLOTS = 256
"""Parts of the key space that are dealt out among vantages."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TABLE = (
    "CREATE TABLE targets (name {bytes} PRIMARY KEY, slot {number} NOT NULL,"
    " due_ms {number} NOT NULL, fence {number} NOT NULL, state {bytes} NOT NULL){strict}"
)
_ORDER = "CREATE INDEX targets_by_due ON targets (due_ms)"

SQLITE_SCHEMA = (_TABLE.format(bytes="BLOB", number="INTEGER", strict=" STRICT"), _ORDER)
POSTGRES_SCHEMA = (_TABLE.format(bytes="bytea", number="bigint", strict=""), _ORDER)

_ADD = "INSERT INTO targets VALUES (?, ?, ?, 0, ?) ON CONFLICT (name) DO NOTHING"
_TAKE = (
    "WITH due AS MATERIALIZED (SELECT name FROM targets"
    " WHERE due_ms <= ? AND (slot % ? = ? OR due_ms <= ?) ORDER BY due_ms LIMIT ? {lock})"
    " UPDATE targets SET due_ms = ?, fence = fence + 1 WHERE name IN (SELECT name FROM due)"
    " RETURNING name, fence, state"
)
_RENEW = "UPDATE targets SET due_ms = ? WHERE name = ? AND fence = ? RETURNING name"
_SETTLE = (
    "UPDATE targets SET due_ms = ?, fence = fence + 1, state = ? WHERE name = ? AND fence = ?"
    " RETURNING name"
)
_DROP = "DELETE FROM targets WHERE name = ? AND fence = ? RETURNING name"
_FIRST = "SELECT min(due_ms) FROM targets"
_NAMES = "SELECT name FROM targets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Which of ``count`` vantages one is, counted from 0."""

    index: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A target as the table knows it before anybody looked."""

    name: bytes = field(repr=False)
    slot: int
    due_at: datetime
    state: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lease: until ``until`` nobody else has this target."""

    name: bytes = field(repr=False)
    fence: int
    until: datetime
    state: bytes = field(repr=False)


class Leases:
    """The table of one case; safe between processes and, in PostgreSQL, between machines."""

    def __init__(self, store: Store, *, skips_locked: bool) -> None:
        """Take a database that was opened with one of the schemas.

        Args:
            store: The database.
            skips_locked: It is PostgreSQL: rows that another takes now are passed over.
        """
        self._store = store
        self._take = _TAKE.format(lock="FOR UPDATE SKIP LOCKED" if skips_locked else "")

    def plan(self, targets: Iterable[Planned]) -> None:
        """Add the targets that the table does not have; those that it has stay as they are."""
        rows = [(one.name, one.slot, to_ms(one.due_at), one.state) for one in targets]
        if rows:
            self._store.write(_ADD, rows)

    def names(self) -> set[bytes]:
        """Return the names of all targets."""
        return {cast("bytes", name) for (name,) in self._store.read(_NAMES)}

    def take(
        self, now: datetime, *, shard: Shard, most: int = 1, term: timedelta = TERM
    ) -> Sequence[Held]:
        """Lease at most ``most`` targets that are due; those that wait longest first.

        Of other shards only those that are ``LATE``.
        """
        until = now + term
        held = self._store.change(
            self._take,
            (
                to_ms(now),
                shard.count,
                shard.index,
                to_ms(now - LATE),
                most,
                to_ms(until + GRACE),
            ),
        )
        return [
            Held(
                name=cast("bytes", name),
                fence=cast("int", fence),
                until=until,
                state=cast("bytes", state),
            )
            for name, fence, state in held
        ]

    def renew(self, held: Held, now: datetime, *, term: timedelta = TERM) -> Held | None:
        """Return the lease with a new term; None where another has the target by now."""
        until = now + term
        kept = self._store.change(_RENEW, (to_ms(until + GRACE), held.name, held.fence))
        return (
            Held(name=held.name, fence=held.fence, until=until, state=held.state)
            if kept
            else None
        )

    def settle(self, held: Held, *, due_at: datetime, state: bytes) -> bool:
        """End a lease; return whether it still stood, else nothing is changed."""
        values = (to_ms(due_at), state, held.name, held.fence)
        return bool(self._store.change(_SETTLE, values))

    def drop(self, held: Held) -> bool:
        """Take a target out for good; return whether the lease still stood."""
        return bool(self._store.change(_DROP, (held.name, held.fence)))

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def first_due_at(self) -> datetime | None:
        """Return when the next target is due, or its lease runs out; None: there is none."""
        [(due_ms,)] = self._store.read(_FIRST)
        return None if due_ms is None else from_ms(cast("int", due_ms))


def local_leases(path: Path) -> Leases:
    """Return the leases of one machine, in a SQLite file.

    Raises:
        ConfigError: The file cannot be used.
    """
    store = Database.open(path, schema=SQLITE_SCHEMA, version=FORMAT_VERSION)
    return Leases(store, skips_locked=False)


def to_ms(moment: datetime) -> int:
    """Return milliseconds since 1970."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_ms(milliseconds: int) -> datetime:
    """Return the moment of ``to_ms``."""
    return _EPOCH + timedelta(milliseconds=milliseconds)
