"""The main path, over networks that are given: who is met, asked, recorded, and who not."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address

import pytest

from protech.errors import AuthorityError, ConfigError
from protech.locate.adapter import (
    Address,
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
from protech.locate.limits import Leave, Reason
from protech.locate.mmdb import Origin
from protech.locate.observe import PEERS_PER_LOOK, Looked, Observer, Parts
from protech.locate.papers import ClockReading
from protech.locate.place import Gazetteer
from protech.locate.shared import SharedAddresses
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
        self.stops: Mandated | None = None
        self.proves = Level.DELIVERED, Outcome.SERVED

    async def discover(self, target: Target) -> AsyncGenerator[Candidate, None]:
        for candidate in self.candidates:
            yield candidate
            await asyncio.sleep(0)

    @asynccontextmanager
    async def probe(self, candidate: Candidate, target: Target) -> AsyncIterator[Encounter]:
        if self.stops is not None:
            self.stops.is_over = True
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
                    outcome=Outcome.STOPPED if self.stops else Outcome.CLAIMED,
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
        level, outcome = self.proves
        return replace(encounter.sighting, level=level, outcome=outcome)


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


class Mandated:
    """What an authority allows: some peers not, pieces or none, and an end."""

    def __init__(
        self, *, uncovered: Sequence[Endpoint] = (), grant: Grant | None = None
    ) -> None:
        self.uncovered = uncovered
        self.grant = grant
        self.is_over = False
        self.given_back = 0

    def cover(self, target: Target) -> None:
        if target is not TARGET:
            raise AuthorityError("Another list.")

    def permit(self, endpoint: Endpoint) -> None:
        self.require_open()
        if endpoint in self.uncovered:
            raise AuthorityError("Not there.")

    def require_open(self) -> None:
        if self.is_over:
            raise AuthorityError("The authorisation has expired.")

    def may_prove(self, target: Target) -> Grant:
        if self.grant is None:
            raise AuthorityError("No request.")
        return self.grant

    def give_back(self, grant: Grant) -> None:
        self.given_back += 1


class Polite:
    """Manners that are given: who is left alone, and how often there is no room at first."""

    def __init__(
        self,
        *,
        leaves_alone: Sequence[Endpoint] = (),
        asks: bool = True,
        full: int = 0,
    ) -> None:
        self.leaves_alone = leaves_alone
        self.asks = asks
        self.full = full
        self.turns = 0
        self.given_back = 0
        self.ended: list[tuple[Endpoint, Outcome]] = []

    async def turn(self, clock: Callable[[], datetime]) -> None:
        assert clock() == NOW
        self.turns += 1

    @contextmanager
    def probing(self, peer: Endpoint, target: Target, now: datetime) -> Iterator[Leave]:
        if self.full:
            self.full -= 1
            yield Leave(reason=Reason.FULL)
        else:
            yield Leave(reason=Reason.TOO_SOON if peer in self.leaves_alone else Reason.GIVEN)

    def give_back_piece(self, peer: Endpoint, target: Target, now: datetime) -> None:
        self.given_back += 1

    def end(self, peer: Endpoint, target: Target, outcome: Outcome, now: datetime) -> None:
        self.ended.append((peer, outcome))

    def begin_piece(self, peer: Endpoint, target: Target, now: datetime) -> Leave:
        return Leave(reason=Reason.GIVEN if self.asks else Reason.TOO_SOON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A database of places; it knows the countries of some addresses."""

    name: str
    countries: Mapping[Address, str]
    day: date

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.name.encode()).digest()

    def origin(self, address: Address) -> Origin:
        return Origin(country=self.countries.get(address, "FR"))


