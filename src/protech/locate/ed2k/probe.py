"""One probe of one eDonkey client: the conversation, and what it shows.

It is held in clear over TCP. A client that wants it obfuscated hangs up on our introduction,
and stays at the first level as ``closed``: the key to obfuscate with is its user hash, which
servers do not tell by datagram.
"""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from protech.errors import AuthorityError
from protech.evidence.transcript import Recorder
from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import (
    Candidate,
    Endpoint,
    Grant,
    Level,
    Network,
    Outcome,
    Sighting,
    Target,
    Transport,
)
from protech.locate.door import Door
from protech.locate.ed2k.aich import Block, blocks_of
from protech.locate.ed2k.judge import judge
from protech.locate.ed2k.messages import HASH_BYTES, PART_BYTES
from protech.locate.ed2k.session import Ended, Session
from protech.locate.links import Limits
from protech.locate.loss import Lost

EMULE_MARKS = ((5, 14), (14, 111))
"""Bytes of a user hash by which clients know each other as eMule's."""

LAST_BYTE = 1 << 32
"""Where ranges of 32 bits end; what lies beyond is not asked for."""


LEAST_BYTES = 128
"""The last block of a file may be short; one shorter than this has too few different bytes."""

LIMITS = Limits(piece_s=60.0)
"""Clients give a place in their queue some 3 KiB a second, and a block has 180 KiB."""


class Conversation:
    """A conversation with a client, as far as it went."""

    def __init__(
        self, candidate: Candidate, target: Target, *, clock: Callable[[], datetime]
    ) -> None:
        """Begin with nothing tried."""
        if not isinstance(target.key, Ed2kFile):
            raise TypeError("the target is none of eDonkey")
        self.key = target.key
        self.candidate = candidate
        self.target = target
        self.recorder = Recorder(Network.ED2K, started_s=time.monotonic())
        self.session: Session | None = None
        self.outcome = Outcome.UNREACHABLE
        self.local: Endpoint | None = None
        self.has_measured = False
        self._clock = clock
        self._started_at = clock()

    @property
    def sighting(self) -> Sighting:
        """What it shows up to now."""
        transcript = self.recorder.finish()
        shown = judge(transcript, self.target)
        outcome = self.outcome
        if self.has_measured and shown.proof is None:
            outcome = Outcome.WEAK_PIECE if shown.is_weak else Outcome.BAD_PIECE
        sighting = Sighting(
            entry=self.target.entry,
            network=Network.ED2K,
            level=shown.level,
            outcome=outcome,
            peer=self.candidate.endpoint,
            local=self.local,
            transport=None if self.local is None else Transport.TCP,
            started_at=self._started_at,
            ended_at=self._clock(),
            sources=(self.candidate.source,),
            attempts=1,
            client_id=shown.user_hash,
            claims=shown.claims,
            proof=shown.proof,
            transcript=transcript,
        )
        hello = None if self.session is None else self.session.hello
        if hello is None or shown.level < Level.HANDSHAKE:
            return sighting
        return replace(sighting, client_name=hello.name or None)


class Prober:
    """Probes clients through one door; eDonkey's half of an ``Adapter``."""

    def __init__(
        self,
        door: Door,
        *,
        limits: Limits | None = None,
        chance: random.Random | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Open nothing yet; arguments as BitTorrent's prober has them."""
        self._door = door
        self._limits = limits or LIMITS
        self._chance = chance or random.SystemRandom()
        self._clock = clock or (lambda: datetime.now(UTC))

    @asynccontextmanager
    async def probe(self, candidate: Candidate, target: Target) -> AsyncIterator[Conversation]:
        """Speak to a client up to what it claims; the conversation ends with the context.

        Raises:
            ConfigError: This machine has no sockets, ports or source address for it.
        """
        conversation = Conversation(candidate, target, clock=self._clock)
        try:
            try:
                conversation.outcome = await self._speak(conversation)
            except AuthorityError:
                conversation.outcome = Outcome.STOPPED
            yield conversation
        finally:
            if conversation.session is not None:
                conversation.session.close()

    async def prove(self, conversation: Conversation, grant: Grant) -> Sighting:
        """Ask for one block in the same conversation, and return all that it shows.

        Raises:
            ConfigError: The system does not lock so much memory for this user.
        """
        session = conversation.session
        is_over = session is None or conversation.outcome is not Outcome.CLAIMED
        if session is None or is_over or self._clock() >= grant.not_after:
            return conversation.sighting
        block = choose(conversation.key, session.parts, conversation.target.weak, self._chance)
        if block is not None:
            try:
                failed = await session.fetch(block)
            except AuthorityError:
                failed = Outcome.STOPPED
            conversation.has_measured = failed is None
            conversation.outcome = failed or Outcome.SERVED
        return conversation.sighting

    async def _speak(self, conversation: Conversation) -> Outcome:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.connect_s
        try:
            link = await self._door.connect(conversation.candidate.endpoint, until=until)
        except Lost as lost:
            conversation.recorder.tried(Transport.TCP, lost.loss.value)
            return Outcome.UNREACHABLE
        except TimeoutError:
            conversation.recorder.tried(Transport.TCP, "timed_out")
            return Outcome.UNREACHABLE
        conversation.recorder.transport = Transport.TCP
        conversation.local = link.local
        session = Session(link, conversation.recorder, conversation.key, limits=self._limits)
        conversation.session = session
        until = loop.time() + self._limits.answer_s
        try:
            await session.greet(fresh_user_hash(), until)
            return await session.hear_claims(until)
        except Ended as ended:
            return ended.outcome


def fresh_user_hash() -> bytes:
    """Return a user hash that nobody has: peers cannot tell two probes for one client."""
    found = bytearray(secrets.token_bytes(HASH_BYTES))
    for at, value in EMULE_MARKS:
        found[at] = value
    return bytes(found)


def choose(
    key: Ed2kFile, parts: frozenset[int], weak: frozenset[int], chance: random.Random
) -> Block | None:
    """Return at random a block of the parts held that can prove something; None for none.

    A last part of one block alone comes with no hashes, unless it is the whole file. Nor do
    clients give any that still lack parts: whoever is proved to has the file has all of it.
    """
    left_out = weak | set(key.weak)
    waiting = [part for part in sorted(parts) if part * PART_BYTES < LAST_BYTE]
    chance.shuffle(waiting)
    for part in waiting:
        blocks = blocks_of(key.size_bytes, part)
        if len(blocks) == 1 and key.size_bytes != blocks[0].size:
            continue
        strong = [
            one
            for one in blocks
            if one.place not in left_out
            and one.start + one.size < LAST_BYTE
            and one.size >= LEAST_BYTES
        ]
        if strong:
            return chance.choice(strong)
    return None
