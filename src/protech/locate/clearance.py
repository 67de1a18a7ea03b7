"""The gate in use: asked with the clock's time before each packet, and renewed day by day.

with open_locate_list(...) as (facts, file):
    past = Past(logged_at=log.last_checkpoint.at)
    clearance = open_clearance(anchors, authorisation, timestamp, facts, past=past)
    door = Door(clearance.permit, source)
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from protech.errors import AuthorityError
from protech.locate.adapter import Endpoint, Grant, Target
from protech.locate.authority import Gate, check_request, open_gate
from protech.locate.clock import Clock
from protech.locate.documents import read_timestamp
from protech.locate.ledger import Ledger, Tally
from protech.locate.papers import (
    Anchors,
    Authorisation,
    ClockReading,
    ListFacts,
    Paper,
    ProofRequest,
    Timestamp,
)
from protech.locate.rules import Situation
from protech.locate.seen import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a case has behind it, before which nothing may lie."""

    logged_at: datetime | None
    """When its log was last signed; None for a new case."""
    seen: Seen = field(default_factory=Seen)
    on_newer: Callable[[datetime], None] = lambda _at: None
    """Told when a newer timestamp was made, before anything goes on under it."""


class Clearance:
    """What a run is allowed, now; ``open_clearance`` makes it, once every rule is kept."""

    def __init__(
        self,
        gate: Gate,
        *,
        anchors: Anchors,
        clock: Clock,
        requests: Iterable[Paper[ProofRequest]] = (),
        ledger: Ledger | None = None,
        on_newer: Callable[[datetime], None] = lambda _at: None,
    ) -> None:
        """Take an open gate and what keeps it so."""
        self.anchors = anchors
        self._gate = gate
        self._clock = clock
        self._ledger = Tally() if ledger is None else ledger
        self._on_newer = on_newer
        self._requests: dict[bytes, Paper[ProofRequest]] = {}
        self._stopped: str | None = None
        for request in requests:
            if request.terms.authorisation_sha256 == gate.authorisation.sha256:
                self.add(request)

    @property
    def gate(self) -> Gate:
        """The gate as it is now: which papers, which list, from when until when."""
        return self._gate

    @property
    def is_lab(self) -> bool:
        """Whether it reaches a lab's addresses alone; records say so."""
        return self._gate.is_lab

    @property
    def requests(self) -> tuple[Paper[ProofRequest], ...]:
        """The proof requests that it looks at."""
        return tuple(self._requests.values())

    def permit(self, endpoint: Endpoint) -> None:
        """Return where a packet may be sent to an endpoint now; for each packet.

        Raises:
            AuthorityError: It may not.
        """
        if self._stopped is not None:
            raise AuthorityError(self._stopped)
        self._gate.permit(endpoint, self._clock.tick())

    def require_open(self) -> None:
        """Return where a packet may be sent anywhere now.

        Raises:
            AuthorityError: The run is over.
        """
        if self._stopped is not None:
            raise AuthorityError(self._stopped)
        self._gate.require_open(self._clock.tick())

    def cover(self, target: Target) -> None:
        """Return where a target may be looked for at all.

        Raises:
            AuthorityError: It is not of the list that was opened, or not of a network covered.
        """
        self._gate.cover(target)

    def may_prove(self, target: Target) -> Grant:
        """Return leave to ask for one piece of a target; it counts as spent from now on.

        Raises:
            AuthorityError: No request that two operators signed covers it, or the run is over.
        """
        self.require_open()
        now_ns = self._clock.tick()
        refused = AuthorityError(
            "No proof request is signed, so no piece may be asked for; two operators sign one"
            " with `protech locate approve`."
        )
        for sha256, request in self._requests.items():
            try:
                grant = self._gate.grant(target, request, now_ns=now_ns)
            except AuthorityError as why:
                refused = why
                continue
            if self._ledger.take(sha256, limit=request.terms.pieces):
                return grant
            refused = AuthorityError(
                f"All {request.terms.pieces} pieces of the proof request {request.terms.id} are"
                " spent; have another one signed."
            )
        raise refused

    def give_back(self, grant: Grant) -> None:
        """Take back leave under which no piece came."""
        self._ledger.give_back(grant.request_sha256)

    def add(self, request: Paper[ProofRequest]) -> None:
        """Look at one more proof request from now on.

        Raises:
            AuthorityError: The authorisation does not carry it.
        """
        check_request(self._gate.authorisation, request, is_lab=self.is_lab)
        self._requests[request.sha256] = request

    def renew(self, timestamp: bytes) -> bool:
        """Go on under a newer timestamp; return whether it is newer than the one in use.

        Raises:
            TrustError: It is none, or a signature does not hold; the one before goes on.
            AuthorityError: It ends the run: the authorisation was revoked.
        """
        newer = read_timestamp(timestamp, self.anchors)
        if newer.terms.at <= self._gate.timestamp.terms.at:
            return False
        self._on_newer(newer.terms.at)
        try:
            self._gate = open_gate(
                Situation(
                    anchors=self.anchors,
                    authorisation=self._gate.authorisation,
                    timestamp=newer,
                    facts=self._gate.facts,
                    reading=self._clock.reading(),
                )
            )
        except AuthorityError as ended:
            self._stopped = str(ended)
            raise
        return True

    def reading(self) -> ClockReading:
        """Return the time and what the kernel says of it, for records."""
        return self._clock.reading()


def open_clearance(
    anchors: Anchors,
    authorisation: Paper[Authorisation],
    timestamp: Paper[Timestamp],
    facts: ListFacts,
    *,
    requests: Iterable[Paper[ProofRequest]] = (),
    past: "Past",
    ledger: Ledger | None = None,
    clock: Clock | None = None,
) -> Clearance:
    """Return what a run is allowed.

    Args:
        anchors: Whom this machine trusts.
        authorisation: What is authorised.
        timestamp: That it was in force a day ago at most.
        facts: What ``open_locate_list`` gives.
        requests: What operators have signed; those of another authorisation are left alone.
        past: What the case has behind it.
        ledger: Who counts pieces; None: this process alone, from nothing.
        clock: None takes the machine's.

    Raises:
        AuthorityError: A rule is not kept.
        ConfigError: The kernel says nothing of its clock.
    """
    clock = clock or Clock(must_be_synchronised=not anchors.is_lab)
    gate = open_gate(
        Situation(
            anchors=anchors,
            authorisation=authorisation,
            timestamp=timestamp,
            facts=facts,
            reading=clock.reading(),
            logged_at=past.logged_at,
            seen_at=past.seen.timestamp_at,
            seen_version=past.seen.versions.get(facts.name, 0),
        )
    )
    return Clearance(
        gate,
        anchors=anchors,
        clock=clock,
        requests=requests,
        ledger=ledger,
        on_newer=past.on_newer,
    )
