"""Who is named for a listed torrent: its trackers and the DHT, asked at once; names only.

Only the trackers that the signed key names are asked, each no more often than it wants. What
cannot be a peer, ourselves and other observers are dropped and counted: a list of peers is
hearsay, and half of it may be poisoned.
"""

import asyncio
import secrets
import ssl
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import Protocol

from protech.lists.fetch_key import TorrentFile, TorrentTree
from protech.locate.adapter import Address, Candidate, Endpoint, Source, Target
from protech.locate.bittorrent.recent import Asked, Recent
from protech.locate.bittorrent.tracker import (
    INFO_HASH_BYTES,
    PEER_ID_BYTES,
    WANTED_PEERS,
    Announce,
    Answer,
    Said,
    Tracker,
    parse_tracker,
)
from protech.locate.bittorrent.trackers import Resolve, Ways, visit
from protech.locate.papers import AddressRange
from protech.locate.reach import EVERYWHERE, LAB, NOWHERE, ranges

CLIENT = b"-PR0100-"
"""What we call ourselves to trackers (BEP 20)."""

DHT = "dht"
"""What the DHT is called beside the addresses of trackers."""

DUE = 1 << 18
"""Times at which trackers may be asked again, remembered at most; beyond, none is asked."""


class Nodes(Protocol):
    """The DHT, as ``dht.Dht`` asks it."""

    def peers(self, info_hash: bytes) -> AsyncIterator[tuple[Endpoint, ...]]:
        """Yield the peers that nodes name."""
        ...


class Dropped(StrEnum):
    """Why a name was not passed on."""

    IMPOSSIBLE = "impossible"
    """No peer has such an address or port."""
    NOT_REACHABLE = "not_reachable"
    """Its address is none that may be spoken to."""
    OURSELVES = "ourselves"
    OBSERVER = "observer"
    """It is in a range that another observer has made known."""
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverLimits:
    """How much is asked and believed for one target."""

    tracker_s: float = 15.0
    trackers: int = 8
    """Asked at a time."""
    tracker_peers: int = WANTED_PEERS
    """Of one answer: what goes beyond was not asked for."""
    dht_peers: int = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """Whom nobody looks for: ourselves, and ranges of other observers."""

    ourselves: frozenset[Address] = field(default=frozenset(), repr=False)
    observers: tuple[AddressRange, ...] = field(default=(), repr=False)


def reachable(*, lab: bool, barred: Iterable[AddressRange] = ()) -> Callable[[Address], bool]:
    """Return whether addresses may be spoken to: as the gate sees it, which raises instead.

    Args:
        lab: Whether loopback and the ranges of laboratories are meant, or the Internet.
        barred: What the authority bars besides.
    """
    allowed, never = (LAB, ()) if lab else (EVERYWHERE, NOWHERE)
    return within(allowed, less=(*never, *barred))


def within(
    allowed: Iterable[AddressRange], *, less: Iterable[AddressRange] = ()
) -> Callable[[Address], bool]:
    """Return whether addresses are in ranges and not in others."""
    allowed, less = tuple(allowed), tuple(less)
    by_version = {version: ranges(version, allowed, less) for version in (4, 6)}

    def is_within(address: Address) -> bool:
        firsts, lasts = by_version[address.version]
        at = bisect_right(firsts, int(address)) - 1
        return at >= 0 and int(address) <= lasts[at]

    return is_within


