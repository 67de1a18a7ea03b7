"""The main path of ``locate``: a target's peers are found, spoken to, and recorded.

    discover -> inside the jurisdiction? -> polite? -> probe -> leave to prove? -> record

It knows no protocol and decides nothing: the network's adapter says what a conversation shows,
``authority`` what may be sent, ``place`` who is outside, ``limits`` when to leave a peer alone.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from protech.locate.adapter import (
    Adapter,
    Candidate,
    Endpoint,
    Grant,
    Level,
    Network,
    Sighting,
    Source,
    Target,
)
from protech.locate.identify import Watch
from protech.locate.journal import Journal
from protech.locate.records import (
    REPLAYED,
    ClockReading,
    counts_record,
    entry_record,
    sighting_record,
)

CONVERSATIONS = 64
"""At once, over all targets of one vantage."""

PEERS_PER_LOOK = 5000
"""Who floods a tracker or the exchange between peers with addresses fills this and no more."""


class Mandate(Protocol):
    """What the authority allows, as far as it is asked here."""

    def covers(self, endpoint: Endpoint) -> bool:
        """Whether packets may go there at all."""
        ...

    def grant_for(self, target: Target) -> Grant | None:
        """Return leave to ask for a piece of a target, where two operators signed it."""
        ...


class Manners(Protocol):
    """What politeness allows; it remembers who was met."""

    def may_probe(self, peer: Endpoint, target: Target) -> bool:
        """Whether this peer may be spoken to about this target now."""
        ...

    def may_prove(self, peer: Endpoint, target: Target) -> bool:
        """Whether this peer may be asked for a piece of this target now."""
        ...

    def met(self, sighting: Sighting, target: Target) -> None:
        """Remember a conversation."""
        ...


class Place(Protocol):
    """Where an address is registered."""

    @property
    def is_outside(self) -> bool:
        """Whether two sources agree that it is outside the jurisdiction."""
        ...

    @property
    def may_be_proved(self) -> bool:
        """Whether it is known to be inside."""
        ...

    def as_json(self) -> Mapping[str, object]:
        """Return it as a record says it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All that an observer is made of."""

    adapters: Mapping[Network, Adapter]
    mandate: Mandate
    manners: Manners
    place_of: Callable[[Endpoint], Place]
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

    @property
    def is_live(self) -> bool:
        """Whether anybody claims or delivered the file."""
        return any(count for level, count in self.levels.items() if level >= Level.CLAIMS)


class Observer:
    """Looks for targets, several at once; what it sees is in the log before a look ends."""

    def __init__(self, parts: Parts) -> None:
        """Take the parts."""
        self._parts = parts
        self._slots = asyncio.Semaphore(CONVERSATIONS)
        self._disclosed: set[int] = set()

    async def look(self, target: Target) -> Looked:
        """Speak to the peers of a target, record each, and return the numbers.

        Raises:
            AuthorityError: What is about to be sent is not covered any more: nothing was.
            ConfigError: The log cannot be written.
        """
        look = _Look(self, target)
        try:
            async with asyncio.TaskGroup() as group:
                look.group = group
                async for candidate in self._parts.adapters[target.network].discover(target):
                    look.consider(candidate)
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
        return counts

    async def meet(
        self, candidate: Candidate, target: Target, place: Place
    ) -> tuple[Sighting, Grant | None]:
        """Speak to one peer, and ask for a piece where that is allowed."""
        adapter = self._parts.adapters[target.network]
        grant = None
        async with self._slots, adapter.probe(candidate, target) as encounter:
            sighting = encounter.sighting
            if sighting.level is Level.CLAIMS and self._may_prove(sighting, target, place):
                grant = self._parts.mandate.grant_for(target)
            if grant is not None:
                sighting = await adapter.prove(encounter, target, grant)
        self._parts.manners.met(sighting, target)
        return sighting, grant

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
                place=place.as_json(),
                request_sha256=None if grant is None else grant.request_sha256,
            )
        )
        await parts.journal.write(*records)

    @property
    def parts(self) -> Parts:
        """What it is made of."""
        return self._parts

    def _may_prove(self, sighting: Sighting, target: Target, place: Place) -> bool:
        return place.may_be_proved and self._parts.manners.may_prove(sighting.peer, target)


class _Look:
    """One look for one target: who was named, by whom, and what came of it."""

    def __init__(self, observer: Observer, target: Target) -> None:
        self.group: asyncio.TaskGroup
        self._observer = observer
        self._target = target
        self._named: dict[Endpoint, set[Source]] = {}
        self._counts: Counter[str] = Counter()
        self._levels: Counter[Level] = Counter()

    def consider(self, candidate: Candidate) -> None:
        """Begin a conversation with a peer, unless there is a reason not to."""
        peer = candidate.endpoint
        if peer in self._named:
            self._named[peer].add(candidate.source)
            return
        if len(self._named) >= PEERS_PER_LOOK:
            return
        self._named[peer] = {candidate.source}
        parts = self._observer.parts
        place = parts.place_of(peer)
        if not parts.mandate.covers(peer):
            self._counts["not_covered"] += 1
        elif place.is_outside:
            self._counts["outside"] += 1
        elif not parts.manners.may_probe(peer, self._target):
            self._counts["left_alone"] += 1
        else:
            self.group.create_task(self._meet(candidate, place))

    async def _meet(self, candidate: Candidate, place: Place) -> None:
        sighting, grant = await self._observer.meet(candidate, self._target, place)
        sources = tuple(sorted(self._named[candidate.endpoint]))
        seen = replace(sighting, sources=sources)
        await self._observer.record(seen, self._target, place, grant)
        self._levels[sighting.level] += 1
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
