"""eDonkey as the rest of ``locate`` sees it: who is named, what a peer claims, one block."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager

from protech.locate.adapter import Candidate, Encounter, Grant, Network, Sighting, Target
from protech.locate.door import Door
from protech.locate.ed2k.probe import Conversation, Prober
from protech.locate.ed2k.servers import sources


class Ed2k:
    """The adapter of eDonkey."""

    network = Network.ED2K

    def __init__(self, door: Door, *, prober: Prober | None = None) -> None:
        """Open nothing yet."""
        self._door = door
        self._prober = prober or Prober(door)

    def discover(self, target: Target) -> AsyncGenerator[Candidate, None]:
        """Yield peers that the servers of the signed key name."""
        return sources(self._door, target)

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
