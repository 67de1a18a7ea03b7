"""The gate: nothing is sent but what a signed authorisation and a signed list cover; pure.

A ``Gate`` exists only where every rule is kept, and is asked before each packet. It is given
the time and all else; ``locate.clearance`` reads the clock for it. What is not allowed by name
is not sent.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_network

from protech.errors import AuthorityError
from protech.locate.adapter import Endpoint, Grant, Target
from protech.locate.papers import (
    AddressRange,
    Anchors,
    Authorisation,
    KeyKind,
    ListFacts,
    Operator,
    Paper,
    Power,
    ProofRequest,
    Timestamp,
)
from protech.locate.reach import EVERYWHERE, LAB, NOWHERE, ranges
from protech.locate.rules import TIMESTAMP_AGE, Situation, judge, shown

SIGNATURES = 2
"""No single person can have a piece asked for."""

PIECE_TAKES = timedelta(seconds=90)
"""No piece takes longer on any network: none is begun that could outlast its request."""

LAST_PORT = (1 << 16) - 1

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def open_gate(of: Situation) -> "Gate":
    """Return the gate that a situation opens.

    Raises:
        AuthorityError: A rule is not kept.
    """
    for check in judge(of):
        if not check.is_met:
            raise AuthorityError(f"{check.message} No packet was sent.")
    allowed = LAB if of.anchors.is_lab else EVERYWHERE
    barred = (*of.anchors.observers, *(() if of.anchors.is_lab else _own(of.anchors)))
    begins = [of.terms.not_before, of.timestamp.terms.at]
    if of.logged_at is not None:
        begins.append(of.logged_at)
    ends = {
        of.terms.not_after: f"the authorisation {of.terms.id} ended",
        of.timestamp.terms.at + TIMESTAMP_AGE: "the authority's timestamp is a day old",
        of.facts.fresh_until: f"the list {of.facts.name} is stale",
    }
    return Gate(
        authorisation=of.authorisation,
        timestamp=of.timestamp,
        facts=of.facts,
        is_lab=of.anchors.is_lab,
        begins_at=max(begins),
        ends_at=min(ends),
        why_it_ends=ends[min(ends)],
        from_ns=_ns(max(begins)),
        until_ns=_ns(min(ends)),
        ranges4=ranges(4, allowed, barred),
        ranges6=ranges(6, allowed, barred),
    )


def _own(anchors: Anchors) -> tuple[AddressRange, ...]:
    return (*NOWHERE, *map(ip_network, anchors.sources))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What may be sent, where and until when; ``open_gate`` makes it.

    ``from_ns`` and ``until_ns`` are in nanoseconds since 1970; ``ranges4`` and ``ranges6`` the
    first and the last addresses of what is allowed, rising.
    """

    authorisation: Paper[Authorisation]
    timestamp: Paper[Timestamp]
    facts: ListFacts
    is_lab: bool
    begins_at: datetime
    ends_at: datetime
    why_it_ends: str
    from_ns: int
    until_ns: int
    ranges4: tuple[Sequence[int], Sequence[int]] = field(repr=False)
    ranges6: tuple[Sequence[int], Sequence[int]] = field(repr=False)

    def permit(self, endpoint: Endpoint, now_ns: int) -> None:
        """Return where a packet may be sent to an endpoint at a time.

        Raises:
            AuthorityError: It may not.
        """
        # For each packet: no call here that can be left out.
        if not self.from_ns <= now_ns < self.until_ns:
            raise self._closed(now_ns)
        address = endpoint.address
        firsts, lasts = self.ranges4 if type(address) is IPv4Address else self.ranges6
        number = int(address)
        i = bisect_right(firsts, number) - 1
        if i < 0 or number > lasts[i] or not 0 < endpoint.port <= LAST_PORT:
            raise self._outside()

    def require_open(self, now_ns: int) -> None:
        """Return where the papers hold at a time.

        Raises:
            AuthorityError: They do not.
        """
        if not self.from_ns <= now_ns < self.until_ns:
            raise self._closed(now_ns)

    def cover(self, target: Target) -> None:
        """Return where a target may be looked for at all.

        Raises:
            AuthorityError: It is of another list or network than those that are covered.
        """
        named, facts = target.list_name, self.facts
        told = (named.name, named.version, named.sha256)
        if told != (facts.name, facts.version, facts.sha256):
            raise AuthorityError(
                f"A file of another list than {facts.name} {facts.version} was to be looked"
                " for; only what stands in the list that was opened may be."
            )
        terms = self.authorisation.terms
        if target.network not in terms.networks:
            raise AuthorityError(
                f"The authorisation {terms.id} does not cover the network {target.network};"
                " leave it out, or ask its issuer."
            )

    def grant(self, target: Target, request: Paper[ProofRequest], *, now_ns: int) -> Grant:
        """Return leave to ask for pieces of a target; how many, the request's ledger knows.

        Raises:
            AuthorityError: The authorisation, the request or its signatures do not cover it.
        """
        self.require_open(now_ns)
        self.cover(target)
        check_request(self.authorisation, request, is_lab=self.is_lab)
        terms = request.terms
        if not _ns(terms.not_before) <= now_ns <= _ns(terms.not_after - PIECE_TAKES):
            raise AuthorityError(
                f"The proof request {terms.id} holds from {shown(terms.not_before)} until"
                f" {shown(terms.not_after)} only, and a piece may take {PIECE_TAKES.seconds}"
                " seconds; have another one signed."
            )
        if not _names(terms, target):
            raise AuthorityError(
                f"The proof request {terms.id} does not name this file or its network; have one"
                " signed that does."
            )
        return Grant(
            request_sha256=request.sha256, not_after=min(terms.not_after, self.ends_at)
        )

    def _closed(self, now_ns: int) -> AuthorityError:
        if now_ns < self.from_ns:
            return AuthorityError(
                "This machine's clock is earlier than the authorisation, its timestamp or the"
                " case's log; set the clock right. No packet was sent."
            )
        return AuthorityError(
            f"The run has stopped: {self.why_it_ends} at {shown(self.ends_at)}. Bring what is"
            " newer and start again. No packet was sent."
        )

    def _outside(self) -> AuthorityError:
        where = "loopback, 198.18.0.0/15 and 2001:2::/48" if self.is_lab else "public addresses"
        return AuthorityError(
            f"A packet to where none may go was not sent: {'a lab' if self.is_lab else 'a run'}"
            f" speaks to {where} alone, and never to observers."
        )


