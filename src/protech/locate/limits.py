"""How politely peers and the network are asked; pure: whoever asks gives the time.

A listed file's peers are mostly people's own machines, and the DHT is everybody's. What is
asked of each is bounded here; ``locate.courtesy`` remembers it across restarts.
Source: research on polite rates (rqbit's default for the DHT), BEP 5.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from protech.locate.adapter import Outcome
from protech.locate.proposal import SEPARATION, SIGHTINGS

NEVER = timedelta(days=36_500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Politeness:
    """Every limit of one vantage, that is of one source address."""

    dht_queries_per_s: float = 250.0
    probes_per_s: float = 50.0
    probe_pause: timedelta = timedelta(hours=6)
    """Between two conversations with one peer about one target that came to something."""
    retries: tuple[timedelta, ...] = (timedelta(minutes=10), timedelta(hours=1))
    """After each attempt at which a peer was busy or away; then ``probe_pause`` (6 hours)."""
    refusals: int = 3
    """A peer that refused so often is left alone for good, for whichever target."""
    pieces: int = SIGHTINGS
    """Pieces of one file from one peer in a case: what a subscriber request needs, no more."""
    piece_pause: timedelta = SEPARATION
    """Between two of them: sooner, the second would prove nothing that the first did not."""
    concurrent: int = 64
    concurrent_per_address: int = 8
    """Conversations at once; several peers may be behind an address."""
    concurrent_per_target: int = 64
    targets: int = 128
    """Held at once: being looked up, or their peers spoken to. Most of that is waiting."""
    probes_per_target_per_h: int = 2000
    """A poisoned tracker may name millions: what one file may cost."""

    @property
    def attempts(self) -> int:
        """Attempts at a busy peer before the long pause."""
        return len(self.retries) + 1


class Reason(StrEnum):
    """Why a packet may go or not."""

    GIVEN = "given"
    TOO_SOON = "too_soon"
    STOPPED = "stopped"
    """The peer refused us for good."""
    SPENT = "spent"
    """All pieces that this case may ask of it were asked for."""
    FULL = "full"
    """As many conversations as may be at once, or in this hour about this target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """An answer: truthy where leave is given, else with the reason and when to ask again."""

    reason: Reason
    again_at: datetime | None = None

    def __bool__(self) -> bool:
        """Return whether leave is given."""
        return self.reason is Reason.GIVEN


GIVEN = Leave(reason=Reason.GIVEN)

BUSY = frozenset({Outcome.UNREACHABLE, Outcome.SILENT, Outcome.CLOSED, Outcome.CHOKED})
"""What passes by itself: a peer without free places, or not there just now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was asked of one peer about one target: attempts in a row that found it busy."""

    attempts: int = 0
    not_before: datetime | None = None

    def leave(self, now: datetime) -> Leave:
        """Return whether it may be asked at ``now``."""
        if self.not_before is not None and now < self.not_before:
            return Leave(reason=Reason.TOO_SOON, again_at=self.not_before)
        return GIVEN


def begun(past: Past, now: datetime, politeness: Politeness) -> Past:
    """Return the past once an attempt begins; a kill in the middle counts as a busy peer."""
    attempts = past.attempts + 1
    if attempts > len(politeness.retries):
        return Past(not_before=now + politeness.probe_pause)
    return Past(attempts=attempts, not_before=now + politeness.retries[attempts - 1])


def ended(past: Past, outcome: Outcome, now: datetime, politeness: Politeness) -> Past:
    """Return the past after an attempt that ``begun`` was told of."""
    if outcome is Outcome.STOPPED or (outcome in BUSY and past.attempts):
        return past
    return Past(not_before=now + politeness.probe_pause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """How often a peer refused us."""

    times: int = 0

    def leave(self, politeness: Politeness) -> Leave:
        """Return whether it may be asked anything at all."""
        return Leave(reason=Reason.STOPPED) if self.times >= politeness.refusals else GIVEN

    def after(self, outcome: Outcome) -> "Refused":
        """Return the count after one more conversation."""
        return replace(self, times=self.times + 1) if outcome is Outcome.REFUSED else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Pieces of one file that one peer was asked for, in this case."""

    asked: int = 0
    not_before: datetime | None = None

    def leave(self, now: datetime, politeness: Politeness) -> Leave:
        """Return whether it may be asked for one."""
        if self.asked >= politeness.pieces:
            return Leave(reason=Reason.SPENT)
        if self.not_before is not None and now < self.not_before:
            return Leave(reason=Reason.TOO_SOON, again_at=self.not_before)
        return GIVEN

    def after(self, now: datetime, politeness: Politeness) -> "Pieces":
        """Return the count once a piece is asked for, whether it comes or not."""
        return Pieces(asked=self.asked + 1, not_before=now + politeness.piece_pause)


class Bucket:
    """At most ``per_s`` acts a second in the long run, and ``burst`` at once.

    Whoever takes more than a burst together goes into debt, and waits longer next time. It
    starts empty, so that a program which dies and starts over and over asks no more.
    """

    def __init__(self, per_s: float, *, burst: float | None = None) -> None:
        """Set the rate; ``burst`` is a tenth of a second's worth, or one, unless said."""
        self._per_s = per_s
        self._most = max(1.0, per_s / 10) if burst is None else burst
        self._level = 0.0
        self._at: datetime | None = None

    def take(self, now: datetime, acts: float = 1) -> timedelta:
        """Take leave for ``acts`` and return zero, or how long to wait before asking again."""
        if self._at is not None and now > self._at:
            gained = (now - self._at).total_seconds() * self._per_s
            self._level = min(self._most, self._level + gained)
        if self._at is None or now > self._at:  # a clock set back gives nothing
            self._at = now
        needed = min(acts, self._most)
        if self._level >= needed:
            self._level -= acts
            return timedelta()
        wait = timedelta(seconds=(needed - self._level) / self._per_s)
        return max(wait, timedelta(milliseconds=1))  # never none by rounding


class Places:
    """Conversations that go on now, and those of this hour for each target."""

    def __init__(self, politeness: Politeness) -> None:
        """Begin with none."""
        self._politeness = politeness
        self._addresses: Counter[bytes] = Counter()
        self._targets: Counter[int] = Counter()
        self._hour: datetime | None = None
        self._this_hour: Counter[int] = Counter()

    @property
    def taken(self) -> int:
        """How many go on."""
        return self._addresses.total()

    def leave(self, address: bytes, target: int, now: datetime) -> Leave:
        """Return whether one more may begin."""
        limits = self._politeness
        if self._hour is None or not timedelta() <= now - self._hour < timedelta(hours=1):
            self._hour, self._this_hour = now, Counter()
        is_free = (
            self.taken < limits.concurrent
            and self._addresses[address] < limits.concurrent_per_address
            and self._targets[target] < limits.concurrent_per_target
        )
        if not is_free:
            return Leave(reason=Reason.FULL)
        if self._this_hour[target] >= limits.probes_per_target_per_h:
            return Leave(reason=Reason.FULL, again_at=self._hour + timedelta(hours=1))
        return GIVEN

    def enter(self, address: bytes, target: int) -> None:
        """Begin one."""
        self._addresses[address] += 1
        self._targets[target] += 1
        self._this_hour[target] += 1

    def leave_place(self, address: bytes, target: int) -> None:
        """End one."""
        self._addresses[address] -= 1
        self._targets[target] -= 1
        self._addresses += Counter()  # drops those at zero
        self._targets += Counter()
