"""Which target is looked for when: hourly while somebody shares it, daily while nobody does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Target
from protech.locate.leases import (
    FORMAT_VERSION,
    SLOTS,
    TERM,
    Held,
    Leases,
    Planned,
    Shard,
)
from protech.locate.vault import Vault

HOT = timedelta(minutes=15)
"""After a new delivery: whoever shares it is there now."""
LIVE = timedelta(hours=1)
DEAD = timedelta(days=1)
"""The longest pause: a file comes back to life within a day, or it can wait."""

JITTER = 0.1
"""Share of a pause that is added or left out, so that targets do not march in step."""

AT_ONCE = 64
"""Targets of a vantage's new list that are due at once; the others come after them."""
SPREAD = timedelta(seconds=0.4)
"""Between the first look-ups of two targets of one vantage: 80 queries at 200 a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one look-up of a target came to, in numbers alone.

    ``answered`` peers gave a valid handshake (level 2); ``delivered`` ones a piece that this
    case did not have from them before.
    """

    named: int = 0
    answered: int = 0
    claimed: int = 0
    delivered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a target is looked for, and how its last look-ups went."""

    pause: timedelta = timedelta()
    looked_up: int = 0
    quiet: int = 0
    """Look-ups in a row at which nobody answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Leave to look for one target until a moment; ``number`` is its place in the list."""

    number: int
    until: datetime
    pace: Pace
    held: Held = field(repr=False)


def next_pace(pace: Pace, result: Result) -> Pace:
    """Return the pace after a look-up; pure.

    Nobody answered: twice the pause, from an hour up to a day. Somebody did: an hour. A new
    delivery: a quarter of an hour, once.
    """
    looked_up = pace.looked_up + 1
    if result.delivered:
        return Pace(pause=HOT, looked_up=looked_up)
    if result.answered:
        return Pace(pause=LIVE, looked_up=looked_up)
    pause = min(max(LIVE, pace.pause * 2), DEAD) if pace.quiet else LIVE
    return Pace(pause=pause, looked_up=looked_up, quiet=pace.quiet + 1)


class Schedule:
    """The targets of one vantage's list, and the leases that it shares with others."""

    def __init__(
        self, *, leases: Leases, vault: Vault, targets: Sequence[Target], shard: Shard
    ) -> None:
        """Name the targets; ``plan`` brings them into the table."""
        self._leases = leases
        self._vault = vault
        self._shard = shard
        self._targets: Mapping[bytes, Target] = {
            vault.name(*_identity(one)): one for one in targets
        }

    def plan(self, now: datetime) -> int:
        """Bring new targets into the table, and return how many; others keep their times."""
        known = self._leases.names()
        fresh = sorted(self._targets.keys() - known)  # as good as drawn by lot
        self._leases.plan(
            Planned(
                name=name,
                slot=self._slot(self._targets[name]),
                due_at=now + self._first_wait(i),
                state=self._vault.seal(_written(Pace()), name),
            )
            for i, name in enumerate(fresh)
        )
        return len(fresh)

    def due(self, now: datetime, *, most: int = 1, term: timedelta = TERM) -> list[Lease]:
        """Lease targets that are due; none where none is.

        Raises:
            TrustError: What the table holds was changed, or is of another case.
        """
        leases = []
        for held in self._leases.take(now, shard=self._shard, most=most, term=term):
            pace = _read(self._vault.open(held.state, held.name))
            target = self._targets.get(held.name)
            if target is None:  # no longer listed, or listed in a version still to come here
                self._settle(held, pace, now + DEAD)
                continue
            lease = Lease(number=target.number, until=held.until, pace=pace, held=held)
            leases.append(lease)
        return leases

    def done(self, lease: Lease, result: Result, now: datetime) -> bool:
        """End a look-up; False where the lease had run out and another vantage took it."""
        pace = next_pace(lease.pace, result)
        return self._settle(lease.held, pace, now + _jittered(pace, lease.held.name))

    def renew(self, lease: Lease, now: datetime) -> Lease | None:
        """Return the lease with a new term; None where another vantage has the target."""
        held = self._leases.renew(lease.held, now)
        return None if held is None else replace(lease, held=held, until=held.until)

    def give_back(self, lease: Lease, now: datetime) -> bool:
        """End a lease without a result; the target is due at once."""
        return self._settle(lease.held, lease.pace, now)

    def first_due_at(self) -> datetime | None:
        """Return when a target is due next, of whichever vantage; None: there is none."""
        return self._leases.first_due_at()

    def close(self) -> None:
        """Close the table."""
        self._leases.close()

    def _first_wait(self, place: int) -> timedelta:
        """Return how long the target at a place in a new list waits, shared by all vantages."""
        count = self._shard.count
        return max(0, place + 1 - AT_ONCE * count) * SPREAD / count

    def _settle(self, held: Held, pace: Pace, due_at: datetime) -> bool:
        state = self._vault.seal(_written(pace), held.name)
        return self._leases.settle(held, due_at=due_at, state=state)

    def _slot(self, target: Target) -> int:
        """Return the part of the key space of an info-hash: one vantage has all its files."""
        return self._vault.name(b"slot", network_key(target))[0] % SLOTS


def _identity(target: Target) -> tuple[bytes, ...]:
    """Return what a target stays the same target by, whatever version its list has."""
    index = 0 if isinstance(target.key, Ed2kFile) else target.key.file_index
    network = target.network.value.encode()
    return b"target", network, network_key(target), str(index).encode(), target.entry.encode()


def network_key(target: Target) -> bytes:
    """Return what the network looks a target up by: its info-hash, or eD2k's MD4."""
    key = target.key
    return key.md4 if isinstance(key, Ed2kFile) else key.info_hash


def _jittered(pace: Pace, name: bytes) -> timedelta:
    """Return the pause, longer or shorter by up to a tenth; each time and target another."""
    chance = (name[pace.looked_up % len(name)] / 255) * 2 - 1
    return pace.pause * (1 + JITTER * chance)


def _written(pace: Pace) -> dict[str, object]:
    return {
        "v": FORMAT_VERSION,
        "pause_s": pace.pause.total_seconds(),
        "looked_up": pace.looked_up,
        "quiet": pace.quiet,
    }


def _read(state: Mapping[str, object]) -> Pace:
    numbers = {key: value for key, value in state.items() if isinstance(value, int | float)}
    return Pace(
        pause=timedelta(seconds=numbers.get("pause_s", 0)),
        looked_up=int(numbers.get("looked_up", 0)),
        quiet=int(numbers.get("quiet", 0)),
    )
