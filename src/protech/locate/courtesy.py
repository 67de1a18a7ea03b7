"""What was asked of whom, remembered across restarts and shared by all vantages of a case.

``turn`` and ``probing`` come before the first packet to a peer, ``end`` after the last one, and
``begin_piece`` before a piece is asked for. A beginning is written before the packet goes, in
one statement that only one vantage can win. A store holds keyed names, times and ciphertext
(``locate.vault``).
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from protech.db import Database, Store
from protech.locate.adapter import Endpoint, Outcome, Target
from protech.locate.leases import from_ms, to_ms
from protech.locate.limits import (
    NEVER,
    Bucket,
    Leave,
    Past,
    Pieces,
    Places,
    Politeness,
    Reason,
    Refused,
    begun,
    ended,
)
from protech.locate.place import plain_address
from protech.locate.schedule import network_key
from protech.locate.vault import Vault

FORMAT_VERSION = 1

KEPT = timedelta(days=1)
"""How long after its pause a mark is kept that limits nothing any more."""

TIDIES_EVERY = 100
TIDIES_AWAY = 300
"""After so many beginnings at most so many old marks go: no pause is long, none stays."""

_TABLE = (
    "CREATE TABLE marks (name {bytes} PRIMARY KEY, not_before_ms {number} NOT NULL,"
    " keep_ms {number} NOT NULL, state {bytes} NOT NULL){strict}"
)
_ORDER = "CREATE INDEX marks_by_keep ON marks (keep_ms)"

SQLITE_SCHEMA = (_TABLE.format(bytes="BLOB", number="INTEGER", strict=" STRICT"), _ORDER)
POSTGRES_SCHEMA = (_TABLE.format(bytes="bytea", number="bigint", strict=""), _ORDER)

_READ = "SELECT name, not_before_ms, state FROM marks WHERE name IN (?, ?)"
_WIN = (
    "INSERT INTO marks VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
    " not_before_ms = excluded.not_before_ms, keep_ms = excluded.keep_ms,"
    " state = excluded.state WHERE marks.not_before_ms <= ? RETURNING name"
)
_SET = (
    "INSERT INTO marks VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
    " not_before_ms = excluded.not_before_ms, keep_ms = excluded.keep_ms,"
    " state = excluded.state"
)
_FORGET = (
    "DELETE FROM marks WHERE name IN (SELECT name FROM marks WHERE keep_ms < ? LIMIT ?)"
    " RETURNING name"
)


class Courtesy:
    """The limits of one vantage; ``dht`` and ``probes`` are its rates."""

    def __init__(self, *, store: Store, vault: Vault, politeness: Politeness) -> None:
        """Take a database that was opened with one of the schemas."""
        self._store = store
        self._vault = vault
        self.politeness = politeness
        self._places = Places(politeness)
        self._begun = 0
        self.dht = Bucket(politeness.dht_queries_per_s)
        self.probes = Bucket(politeness.probes_per_s)

    def may_probe(self, peer: Endpoint, target: Target, now: datetime) -> Leave:
        """Return whether a conversation with a peer about a target may begin."""
        full = self._places.leave(_address(peer), target.number, now)
        return full and self._asked(peer, target, now)[1]

    @contextmanager
    def probing(self, peer: Endpoint, target: Target, now: datetime) -> Iterator[Leave]:
        """Hold a place for a conversation; within, packets may go if the leave is given.

        Whoever was given leave calls ``end`` with what came of it.
        """
        leave = self._begin(peer, target, now)
        if not leave:
            yield leave
            return
        address = _address(peer)
        self._places.enter(address, target.number)
        try:
            yield leave
        finally:
            self._places.leave_place(address, target.number)

    def end(self, peer: Endpoint, target: Target, outcome: Outcome, now: datetime) -> None:
        """Take what came of a conversation."""
        pair, refusals = self._pair(peer, target), self._peer(peer)
        marks = self._marks(pair, refusals)
        past = ended(_past(marks.get(pair, {})), outcome, now, self.politeness)
        self._write(pair, {"attempts": past.attempts}, past.not_before or now)
        if outcome is Outcome.REFUSED:
            counted = _refused(marks.get(refusals, {})).after(outcome)
            self._write(refusals, {"times": counted.times}, now, keep_until=now + NEVER)

    async def turn(self, clock: Callable[[], datetime]) -> None:
        """Wait until this source address may begin one more conversation."""
        while True:
            wait = self.probes.take(clock())
            if not wait:
                return
            await asyncio.sleep(wait.total_seconds())

    def begin_piece(self, peer: Endpoint, target: Target, now: datetime) -> Leave:
        """Write that a piece is asked for, before it is; leave is given to one vantage."""
        name, pieces = self._pieces(peer, target)
        leave = pieces.leave(now, self.politeness)
        if not leave:
            return leave
        after = pieces.after(now, self.politeness)
        until = after.not_before or now
        return self._win(name, {"asked": after.asked}, until, now, keep_until=now + NEVER)

    def give_back_piece(self, peer: Endpoint, target: Target, now: datetime) -> None:
        """Take that no piece came, though one was asked for: it may be asked for again."""
        name, pieces = self._pieces(peer, target)
        content = {"asked": max(0, pieces.asked - 1)}
        self._write(name, content, now, keep_until=now + NEVER)

    def forget(self, now: datetime, *, most: int = TIDIES_AWAY) -> int:
        """Drop marks that limit nothing any more, and return how many."""
        return len(self._store.change(_FORGET, (to_ms(now), most)))

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def _begin(self, peer: Endpoint, target: Target, now: datetime) -> Leave:
        leave = self._places.leave(_address(peer), target.number, now)
        if not leave:
            return leave
        past, leave = self._asked(peer, target, now)
        if not leave:
            return leave
        self._begun += 1
        if self._begun % TIDIES_EVERY == 0:
            self.forget(now)
        after = begun(past, now, self.politeness)
        content = {"attempts": after.attempts}
        return self._win(self._pair(peer, target), content, after.not_before or now, now)

    def _asked(self, peer: Endpoint, target: Target, now: datetime) -> tuple[Past, Leave]:
        pair, refusals = self._pair(peer, target), self._peer(peer)
        marks = self._marks(pair, refusals)
        past = _past(marks.get(pair, {}))
        stopped = _refused(marks.get(refusals, {})).leave(self.politeness)
        return past, stopped and past.leave(now)

    def _pieces(self, peer: Endpoint, target: Target) -> tuple[bytes, Pieces]:
        # By entry: the two info-hashes of a hybrid torrent are one file.
        name = self._vault.name(b"piece", _peer(peer), target.entry.encode())
        mark = self._marks(name, name).get(name, {})
        asked = _number(mark, "asked")
        return name, Pieces(asked=asked, not_before=_not_before(mark))

    def _pair(self, peer: Endpoint, target: Target) -> bytes:
        network = target.network.value.encode()
        parts = (network, network_key(target), target.entry.encode())
        return self._vault.name(b"pair", _peer(peer), *parts)

    def _peer(self, peer: Endpoint) -> bytes:
        return self._vault.name(b"peer", _peer(peer))

    def _marks(self, one: bytes, other: bytes) -> Mapping[bytes, Mapping[str, object]]:
        found = {}
        for name, not_before_ms, state in self._store.read(_READ, (one, other)):
            content = self._vault.open(cast("bytes", state), cast("bytes", name))
            found[cast("bytes", name)] = {**content, "not_before_ms": not_before_ms}
        return found

    def _win(
        self,
        name: bytes,
        content: Mapping[str, object],
        not_before: datetime,
        now: datetime,
        *,
        keep_until: datetime | None = None,
    ) -> Leave:
        """Write a mark unless another vantage wrote one since it was read."""
        row = self._row(name, content, not_before, keep_until)
        if self._store.change(_WIN, (*row, to_ms(now))):
            return Leave(reason=Reason.GIVEN)
        return Leave(reason=Reason.TOO_SOON)

    def _write(
        self,
        name: bytes,
        content: Mapping[str, object],
        not_before: datetime,
        *,
        keep_until: datetime | None = None,
    ) -> None:
        self._store.write(_SET, [self._row(name, content, not_before, keep_until)])

    def _row(
        self,
        name: bytes,
        content: Mapping[str, object],
        not_before: datetime,
        keep_until: datetime | None,
    ) -> tuple[bytes, int, int, bytes]:
        keep_ms = to_ms(keep_until or not_before + KEPT)
        return name, to_ms(not_before), keep_ms, self._vault.seal(content, name)


def local_courtesy(path: Path, *, vault: Vault, politeness: Politeness) -> Courtesy:
    """Return the limits of one machine, remembered in a SQLite file.

    A kill loses none; a power failure may lose those of the last moments.

    Raises:
        ConfigError: The file cannot be used.
    """
    store = Database.open(
        path, schema=SQLITE_SCHEMA, version=FORMAT_VERSION, survives_power_failure=False
    )
    return Courtesy(store=store, vault=vault, politeness=politeness)


def _address(peer: Endpoint) -> bytes:
    return plain_address(peer.address).packed


def _peer(peer: Endpoint) -> bytes:
    return _address(peer) + peer.port.to_bytes(2)


def _past(mark: Mapping[str, object]) -> Past:
    return Past(attempts=_number(mark, "attempts"), not_before=_not_before(mark))


def _refused(mark: Mapping[str, object]) -> Refused:
    return Refused(times=_number(mark, "times"))


def _number(mark: Mapping[str, object], key: str) -> int:
    value = mark.get(key, 0)
    return value if isinstance(value, int) else 0


def _not_before(mark: Mapping[str, object]) -> datetime | None:
    value = mark.get("not_before_ms")
    return from_ms(value) if isinstance(value, int) else None