class Stage:
    """An observer over given parts, and what it put into its log."""

    def __init__(
        self,
        swarm: Swarm,
        *,
        mandate: Mandated | None = None,
        manners: Polite | None = None,
        countries: tuple[Mapping[Endpoint, str], Mapping[Endpoint, str]] = ({}, {}),
    ) -> None:
        self.log = Kept()
        self.swarm = swarm
        self.manners = manners or Polite()
        self.mandate = mandate or Mandated()
        self.journal = Journal(self.log)
        tables = [
            Table(
                name=str(i),
                day=NOW.date(),
                countries={at.address: one for at, one in known.items()},
            )
            for i, known in enumerate(countries)
        ]
        self.observer = Observer(
            Parts(
                adapters={Network.BITTORRENT: swarm},
                mandate=self.mandate,
                manners=self.manners,
                gazetteer=Gazetteer(jurisdiction=frozenset({"FR"}), databases=tables),
                shared=SharedAddresses(),
                journal=self.journal,
                watch=WATCH,
                clock=lambda: ClockReading(at=NOW, is_synchronised=True, error_ms=0.5),
                case="case",
                run=0,
                pseudonym_key=bytes(32),
            )
        )

        self.observer.meetings.rest_s = 0

    def look(self, target: Target = TARGET) -> Looked:
        async def looking() -> Looked:
            writing = asyncio.ensure_future(self.journal.running())
            try:
                return await self.observer.look(target)
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
    assert (looked.at_least(Level.ANSWERS), looked.at_least(Level.DELIVERED)) == (1, 0)
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
    assert stage.look().at_least(Level.ANSWERS) == 0
    assert stage.kinds() == ["sighting", "counts"]


def test_peers_that_others_name_are_met_too() -> None:
    learnt = {1: [named(7, Source.PEX), named(1, Source.PEX)], 7: [named(8, Source.PEX)]}
    stage = Stage(Swarm([named(1)], learnt=learnt))
    assert stage.look().named == 3
    assert [one.text for one in stage.swarm.probed] == [peer(i).text for i in (1, 7, 8)]


def test_who_is_outside_is_counted_and_not_spoken_to() -> None:
    abroad = {peer(1): "DE"}
    stage = Stage(Swarm([named(1)]), countries=(abroad, abroad))
    assert stage.look().outside == 1
    assert stage.swarm.probed == []
    [counts] = stage.log.records
    assert counts["kind"] == "counts"
    assert "198.18" not in str(counts)


def test_who_is_not_covered_or_left_alone_is_not_spoken_to() -> None:
    stage = Stage(
        Swarm([named(1), named(2)]),
        mandate=Mandated(uncovered=[peer(1)]),
        manners=Polite(leaves_alone=[peer(2)]),
    )
    looked = stage.look()
    assert (looked.not_covered, looked.left_alone, stage.swarm.probed) == (1, 1, [])


def test_a_piece_is_asked_for_in_the_same_conversation() -> None:
    stage = Stage(Swarm([named(1)], {1: Level.CLAIMS}), mandate=Mandated(grant=GRANT))
    stage.look()
    [sighting] = stage.sightings()
    assert (sighting["level"], sighting["request_sha256"]) == (4, "01" * 32)
    assert stage.swarm.probed == stage.swarm.asked == [peer(1)]
    assert stage.manners.ended == [(peer(1), Outcome.SERVED)]
    assert stage.mandate.given_back == 0


def test_several_peers_at_one_address_are_flagged() -> None:
    neighbour = Candidate(endpoint=replace(peer(1), port=7000), source=Source.TRACKER)
    swarm = Swarm([named(1), neighbour], {1: Level.CLAIMS})
    swarm.levels[neighbour.endpoint] = Level.CLAIMS
    stage = Stage(swarm)
    stage.look()
    [_, second] = stage.sightings()
    assert "shared" in str(second["place"])


def test_a_target_that_is_not_covered_is_not_looked_for() -> None:
    stage = Stage(Swarm([named(1)]))
    with pytest.raises(AuthorityError, match="Another list"):
        stage.look(WATCH.targets[1])
    assert (stage.swarm.probed, stage.log.records) == ([], [])


def test_a_flood_of_names_ends() -> None:
    stage = Stage(Swarm([named(i) for i in range(PEERS_PER_LOOK + 50)]))
    assert stage.look().named == PEERS_PER_LOOK


def test_what_the_authority_does_not_cover_any_more_ends_the_look() -> None:
    swarm = Swarm([named(1), named(2)])
    mandate = swarm.stops = Mandated()
    stage = Stage(swarm, mandate=mandate)
    with pytest.raises(AuthorityError, match="expired"):
        stage.look()
    assert stage.sightings() != []


def test_a_log_that_cannot_be_written_ends_the_look() -> None:
    stage = Stage(Swarm([named(1)]))
    stage.log.is_full = True
    with pytest.raises(ConfigError, match="disk is full"):
        stage.look()
