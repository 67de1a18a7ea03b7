"""A conversation with a peer, as far as it went, and what it shows."""

import time
from collections.abc import Callable
from datetime import datetime

from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import (
    Candidate,
    Endpoint,
    Level,
    Network,
    Outcome,
    Sighting,
    Target,
    Transport,
)
from protech.locate.bittorrent.hearing import Hearing
from protech.locate.bittorrent.held import TorrentKey
from protech.locate.bittorrent.judge import Judgement
from protech.locate.bittorrent.session import Session
from protech.locate.links import Link

Now = Callable[[], datetime]


class Conversation:
    """A conversation with a peer, as far as it went."""

    def __init__(self, candidate: Candidate, target: Target, *, clock: Now) -> None:
        """Begin with nothing tried.

        Raises:
            TypeError: The target is of another network.
        """
        key = target.key
        if isinstance(key, Ed2kFile):
            raise TypeError("the target is none of BitTorrent")
        self.key: TorrentKey = key
        self.candidate = candidate
        self.target = target
        self._started_s = time.monotonic()
        self._failures: list[tuple[Transport, str]] = []
        self.hearing = Hearing(target, started_s=self._started_s)
        self.session: Session | None = None
        self.outcome = Outcome.UNREACHABLE
        self.transport: Transport | None = None
        self.local: Endpoint | None = None
        self.attempts = 0
        self.has_measured = False
        """Whether a piece came: the judge says which."""
        self._clock = clock
        self._started_at = clock()

    @property
    def peer(self) -> Endpoint:
        """Who was called."""
        return self.candidate.endpoint

    def stands(self, transport: Transport, link: Link) -> None:
        """Take that a connection stands."""
        self.transport = transport
        self.hearing.stands(transport)
        self.local = link.local

    def failed(self, transport: Transport, outcome: str) -> None:
        """Take that an attempt did not stand, or bore no conversation; begin anew."""
        self._failures.append((transport, outcome))
        self.hearing = Hearing(self.target, started_s=self._started_s)
        self.hearing.stands(self.transport)
        for failure in self._failures:
            self.hearing.tried(*failure)

    @property
    def sighting(self) -> Sighting:
        """What it shows up to now."""
        shown = self.hearing.judgement
        session = self.session if shown.level >= Level.HANDSHAKE else None
        return Sighting(
            entry=self.target.entry,
            network=Network.BITTORRENT,
            level=shown.level,
            outcome=self._outcome_of(shown),
            peer=self.peer,
            local=self.local,
            transport=self.transport,
            started_at=self._started_at,
            ended_at=self._clock(),
            sources=(self.candidate.source,),
            attempts=self.attempts,
            client_id=shown.peer_id,
            client_name=session.introduction.name if session else None,
            claims=shown.claims,
            proof=shown.proof,
            transcript=self.hearing.transcript(),
            learnt=session.learnt if session else (),
            facts=_facts(session) if session else {},
        )

    def _outcome_of(self, shown: Judgement) -> Outcome:
        if not self.has_measured:
            return self.outcome
        if shown.proof is not None:
            return Outcome.SERVED
        return Outcome.WEAK_PIECE if shown.is_weak else Outcome.BAD_PIECE


def _facts(session: Session) -> dict[str, object]:
    return {
        "extensions": list(session.introduction.extensions),
        "fast": session.is_fast,
        "metadata": session.metadata.known if session.metadata else None,
        "upload_only": session.introduction.is_upload_only,
    }
