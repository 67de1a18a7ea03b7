"""One probe of one peer: which transport reaches it, the conversation, and what it shows."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime

from protech.errors import AuthorityError
from protech.locate.adapter import Candidate, Grant, Outcome, Sighting, Target, Transport
from protech.locate.bittorrent import pieces, reach
from protech.locate.bittorrent.conversation import Conversation, Now
from protech.locate.bittorrent.reach import Called, Reach
from protech.locate.bittorrent.session import Session
from protech.locate.door import Door
from protech.locate.links import Ended, HungUp, Limits
from protech.locate.loss import Loss, Lost


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


class Probe:
    """A conversation for as long as a ``with`` lasts."""

    # No generator: it would cost a tenth of a probe.
    __slots__ = ("_conversation", "_speak")

    def __init__(
        self,
        conversation: Conversation,
        speak: Callable[[Conversation], Coroutine[None, None, Outcome]],
    ) -> None:
        """Begin nothing yet."""
        self._conversation = conversation
        self._speak = speak

    async def __aenter__(self) -> Conversation:
        conversation = self._conversation
        try:
            conversation.outcome = await self._speak(conversation)
        except AuthorityError:
            conversation.outcome = Outcome.STOPPED
            self._close()
        except BaseException:
            self._close()
            raise
        return conversation

    async def __aexit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._conversation.session is not None:
            self._conversation.session.close()


class Prober:
    """Probes peers through one door; BitTorrent's half of an ``Adapter``."""

    def __init__(
        self,
        door: Door,
        *,
        limits: Limits | None = None,
        chance: random.Random | None = None,
        clock: Now = now,
    ) -> None:
        """Open nothing yet.

        Args:
            door: Every packet goes through it.
            limits: How long peers are waited for.
            chance: Chooses pieces; the system's random numbers by default.
            clock: Gives the time in UTC.
        """
        self._limits = limits or Limits()
        self._reach = Reach(door, self._limits)
        self._chance = chance or random.SystemRandom()
        self._clock = clock

    def probe(self, candidate: Candidate, target: Target) -> "Probe":
        """Speak to a peer up to what it claims; the conversation ends with the context.

        Entering it raises ``ConfigError`` where this machine has no sockets, ports or source
        address for it.
        """
        return Probe(Conversation(candidate, target, clock=self._clock), self.speak)

    async def prove(self, conversation: Conversation, grant: Grant) -> Sighting:
        """Ask for one piece in the same conversation, and return all that it shows.

        Nothing is asked for after the grant's term, of a peer that claims nothing that could
        prove anything, or where the conversation is over.

        Raises:
            ConfigError: The system does not lock so much memory for this user.
        """
        session = conversation.session
        if (
            session is None
            or conversation.outcome is not Outcome.CLAIMED
            or self._clock() >= grant.not_after
        ):
            return conversation.sighting
        weak = conversation.target.weak | set(conversation.key.weak)
        choice = pieces.choose(conversation.key, session.held.places(), weak, self._chance)
        if choice is not None:
            try:
                failed = await pieces.prove(session, choice)
            except AuthorityError:
                failed = Outcome.STOPPED
            conversation.has_measured = failed is None
            conversation.outcome = failed or Outcome.SERVED
        return conversation.sighting

    async def speak(self, conversation: Conversation) -> Outcome:
        """Hold a conversation up to what the peer claims, and return how it ended.

        Where the peer hangs up on a plain handshake it may want encryption, or may have
        accepted TCP without meaning to speak over it.

        Raises:
            AuthorityError: Nothing may be sent to it, or nothing more.
            ConfigError: This machine has no sockets, ports or source address for it.
        """
        called = await self._reach.plain(conversation)
        if called is None:
            return Outcome.UNREACHABLE
        waiting = reach.INSTEAD[called.transport]
        while called is not None:
            try:
                return await self._converse(conversation, called)
            except HungUp as hung_up:
                conversation.failed(called.transport, hung_up.loss)
                if hung_up.loss is Loss.RESET and called.transport is Transport.TCP:
                    waiting = waiting[::-1]  # it did not read what we sent
            called.link.close()
            called = None
            while waiting and called is None:
                transport, *rest = waiting
                waiting = tuple(rest)
                called = await self._reach.by(transport, conversation)
                if called is not None and called.transport is Transport.UTP:
                    waiting = (Transport.UTP_MSE,)
        return Outcome.CLOSED

    async def _converse(self, conversation: Conversation, called: Called) -> Outcome:
        link = called.link
        session = Session(link, conversation.hearing, conversation.key, limits=self._limits)
        conversation.session = session
        until = asyncio.get_running_loop().time() + self._limits.answer_s
        try:
            await session.greet(called.first, until, is_sent=called.is_sent)
            return await session.hear_claims(until)
        except Lost:
            return Outcome.CLOSED
        except Ended as ended:
            session.close()
            return ended.outcome
