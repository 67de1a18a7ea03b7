"""Our own observer in the big swarm: the adapter of BitTorrent, through its door.

Who is named is spoken to once, and asked for one piece in the same conversation. Authority and
log are left out: their tests are elsewhere, and this process is compared with another program
that has neither.
"""

import asyncio
import resource
import socket
import time
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from protech.lists.fetch_key import parse_key
from protech.locate.adapter import (
    Address,
    Candidate,
    Endpoint,
    Grant,
    Level,
    ListName,
    Sighting,
    Target,
)
from protech.locate.bittorrent.adapter import BitTorrent
from protech.locate.bittorrent.dht import open_dht
from protech.locate.bittorrent.discover import Discovery, Excluded, reachable
from protech.locate.bittorrent.probe import Prober
from protech.locate.door import Door

TERM = timedelta(minutes=5)
CONVERSATIONS = 64
"""At a time, as in a run."""


IN_LAB = reachable(lab=True)


def permit(peer: Endpoint) -> None:
    """Let everything pass that the lab may reach; a namespace has nothing else."""
    assert IN_LAB(peer.address)


async def resolve(host: str) -> tuple[Any, ...]:
    """Return the address that a tracker of the lab has for a name."""
    return (ip_address(host.strip("[]")),)


def targets_of(keys: list[dict[str, object]]) -> tuple[Target, ...]:
    """Return a target for each key, in the order of the list."""
    name = ListName(name="lab", version=1, sha256=bytes(32))
    return tuple(
        Target(entry=f"entry-{i}", number=i, list_name=name, key=parse_key(key))
        for i, key in enumerate(keys)
    )


class TwoDoors(Door):
    """A vantage for each version of addresses, at once; a run has a process for each."""

    six: Address

    def _open(self, kind: socket.SocketKind, peer: Endpoint) -> socket.socket:
        source = self._source
        try:
            if peer.address.version == 6:
                self._source = self.six
            return super()._open(kind, peer)
        finally:
            self._source = source


def chosen_of(spec: Mapping[str, Any]) -> tuple[Target, ...]:
    """Return whom to look for: all keys, or with ``one_key`` the newer of each torrent.

    A hybrid torrent is one to libtorrent; two keys of it would be two looks at each peer.
    """
    targets = targets_of(spec["keys"])
    if not spec.get("one_key"):
        return targets
    return tuple(targets[numbers[-1]] for numbers in spec["numbers"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at all targets: whom we met, and what that showed."""

    adapter: BitTorrent
    slots: asyncio.Semaphore
    grant: Grant | None
    begin: float
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    met: set[tuple[Endpoint, int]] = field(default_factory=set)
    turns: dict[Endpoint, asyncio.Lock] = field(default_factory=dict)
    sightings: dict[tuple[Endpoint, int], tuple[Sighting, Target, float]] = field(
        default_factory=dict
    )
    """What each showed up to now: who keeps us waiting for a piece has claimed, too."""

    def begin_task(self, work: Coroutine[None, None, None]) -> None:
        """Begin to do something."""
        self.tasks.add(asyncio.create_task(work))

    async def ended(self, *, within_s: float) -> None:
        """Wait until everybody has been spoken to, or the time is over."""
        until = time.monotonic() + within_s
        while self.tasks and (left := until - time.monotonic()) > 0:
            done, _ = await asyncio.wait(
                self.tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            self.tasks.difference_update(done)
            for one in done:
                one.result()

    async def target(self, target: Target) -> None:
        """Speak to all who are named for a target."""
        async for candidate in self.adapter.discover(target):
            self.consider(candidate, target)

    def consider(self, candidate: Candidate, target: Target) -> None:
        """Speak to a peer, unless we have."""
        place = (candidate.endpoint, target.number)
        if place not in self.met:
            self.met.add(place)
            self.begin_task(self.meet(candidate, target))

    async def meet(self, candidate: Candidate, target: Target) -> None:
        """Speak to one peer, and ask for a piece where there is leave."""
        # Many clients take one connection of an address at a time, whatever the torrent.
        turn = self.turns.setdefault(candidate.endpoint, asyncio.Lock())
        async with turn, self.slots, self.adapter.probe(candidate, target) as encounter:
            sighting = encounter.sighting
            claimed_s = time.monotonic() - self.begin
            place = (candidate.endpoint, target.number)
            self.sightings[place] = (sighting, target, claimed_s)
            if sighting.level is Level.CLAIMS and self.grant is not None:
                sighting = await self.adapter.prove(encounter, target, self.grant)
        self.sightings[place] = (sighting, target, claimed_s)
        for learnt in sighting.learnt:
            self.consider(learnt, target)


async def watch(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Look at the swarm once, and return every sighting, and what it cost.

    ``prove`` says whether pieces are asked for. It ends when everybody who was named has been
    spoken to, and at the latest after ``seconds``.
    """
    begin, cpu = time.monotonic(), _cpu_s()
    source, six = map(ip_address, spec["source"])
    door = TwoDoors(permit, source=source)
    door.six = six
    nodes = [Endpoint(address=ip_address(host), port=port) for host, port in spec["dht_nodes"]]
    grant = None
    if spec["prove"]:
        grant = Grant(request_sha256=bytes(32), not_after=datetime.now(UTC) + TERM)
    async with open_dht(door, bootstrap=nodes, may_reach=IN_LAB, lab=True) as dht:
        discovery = Discovery(
            door,
            resolve=resolve,
            may_reach=IN_LAB,
            dht=dht,
            excluded=Excluded(ourselves=frozenset({source, six})),
        )
        adapter = BitTorrent(discovery, Prober(door))
        look = Look(
            adapter=adapter,
            slots=asyncio.Semaphore(CONVERSATIONS),
            grant=grant,
            begin=begin,
        )
        for target in chosen_of(spec):
            look.begin_task(look.target(target))
        await look.ended(within_s=spec["seconds"])
        wall_s = time.monotonic() - begin
        return _answer(look, door, _cpu_s() - cpu, wall_s)


def _answer(look: Look, door: Door, cpu_s: float, wall_s: float) -> dict[str, Any]:
    return {
        "sightings": [_row(*one) for one in look.sightings.values()],
        "named": len(look.met),
        "unfinished": len(look.tasks),
        "outcomes": dict(Counter(one.outcome for one, _, _ in look.sightings.values())),
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "connects": door.connects,
    }


def _row(sighting: Sighting, target: Target, claimed_s: float) -> dict[str, Any]:
    return {
        "address": str(sighting.peer.address),
        "port": sighting.peer.port,
        "number": target.number,
        "level": int(sighting.level),
        "transport": sighting.transport,
        "piece": None if sighting.proof is None else sighting.proof.piece,
        "outcome": sighting.outcome,
        "attempts": sighting.attempts,
        "client": sighting.client_name,
        "claimed_s": claimed_s,
        "transcript_bytes": len(sighting.transcript),
    }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
