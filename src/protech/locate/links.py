"""What a conversation needs of whatever carries it, how long it waits, and how it ends."""

from dataclasses import dataclass
from typing import Protocol

from protech.locate.adapter import Endpoint, Outcome
from protech.locate.loss import Loss


class Link(Protocol):
    """What carries a conversation: TCP, or encryption or uTP under the same calls."""

    @property
    def peer(self) -> Endpoint:
        """The other side."""
        ...

    @property
    def local(self) -> Endpoint:
        """Our side."""
        ...

    async def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        ...

    async def receive_into(self, memory: memoryview, *, until: float | None = None) -> int:
        """Fill the beginning of ``memory``, and return how much; 0 is the end."""
        ...

    def shelter(self, memory: memoryview) -> None:
        """Keep what arrives from now on in ``memory`` only, while the link needs it."""
        ...

    def close(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a peer is waited for, in seconds."""

    connect_s: float = 3.0
    utp_after_s: float = 0.5
    """How long TCP is tried alone: most peers on earth answer it sooner."""
    answer_s: float = 8.0
    """From the connection to all of what it claims."""
    claim_s: float = 2.0
    """From its handshake to its first word of pieces: it may have none."""
    settle_s: float = 0.25
    """From one word to the next: lazy bitfields come in parts."""
    unchoke_s: float = 20.0
    piece_s: float = 30.0
    hashes_s: float = 3.0


class Ended(Exception):
    """The conversation is over; ``outcome`` says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


class HungUp(Exception):
    """The peer ended it on our handshake, without a word; ``loss`` says how."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(loss.value)
        self.loss = loss