def check_request(
    authorisation: Paper[Authorisation], request: Paper[ProofRequest], *, is_lab: bool
) -> tuple[Operator, ...]:
    """Return the operators who signed a proof request, where the authorisation carries it.

    Raises:
        AuthorityError: It carries no such power, is another one, or too few of its operators
            signed.
    """
    terms, asked = authorisation.terms, request.terms
    if Power.PROVE not in terms.powers:
        raise AuthorityError(
            f"The authorisation {terms.id} does not carry the power to prove: no piece may be"
            " asked for. Ask its issuer for it, where the law allows."
        )
    told = (asked.authorisation_sha256, asked.case)
    if told != (authorisation.sha256, terms.case) or asked.list_name not in terms.lists:
        raise AuthorityError(
            f"The proof request {asked.id} is for another authorisation, case or list than"
            f" {terms.id}; have one signed for this."
        )
    if not asked.networks <= terms.networks or asked.not_after > terms.not_after:
        raise AuthorityError(
            f"The proof request {asked.id} asks for more than the authorisation {terms.id}"
            " covers: another network, or a longer time. Have a narrower one signed."
        )
    kinds = set(KeyKind) if is_lab else {KeyKind.P256}
    named = [one for one in terms.operators if one.kind in kinds]
    signed = tuple(one for one in named if one.public in request.signers)
    if min(len({one.name for one in signed}), len({one.public for one in signed})) < SIGNATURES:
        raise AuthorityError(
            f"The proof request {asked.id} is signed by {len(signed)} of the operators that the"
            f" authorisation {terms.id} names, each with a token of their own; it needs"
            f" {SIGNATURES}: have another one run `protech locate approve`."
        )
    return signed


def _names(request: ProofRequest, target: Target) -> bool:
    is_named = request.entries is None or target.entry in request.entries
    is_same = request.list_name == target.list_name.name
    return is_named and is_same and target.network in request.networks


def _ns(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) * 1000
