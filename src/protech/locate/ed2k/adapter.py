"""eDonkey as the rest of ``locate`` sees it: who is named, what a peer claims, one block."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager

from protech.locate.adapter import Candidate, Encounter, Grant, Network, Sighting, Target
from protech.locate.door import Door
from protech.locate.ed2k.discover import Discovery
from protech.locate.ed2k.probe import Conversation, Prober


class Ed2k:
    """The adapter of eDonkey and Kad."""

    network = Network.ED2K

    def __init__(
        self,
        door: Door,
        *,
        discovery: Discovery | None = None,
        prober: Prober | None = None,
    ) -> None:
        """Open nothing yet; without a ``discovery`` only servers are asked."""
        self._discovery = discovery or Discovery(door)
        self._prober = prober or Prober(door)

    def discover(self, target: Target) -> AsyncGenerator[Candidate, None]:
        """Yield peers that servers and Kad name for a target as they come."""
        return self._discovery.discover(target)

    def probe(
        self, candidate: Candidate, target: Target
    ) -> AbstractAsyncContextManager[Conversation]:
        """Speak to a peer up to what it claims; the conversation ends with the context."""
        return self._prober.probe(candidate, target)

    async def prove(self, encounter: Encounter, target: Target, grant: Grant) -> Sighting:
        """Ask for one block of the target in the same conversation.

        Raises:
            ConfigError: The system does not lock so much memory for this user.
            TypeError: The conversation is none of this adapter's, or about another target.
        """
        if not isinstance(encounter, Conversation) or encounter.target is not target:
            raise TypeError("the conversation is none of this adapter's about this target")
        return await self._prober.prove(encounter, grant)
