"""The main path, over networks that are given: who is met, asked, recorded, and who not."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from protech.errors import AuthorityError, ConfigError
from protech.locate.adapter import (
    Candidate,
    Encounter,
    Endpoint,
    Grant,
    Level,
    Network,
    Outcome,
    Sighting,
    Source,
    Target,
)
from protech.locate.journal import Journal, Record
from protech.locate.observe import PEERS_PER_LOOK, Looked, Observer, Parts, Place
from protech.locate.records import ClockReading
from tests.unit.lists.test_fetch_keys import ALL_KINDS
from tests.unit.locate.test_identify import watch

NOW = datetime(2026, 11, 28, tzinfo=UTC)
WATCH = watch(*ALL_KINDS)
TARGET = WATCH.targets[0]
GRANT = Grant(request_sha256=b"\1" * 32, not_after=NOW + timedelta(days=1))


def peer(last: int) -> Endpoint:
    return Endpoint(address=ip_address("198.18.0.0") + last, port=6881)


def named(last: int, source: Source = Source.TRACKER) -> Candidate:
    return Candidate(endpoint=peer(last), source=source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    sighting: Sighting


class Swarm:
    """A network of given peers; it keeps who was probed and who was asked."""

    network = Network.BITTORRENT

    def __init__(
        self,
        candidates: Sequence[Candidate],
        levels: Mapping[int, Level] | None = None,
        learnt: Mapping[int, Sequence[Candidate]] | None = None,
    ) -> None:
        self.candidates = candidates
        self.levels = {peer(last): level for last, level in (levels or {}).items()}
        self.learnt = {peer(last): tuple(more) for last, more in (learnt or {}).items()}
        self.probed: list[Endpoint] = []
        self.asked: list[Endpoint] = []
        self.open = 0
        self.refuses: Exception | None = None

    async def discover(self, target: Target) -> AsyncIterator[Candidate]:
        for candidate in self.candidates:
            yield candidate
            await asyncio.sleep(0)

    @asynccontextmanager
    async def probe(self, candidate: Candidate, target: Target) -> AsyncIterator[Encounter]:
        if self.refuses is not None:
            raise self.refuses
        at = candidate.endpoint
        self.probed.append(at)
        self.open += 1
        try:
            await asyncio.sleep(0)
            yield Seen(
                sighting=Sighting(
                    entry=target.entry,
                    network=self.network,
                    level=self.levels.get(at, Level.MENTIONED),
                    outcome=Outcome.CLAIMED,
                    peer=at,
                    started_at=NOW,
                    ended_at=NOW,
                    learnt=self.learnt.get(at, ()),
                )
            )
        finally:
            self.open -= 1

    async def prove(self, encounter: Encounter, target: Target, grant: Grant) -> Sighting:
        assert self.open > 0, "the conversation stands while a piece is asked for"
        self.asked.append(encounter.sighting.peer)
        return replace(encounter.sighting, level=Level.DELIVERED, outcome=Outcome.SERVED)


class Kept:
    def __init__(self) -> None:
        self.records: list[Record] = []
        self.is_full = False

    def append(self, records: Sequence[Record]) -> range:
        if self.is_full:
            raise ConfigError("The disk is full.")
        start = len(self.records)
        self.records += records
        return range(start, len(self.records))


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    is_outside: bool = False
    may_be_proved: bool = True

    def as_json(self) -> Mapping[str, object]:
        return {"verdict": "outside" if self.is_outside else "inside"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandated:
    uncovered: frozenset[Endpoint] = frozenset()
    grant: Grant | None = None

    def covers(self, endpoint: Endpoint) -> bool:
        return endpoint not in self.uncovered

    def grant_for(self, target: Target) -> Grant | None:
        return self.grant


class Polite:
    def __init__(self, *, leaves_alone: Sequence[Endpoint] = (), asks: bool = True) -> None:
        self.leaves_alone = leaves_alone
        self.asks = asks
        self.remembered: list[Endpoint] = []

    def may_probe(self, peer: Endpoint, target: Target) -> bool:
        return peer not in self.leaves_alone

    def may_prove(self, peer: Endpoint, target: Target) -> bool:
        return self.asks

    def met(self, sighting: Sighting, target: Target) -> None:
        self.remembered.append(sighting.peer)


class Stage:
    """An observer over given parts, and what it put into its log."""

    def __init__(
        self,
        swarm: Swarm,
        *,
        mandate: Mandated | None = None,
        manners: Polite | None = None,
        places: Mapping[Endpoint, Where] | None = None,
    ) -> None:
        self.log = Kept()
        self.swarm = swarm
        self.manners = manners or Polite()
        self.journal = Journal(self.log)
        places = places or {}

        def place_of(endpoint: Endpoint) -> Place:
            return places.get(endpoint, Where())

        self.observer = Observer(
            Parts(
                adapters={Network.BITTORRENT: swarm},
                mandate=mandate or Mandated(),
                manners=self.manners,
                place_of=place_of,
                journal=self.journal,
                watch=WATCH,
                clock=lambda: ClockReading(at=NOW, is_synchronised=True, error_ms=0.5),
                case="case",
                run=0,
                pseudonym_key=bytes(32),
            )
        )

    def look(self) -> Looked:
        async def looking() -> Looked:
            writing = asyncio.ensure_future(self.journal.running())
            try:
                return await self.observer.look(TARGET)
            finally:
                self.journal.close()
                await asyncio.wait([writing])
                writing.exception()

        return asyncio.run(looking())

    def kinds(self) -> list[object]:
        return [record["kind"] for record in self.log.records]

    def sightings(self) -> list[Record]:
        return [record for record in self.log.records if record["kind"] == "sighting"]


def test_each_peer_is_met_once_and_recorded_with_all_who_named_it() -> None:
    stage = Stage(Swarm([named(1), named(1, Source.DHT), named(2)], {1: Level.CLAIMS}))
    looked = stage.look()
    assert sorted(one.text for one in stage.swarm.probed) == [peer(1).text, peer(2).text]
    assert (looked.named, looked.levels) == (2, {Level.MENTIONED: 1, Level.CLAIMS: 1})
    assert looked.is_live
    by_level = {record["level"]: record for record in stage.sightings()}
    assert by_level[Level.CLAIMS]["sources"] == ["dht", "tracker"]
    assert by_level[Level.CLAIMS]["peer"] == {"address": "198.18.0.1", "port": 6881}


def test_an_entry_is_disclosed_once_and_before_its_sightings() -> None:
    levels = {1: Level.CLAIMS, 2: Level.HANDSHAKE, 3: Level.ANSWERS}
    stage = Stage(Swarm([named(1), named(2), named(3)], levels))
    stage.look()
    assert stage.kinds().count("entry") == 1
    replayed = [i for i, one in enumerate(stage.log.records) if one.get("level", 0) in (2, 3)]
    assert stage.kinds().index("entry") < min(replayed)


def test_a_target_that_nobody_answers_for_is_not_disclosed() -> None:
    stage = Stage(Swarm([named(1)]))
    assert not stage.look().is_live
    assert stage.kinds() == ["sighting", "counts"]


def test_peers_that_others_name_are_met_too() -> None:
    learnt = {1: [named(7, Source.PEX), named(1, Source.PEX)], 7: [named(8, Source.PEX)]}
    stage = Stage(Swarm([named(1)], learnt=learnt))
    assert stage.look().named == 3
    assert [one.text for one in stage.swarm.probed] == [peer(i).text for i in (1, 7, 8)]


def test_who_is_outside_is_counted_and_not_spoken_to() -> None:
    stage = Stage(Swarm([named(1)]), places={peer(1): Where(is_outside=True)})
    assert stage.look().outside == 1
    assert stage.swarm.probed == []
    [counts] = stage.log.records
    assert counts["kind"] == "counts"
    assert "198.18" not in str(counts)


def test_who_is_not_covered_or_left_alone_is_not_spoken_to() -> None:
    stage = Stage(
        Swarm([named(1), named(2)]),
        mandate=Mandated(uncovered=frozenset({peer(1)})),
        manners=Polite(leaves_alone=[peer(2)]),
    )
    looked = stage.look()
    assert (looked.not_covered, looked.left_alone, stage.swarm.probed) == (1, 1, [])


def test_a_piece_is_asked_for_in_the_same_conversation() -> None:
    stage = Stage(Swarm([named(1)], {1: Level.CLAIMS}), mandate=Mandated(grant=GRANT))
    stage.look()
    [sighting] = stage.sightings()
    assert (sighting["level"], sighting["request_sha256"]) == (4, "01" * 32)
    assert stage.swarm.probed == stage.swarm.asked == stage.manners.remembered == [peer(1)]


@pytest.mark.parametrize("level", [Level.MENTIONED, Level.ANSWERS, Level.HANDSHAKE])
def test_who_claims_nothing_is_asked_for_nothing(level: Level) -> None:
    stage = Stage(Swarm([named(1)], {1: level}), mandate=Mandated(grant=GRANT))
    stage.look()
    assert stage.swarm.asked == []


def test_without_leave_without_manners_or_outside_nothing_is_asked_for() -> None:
    def asked(**parts: object) -> list[Endpoint]:
        swarm = Swarm([named(1)], {1: Level.CLAIMS})
        given = {"mandate": Mandated(grant=GRANT), **parts}
        Stage(swarm, **given).look()  # type: ignore[arg-type]
        return swarm.asked

    assert asked() == [peer(1)]
    assert asked(mandate=Mandated()) == []
    assert asked(manners=Polite(asks=False)) == []
    assert asked(places={peer(1): Where(may_be_proved=False)}) == []


def test_a_flood_of_names_ends() -> None:
    stage = Stage(Swarm([named(i) for i in range(PEERS_PER_LOOK + 50)]))
    assert stage.look().named == PEERS_PER_LOOK


def test_what_the_authority_does_not_cover_any_more_ends_the_look() -> None:
    swarm = Swarm([named(1), named(2)])
    swarm.refuses = AuthorityError("The authorisation has expired.")
    stage = Stage(swarm)
    with pytest.raises(AuthorityError, match="expired"):
        stage.look()


def test_a_log_that_cannot_be_written_ends_the_look() -> None:
    stage = Stage(Swarm([named(1)]))
    stage.log.is_full = True
    with pytest.raises(ConfigError, match="disk is full"):
        stage.look()
