"""The main path of ``locate``: peers of a target are found, spoken to, and recorded.

    discover -> inside the jurisdiction? -> polite? -> probe -> leave to prove? -> record

It knows no protocol and decides nothing: the network's adapter says what a conversation shows,
``authority`` what may be sent, ``place`` who is outside, ``limits`` when to leave a peer alone.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from protech.errors import AuthorityError
from protech.locate.adapter import (
    Adapter,
    Candidate,
    Endpoint,
    Grant,
    Level,
    Network,
    Outcome,
    Sighting,
    Source,
    Target,
)
from protech.locate.identify import Watch
from protech.locate.journal import Journal
from protech.locate.leave import Mandate, Manners
from protech.locate.meeting import Meetings
from protech.locate.papers import ClockReading
from protech.locate.place import Gazetteer, Place, Verdict
from protech.locate.records import REPLAYED, counts_record, entry_record, sighting_record
from protech.locate.shared import SharedAddresses

PEERS_PER_LOOK = 5000
"""Who floods a tracker or the exchange between peers with addresses fills this and no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All that an observer is made of."""

    adapters: Mapping[Network, Adapter]
    mandate: Mandate
    manners: Manners
    gazetteer: Gazetteer
    shared: SharedAddresses
    journal: Journal
    watch: Watch
    clock: Callable[[], ClockReading]
    case: str
    run: int
    """The index of the run's record."""
    pseudonym_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one look for one target gave, in numbers."""

    named: int
    outside: int
    not_covered: int
    left_alone: int
    levels: Mapping[Level, int]

    def at_least(self, level: Level) -> int:
        """Return how many conversations reached a level."""
        return sum(count for one, count in self.levels.items() if one >= level)


class Observer:
    """Looks for targets, several at once; what it sees is in the log before a look ends."""

    def __init__(self, parts: Parts) -> None:
        """Take the parts."""
        self._parts = parts
        self._disclosed: set[int] = set()
        self.meetings = Meetings(parts.mandate, parts.manners, clock=parts.clock)

    async def look(self, target: Target) -> Looked:
        """Speak to the peers of a target, record each, and return the numbers.

        Raises:
            AuthorityError: What is about to be sent is not covered any more: nothing was.
            ConfigError: The log cannot be written.
        """
        self._parts.mandate.cover(target)
        look = _Look(self, target)
        try:
            adapter = self._parts.adapters[target.network]
            async with (
                aclosing(adapter.discover(target)) as named,
                asyncio.TaskGroup() as group,
            ):
                look.group = group
                await look.hear(named)
        except BaseExceptionGroup as several:
            raise _first(several) from several
        counts = look.looked()
        told = {
            "entry": target.entry,
            "named": counts.named,
            "outside": counts.outside,
            "not_covered": counts.not_covered,
            "left_alone": counts.left_alone,
            "levels": {f"L{level.value}": count for level, count in counts.levels.items()},
        }
        await self._parts.journal.write(counts_record(told, self._parts.clock()))
        if look.over is not None:
            raise look.over
        return counts

    async def record(
        self, sighting: Sighting, target: Target, place: Place, grant: Grant | None
    ) -> None:
        """Put a conversation into the log, after the entry that it is about."""
        parts = self._parts
        clock = parts.clock()
        records = []
        if sighting.level >= REPLAYED and target.number not in self._disclosed:
            self._disclosed.add(target.number)
            records.append(entry_record(target, parts.watch, clock))
        records.append(
            sighting_record(
                sighting,
                target,
                clock,
                case=parts.case,
                run=parts.run,
                pseudonym_key=parts.pseudonym_key,
                place=place.as_json,
                request_sha256=None if grant is None else grant.request_sha256,
            )
        )
        await parts.journal.write(*records)

    def place_of(self, peer: Endpoint) -> Place:
        """Return where the address of a peer is registered, and whether others are there."""
        parts = self._parts
        crowd = parts.shared.crowd(peer.address, parts.clock().at)
        return parts.gazetteer.place(peer.address, is_shared=crowd.is_shared)

    @property
    def parts(self) -> Parts:
        """What it is made of."""
        return self._parts


class _Look:
    """One look for one target: who was named, by whom, and what came of it."""

    def __init__(self, observer: Observer, target: Target) -> None:
        self.group: asyncio.TaskGroup
        self.over: AuthorityError | None = None
        self._observer = observer
        self._target = target
        self._named: dict[Endpoint, set[Source]] = {}
        self._counts: Counter[str] = Counter()
        self._levels: Counter[Level] = Counter()

    async def hear(self, named: AsyncIterator[Candidate]) -> None:
        """Begin conversations as peers are named, while the run goes on."""
        try:
            async for candidate in named:
                self.consider(candidate)
                if self.over is not None:
                    return
        except AuthorityError as over:
            self.over = over

    def consider(self, candidate: Candidate) -> None:
        """Begin a conversation with a peer, unless there is a reason not to."""
        peer = candidate.endpoint
        if peer in self._named:
            self._named[peer].add(candidate.source)
            return
        if len(self._named) >= PEERS_PER_LOOK or self.over is not None:
            return
        self._named[peer] = {candidate.source}
        place = self._observer.place_of(peer)
        if not self._is_covered(peer):
            self._counts["not_covered"] += 1
        elif place.verdict is Verdict.OUTSIDE:
            self._counts["outside"] += 1
        else:
            self.group.create_task(self._meet(candidate, place))

    def _is_covered(self, peer: Endpoint) -> bool:
        """Whether packets may go to a peer at all."""
        mandate = self._observer.parts.mandate
        try:
            mandate.permit(peer)
        except AuthorityError:
            self._look_whether_over()
            return False
        return True

    def _look_whether_over(self) -> None:
        """Begin nothing more where the whole run is over; what stands is still recorded."""
        try:
            self._observer.parts.mandate.require_open()
        except AuthorityError as over:
            self.over = over

    async def _meet(self, candidate: Candidate, place: Place) -> None:
        parts, target = self._observer.parts, self._target
        met = await self._observer.meetings.meet(
            parts.adapters[target.network],
            candidate,
            target,
            may_prove=place.may_be_proved,
        )
        if met is None:
            self._counts["left_alone"] += 1
            return
        sighting, grant = met
        parts.shared.note(sighting)
        seen = replace(sighting, sources=tuple(sorted(self._named[candidate.endpoint])))
        place = self._observer.place_of(candidate.endpoint)  # who else is there is known now
        await self._observer.record(seen, target, place, grant)
        self._levels[sighting.level] += 1
        if sighting.outcome is Outcome.STOPPED:
            self._look_whether_over()
        for learnt in sighting.learnt:
            self.consider(learnt)

    def looked(self) -> Looked:
        """Return the numbers."""
        return Looked(
            named=len(self._named),
            outside=self._counts["outside"],
            not_covered=self._counts["not_covered"],
            left_alone=self._counts["left_alone"],
            levels=dict(sorted(self._levels.items())),
        )


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first fault of several tasks; the others are of the same kind or follow."""
    found = several.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
