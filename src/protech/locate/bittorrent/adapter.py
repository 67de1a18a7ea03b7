"""BitTorrent as the rest of ``locate`` sees it: who is named, what a peer claims, one piece."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from protech.locate.adapter import Candidate, Encounter, Grant, Network, Sighting, Target
from protech.locate.bittorrent.conversation import Conversation
from protech.locate.bittorrent.probe import Prober


class Discovers(Protocol):
    """Who names peers, as ``discover.Discovery`` does."""

    def discover(self, target: Target) -> AsyncGenerator[Candidate, None]:
        """Yield peers that are named for a target as they come."""
        ...


class BitTorrent:
    """The adapter of BitTorrent."""

    network = Network.BITTORRENT

    def __init__(self, discovery: Discovers, prober: Prober) -> None:
        """Join who is named and who is spoken to."""
        self._discovery = discovery
        self._prober = prober

    def discover(self, target: Target) -> AsyncGenerator[Candidate, None]:
        """Yield peers that are named for a target as they come; the same one may come again."""
        return self._discovery.discover(target)

    def probe(
        self, candidate: Candidate, target: Target
    ) -> AbstractAsyncContextManager[Conversation]:
        """Speak to a peer up to what it claims; the conversation ends with the context."""
        return self._prober.probe(candidate, target)

    async def prove(self, encounter: Encounter, target: Target, grant: Grant) -> Sighting:
        """Ask for one piece of the target in the same conversation.

        Raises:
            ConfigError: The system does not lock so much memory for this user.
            TypeError: The conversation is none of this adapter's, or about another target.
        """
        if not isinstance(encounter, Conversation) or encounter.target is not target:
            raise TypeError("the conversation is none of this adapter's about this target")
        return await self._prober.prove(encounter, grant)
