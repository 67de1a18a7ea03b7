"""Asking Kad who has a file: nodes nearer and nearer to its MD4, then those for its sources.

It only reads: it introduces itself to nobody, publishes nothing and answers nothing. The first
nodes are the operator's. What nodes name is hearsay: no node is asked the same twice, few in
one network are asked, a look-up ends after so many questions whatever they say, and who may not
be spoken to is never asked.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Address, Endpoint
from protech.locate.door import Door
from protech.locate.ed2k import kad_messages
from protech.locate.ed2k.kad_messages import (
    BOOTSTRAP_ANSWER,
    DATAGRAM_BYTES,
    FIND_ANSWER,
    SEARCH_ANSWER,
    Contact,
)
from protech.locate.ed2k.tags import Malformed
from protech.locate.loss import Lost


@dataclass(frozen=True, slots=True, kw_only=True)
class KadLimits:
    """How a look-up goes on, and where it ends."""

    answer_s: float = 2.0
    more_s: float = 0.3
    """From one datagram of sources to the next: they come in several."""
    at_a_time: int = 3
    questions: int = 60
    """For nodes, in one look-up."""
    searched: int = 10
    """Of the nearest nodes that answered, so many are asked for sources."""
    in_a_network: int = 4
    """Nodes asked with the same first 24 bits of their address: one person may run many."""
    sources: int = 500
    datagrams: int = 20
    """Of one node, to one question."""
    known: int = 500
    apart_s: float = 0.05
    """Between two questions: twenty a second."""


class _Known:
    """The nodes that one look-up knows of, nearest first."""

    def __init__(
        self, file_hash: bytes, limits: KadLimits, may_ask: Callable[[Address], bool]
    ) -> None:
        """Begin with none."""
        self.file_hash = file_hash
        self.limits = limits
        self.may_ask = may_ask
        self.waiting: dict[Endpoint, Contact] = {}
        self.asked: set[Endpoint] = set()
        self.answered: dict[Endpoint, Contact] = {}
        self.networks: Counter[int] = Counter()

    def add(self, contacts: Iterable[Contact]) -> None:
        """Enter those that may be asked, unless they are known."""
        for one in contacts:
            is_known = one.place in self.asked or one.place in self.waiting
            is_full = len(self.waiting) >= self.limits.known
            if not is_known and not is_full and self.may_ask(one.place.address):
                self.waiting[one.place] = one

    def next(self) -> Contact | None:
        """Return the nearest one that was not asked yet, and enter that it is."""
        for one in sorted(self.waiting.values(), key=self.distance):
            del self.waiting[one.place]
            network = int(one.place.address) >> 8
            if self.networks[network] < self.limits.in_a_network:
                self.networks[network] += 1
                self.asked.add(one.place)
                return one
        return None

    def distance(self, one: Contact) -> int:
        """Return how far a node is from the file."""
        return int.from_bytes(one.node_id) ^ int.from_bytes(self.file_hash)

    def nearest(self) -> list[Contact]:
        """Return the nearest of those that answered."""
        return sorted(self.answered.values(), key=self.distance)[: self.limits.searched]


class Kad:
    """Looks for sources through one door."""

    def __init__(
        self,
        door: Door,
        first: Sequence[Endpoint],
        *,
        may_ask: Callable[[Address], bool],
        limits: KadLimits | None = None,
    ) -> None:
        """Ask nobody yet.

        Args:
            door: Every packet goes through it.
            first: The operator's first nodes.
            may_ask: Whether an address may be spoken to.
            limits: Ours by default.
        """
        self.questions = 0
        self._door = door
        self._first = tuple(first)
        self._may_ask = may_ask
        self._limits = limits or KadLimits()
        self._turn = 0.0

    async def sources(self, key: Ed2kFile) -> AsyncGenerator[Endpoint, None]:
        """Yield whom nodes name as having a file; one may come more than once.

        Raises:
            AuthorityError: The authority does not cover the next packet; it was not sent.
            ConfigError: This machine has no sockets, ports or source address for it.
        """
        known = _Known(key.md4, self._limits, self._may_ask)
        for heard in await _all(self._enter(place) for place in self._first):
            known.add(heard)
        await self._approach(known)
        named = 0
        asked = [self._sources_of(one, key) for one in known.nearest()]
        for found in await _all(asked):
            for source in found:
                if named < self._limits.sources:
                    named += 1
                    yield source

    async def _approach(self, known: _Known) -> None:
        """Ask nearer and nearer nodes, until there are none left or it was enough."""
        left = self._limits.questions
        while left > 0:
            nearest = known.nearest()
            is_full = len(nearest) == self._limits.searched
            chosen: list[Contact] = []
            while len(chosen) < min(left, self._limits.at_a_time):
                one = known.next()
                if one is None:
                    break
                # Behind all that will be searched nothing nearer is to be hoped for.
                if not is_full or known.distance(one) < known.distance(nearest[-1]):
                    chosen.append(one)
            if not chosen:
                return
            left -= len(chosen)
            for heard in await _all(self._nodes_of(one, known) for one in chosen):
                known.add(heard)

    async def _enter(self, place: Endpoint) -> list[Contact]:
        """Return the nodes that a first node names, and itself."""
        for op, content in await self._ask(place, kad_messages.bootstrap()):
            if op == BOOTSTRAP_ANSWER:
                with suppress(Malformed):
                    own, found = kad_messages.parse_bootstrap(content)
                    return [*found, Contact(node_id=own, place=place)]
        return []

    async def _nodes_of(self, one: Contact, known: _Known) -> list[Contact]:
        question = kad_messages.find(known.file_hash, one.node_id)
        for op, content in await self._ask(one.place, question):
            if op == FIND_ANSWER:
                with suppress(Malformed):
                    found = kad_messages.parse_found(content, known.file_hash)
                    known.answered[one.place] = one
                    return found
        return []

    async def _sources_of(self, one: Contact, key: Ed2kFile) -> list[Endpoint]:
        found: list[Endpoint] = []
        question = kad_messages.search_sources(key)
        for op, content in await self._ask(one.place, question, most=self._limits.datagrams):
            if op == SEARCH_ANSWER:
                with suppress(Malformed):
                    found += kad_messages.parse_sources(content, key.md4)
        return found[: self._limits.sources]

    async def _ask(
        self, place: Endpoint, question: bytes, *, most: int = 1
    ) -> list[tuple[int, bytes]]:
        """Ask once, and return what comes back: at most so many datagrams of Kad."""
        loop = asyncio.get_running_loop()
        await self._take_turn(loop)
        memory = bytearray(DATAGRAM_BYTES)
        found: list[tuple[int, bytes]] = []
        try:
            socket = self._door.datagrams(place)
        except Lost:
            return found
        try:
            socket.send(question)
            self.questions += 1
            until = loop.time() + self._limits.answer_s
            for _ in range(self._limits.datagrams):
                count = await socket.receive_into(memoryview(memory), until=until)
                with suppress(Malformed):
                    found.append(kad_messages.opened(bytes(memory[:count])))
                    until = loop.time() + self._limits.more_s
                if len(found) == most:
                    break
        except (Lost, TimeoutError):
            return found
        finally:
            socket.close()
        return found

    async def _take_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        turn = max(now, self._turn)
        self._turn = turn + self._limits.apart_s
        await asyncio.sleep(turn - now)


async def _all[T](calls: Iterable[Coroutine[None, None, T]]) -> list[T]:
    """Return what calls at once give; the first that raises ends the others."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
