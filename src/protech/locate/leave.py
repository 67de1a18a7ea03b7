"""Who gives leave before anything is sent: the authority, and politeness.

What ``observe`` asks of them; ``clearance`` and ``courtesy`` are those that run.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from protech.locate.adapter import Endpoint, Grant, Outcome, Target
from protech.locate.limits import Leave


class Mandate(Protocol):
    """What the authority allows, as far as it is asked here (``clearance.Clearance``)."""

    def cover(self, target: Target) -> None:
        """Raise ``AuthorityError`` where a target may not be looked for at all."""
        ...

    def permit(self, endpoint: Endpoint) -> None:
        """Raise ``AuthorityError`` where no packet may go to an endpoint now."""
        ...

    def require_open(self) -> None:
        """Raise ``AuthorityError`` where no packet may go anywhere any more."""
        ...

    def may_prove(self, target: Target) -> Grant:
        """Return leave to ask for a piece of a target; raise ``AuthorityError`` for none."""
        ...

    def give_back(self, grant: Grant) -> None:
        """Take back leave under which no piece came."""
        ...


class Manners(Protocol):
    """What politeness allows; it remembers who was asked for what (``courtesy.Courtesy``)."""

    async def turn(self, clock: Callable[[], datetime]) -> None:
        """Wait until one more conversation may begin."""
        ...

    def probing(
        self, peer: Endpoint, target: Target, now: datetime
    ) -> AbstractContextManager[Leave]:
        """Hold a place for a conversation; it may begin where the leave is given."""
        ...

    def end(self, peer: Endpoint, target: Target, outcome: Outcome, now: datetime) -> None:
        """Take what came of a conversation."""
        ...

    def begin_piece(self, peer: Endpoint, target: Target, now: datetime) -> Leave:
        """Return whether this peer may be asked for a piece of this target now."""
        ...

    def give_back_piece(self, peer: Endpoint, target: Target, now: datetime) -> None:
        """Take that no piece came, though one was asked for."""
        ...