class Discovery:
    """Asks trackers and the DHT, and remembers when each may be asked again."""

    def __init__(
        self,
        ways: Ways,
        *,
        resolve: Resolve,
        may_reach: Callable[[Address], bool],
        dht: Nodes | None = None,
        excluded: Excluded | None = None,
        limits: DiscoverLimits | None = None,
        trust: ssl.SSLContext | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        """Ask nobody yet.

        Args:
            ways: The door.
            resolve: What a tracker's name leads to; its packets must be permitted, too.
            may_reach: Whether an address may be spoken to: ``reachable``.
            dht: None where only trackers are asked.
            excluded: Whom nobody looks for.
            limits: Ours by default.
            trust: Whom to trust in TLS; the system's store by default.
            now: A clock in seconds, for the trackers' intervals.
        """
        self.dropped: Counter[Dropped] = Counter()
        self.said: Counter[Said] = Counter()
        """How asking trackers ended."""
        self.left_behind = 0
        """Trackers that did not confirm that we have stopped."""
        self._ways, self._resolve, self._may_reach = ways, resolve, may_reach
        self._dht = dht
        self._excluded = excluded or Excluded()
        self._is_observer = within(self._excluded.observers)
        self._limits = limits or DiscoverLimits()
        self._trust = trust
        self._now = now
        self._due: dict[Asked, float] = {}
        self._recent = Recent()

    async def discover(self, target: Target) -> AsyncGenerator[Candidate, None]:
        """Yield who is named for a target, each once for each kind of source.

        Whoever stops early closes it (``contextlib.aclosing``): what is asked then ends.

        Raises:
            AuthorityError: The authority does not cover the next packet; it was not sent.
            TypeError: The target is none of BitTorrent.
        """
        key = target.key
        if not isinstance(key, TorrentFile | TorrentTree):
            raise TypeError("the target is of another network")
        search = _Search(asyncio.Queue())
        turns = asyncio.Semaphore(self._limits.trackers)
        work = [self._ask(url, key, search, turns) for url in dict.fromkeys(key.trackers)]
        if self._dht is not None:
            work.append(self._look_up(self._dht, key.info_hash[:INFO_HASH_BYTES], search))
        tasks = [asyncio.create_task(one) for one in work]
        for task in tasks:
            task.add_done_callback(search.found.put_nowait)
        left = len(tasks)
        try:
            while left:
                one = await search.found.get()
                if isinstance(one, Candidate):
                    yield one
                else:
                    left -= 1
                    one.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(
        self,
        url: str,
        key: TorrentFile | TorrentTree,
        search: "_Search",
        turns: asyncio.Semaphore,
    ) -> None:
        """Ask one tracker if that is due, or take what it said just before."""
        tracker = parse_tracker(url)
        if tracker is None:
            return
        asked = (url, key.info_hash[:INFO_HASH_BYTES])
        async with self._recent.turn(asked), turns:
            named = self._recent.find(asked, self._now())
            if named is None and self._take(asked):
                named = await self._visit(tracker, asked, left_bytes=key.size_bytes)
                self._recent.keep(asked, self._now(), named)
            self._pass_on(named or (), Source.TRACKER, search)

    def _take(self, asked: Asked) -> bool:
        """Return whether a tracker may be asked now."""
        now = self._now()
        if self._due.get(asked, now) > now:
            return False
        if len(self._due) >= DUE:
            self._due = {place: at for place, at in self._due.items() if at > now}
        return len(self._due) < DUE

    async def _visit(
        self, tracker: Tracker, asked: Asked, *, left_bytes: int
    ) -> tuple[Endpoint, ...]:
        """Ask a tracker over each version of addresses that it has; return whom it named."""
        places = await self._places(tracker)
        if not places:
            self.said[Said.NO_ADDRESS] += 1
        named: list[Endpoint] = []
        for address in places:
            said = Announce(
                info_hash=asked[1],
                peer_id=CLIENT + secrets.token_bytes(PEER_ID_BYTES - len(CLIENT)),
                key=secrets.token_bytes(4),
                left_bytes=left_bytes,
            )
            answer = await visit(
                self._ways,
                tracker,
                address,
                said,
                timeout_s=self._limits.tracker_s,
                trust=self._trust,
            )
            self._due[asked] = self._now() + answer.interval_s
            named += self._possible(answer, said.port)
        return tuple(named)

    async def _places(self, tracker: Tracker) -> list[Address]:
        """Return one address of each version that a tracker has and that may be reached."""
        found = [one for one in await self._resolve(tracker.host) if self._may_reach(one)]
        by_version = {one.version: one for one in reversed(found)}
        return [by_version[version] for version in sorted(by_version)]

    def _possible(self, answer: Answer, port: int) -> list[Endpoint]:
        """Return whom an answer names, without ourselves and what was not asked for."""
        self.said[answer.said] += 1
        self.left_behind += not answer.withdrawn
        self.dropped[Dropped.IMPOSSIBLE] += answer.dropped
        peers = answer.peers[: self._limits.tracker_peers]
        self.dropped[Dropped.TOO_MANY] += len(answer.peers) - len(peers)
        ours = self._excluded.ourselves | {answer.ourselves}
        others = [one for one in peers if one.port != port or one.address not in ours]
        self.dropped[Dropped.OURSELVES] += len(peers) - len(others)
        return others

    async def _look_up(self, dht: Nodes, info_hash: bytes, search: "_Search") -> None:
        asked = (DHT, info_hash)
        async with self._recent.turn(asked):
            if (known := self._recent.find(asked, self._now())) is not None:
                self._pass_on(known, Source.DHT, search)
                return
            found: dict[Endpoint, None] = {}
            async for named in dht.peers(info_hash):
                new = [one for one in named if one not in found]
                peers = new[: self._limits.dht_peers - len(found)]
                self.dropped[Dropped.TOO_MANY] += len(new) - len(peers)
                found |= dict.fromkeys(peers)
                self._pass_on(peers, Source.DHT, search)
            self._recent.keep(asked, self._now(), tuple(found))

    def _pass_on(self, peers: Iterable[Endpoint], source: Source, search: "_Search") -> None:
        for peer in peers:
            if not self._may_reach(peer.address):
                self.dropped[Dropped.NOT_REACHABLE] += 1
            elif self._is_observer(peer.address):
                self.dropped[Dropped.OBSERVER] += 1
            else:
                search.add(Candidate(endpoint=peer, source=source))


class _Search:
    """What was found for one target, and is not yet passed on; tasks that ended come last."""

    def __init__(self, found: "asyncio.Queue[Candidate | asyncio.Task[None]]") -> None:
        self.found = found
        self._known: set[Candidate] = set()

    def add(self, candidate: Candidate) -> None:
        """Pass on what is new."""
        if candidate not in self._known:
            self._known.add(candidate)
            self.found.put_nowait(candidate)
