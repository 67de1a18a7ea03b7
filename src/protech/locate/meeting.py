"""Speaking to one peer about one file: its turn, politeness, operators' leave, one piece."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from weakref import WeakValueDictionary

from protech.errors import AuthorityError
from protech.locate.adapter import (
    Adapter,
    Candidate,
    Endpoint,
    Grant,
    Level,
    Outcome,
    Sighting,
    Target,
)
from protech.locate.leave import Mandate, Manners
from protech.locate.limits import Leave, Reason
from protech.locate.papers import ClockReading

CONVERSATIONS = 64
"""At once, over all targets of one vantage."""

REST_S = 2.0
"""Clients take a while to forget a connection that has ended."""

FULL_S = 0.25
"""Until politeness is asked again where only so many may speak at once."""
FULL_TIMES = 240
"""How often; who is not met then is left for the next look."""

RECEIVED = frozenset({Outcome.SERVED, Outcome.BAD_PIECE, Outcome.WEAK_PIECE})
"""A piece came, whatever it was: the leave to ask for it is spent."""

type Met = tuple[Sighting, Grant | None]
"""What a conversation shows, and under which leave a piece was asked for."""


class Meetings:
    """All conversations of one vantage.

    A client hangs up on a second connection from one address for one torrent, and the two
    info-hashes of a hybrid torrent are one torrent: so one peer is spoken to about one file at
    a time, and rests between two.
    """

    def __init__(
        self,
        mandate: Mandate,
        manners: Manners,
        *,
        clock: Callable[[], ClockReading],
        rest_s: float = REST_S,
    ) -> None:
        """Take who gives leave."""
        self.rest_s = rest_s
        self._mandate = mandate
        self._manners = manners
        self._clock = clock
        self._slots = asyncio.Semaphore(CONVERSATIONS)
        self._turns: WeakValueDictionary[Endpoint, asyncio.Lock] = WeakValueDictionary()

    async def meet(
        self, adapter: Adapter, candidate: Candidate, target: Target, *, may_prove: bool
    ) -> Met | None:
        """Speak to one peer, and ask for a piece where that is allowed.

        None, where politeness has it left alone.
        """
        for _ in range(FULL_TIMES):
            async with self._turn(candidate.endpoint):
                met = await self._converse(adapter, candidate, target, may_prove=may_prove)
            if not isinstance(met, Leave):
                return met
            if met.reason is not Reason.FULL:
                return None
            await asyncio.sleep(FULL_S)
        return None

    @asynccontextmanager
    async def _turn(self, peer: Endpoint) -> AsyncIterator[None]:
        turn = self._turns.setdefault(peer, asyncio.Lock())
        await turn.acquire()
        try:
            async with self._slots:
                yield
        finally:
            asyncio.get_running_loop().call_later(self.rest_s, turn.release)

    async def _converse(
        self, adapter: Adapter, candidate: Candidate, target: Target, *, may_prove: bool
    ) -> Met | Leave:
        peer, manners = candidate.endpoint, self._manners
        grant = None
        await manners.turn(self._now)
        with manners.probing(peer, target, self._now()) as leave:
            if not leave:
                return leave
            async with adapter.probe(candidate, target) as encounter:
                sighting = encounter.sighting
                if sighting.level is Level.CLAIMS and may_prove:
                    grant = self._grant(peer, target)
                if grant is not None:
                    sighting = await adapter.prove(encounter, target, grant)
            manners.end(peer, target, sighting.outcome, self._now())
        if grant is not None and sighting.outcome not in RECEIVED:
            self._mandate.give_back(grant)
            manners.give_back_piece(peer, target, self._now())
        return sighting, grant

    def _grant(self, peer: Endpoint, target: Target) -> Grant | None:
        """Return leave to ask a peer for a piece, where operators and politeness give it."""
        try:
            grant = self._mandate.may_prove(target)
        except AuthorityError:
            return None  # nothing is asked for, and the claim is recorded as one
        if self._manners.begin_piece(peer, target, self._now()):
            return grant
        self._mandate.give_back(grant)
        return None

    def _now(self) -> datetime:
        return self._clock().at
