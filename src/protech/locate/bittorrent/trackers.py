"""Asking a tracker: that we take a file and, at once, that we have stopped.

An entry that is left behind would name us to peers and to other observers, who would count it.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from protech.locate.adapter import Address, Endpoint
from protech.locate.bittorrent.tls import Carrier
from protech.locate.bittorrent.tracker import Announce, Answer, Event, Said, Tracker, literal
from protech.locate.bittorrent.tracker_http import HttpTalk
from protech.locate.bittorrent.tracker_udp import Datagrams, UdpTalk
from protech.locate.loss import Lost

Resolve = Callable[[str], Awaitable[Sequence[Address]]]
"""Returns what a name leads to; its packets must be permitted, too."""

FAREWELL_S = 3.0
"""How long a tracker may take to hear that we have stopped."""


class Ways(Protocol):
    """What the door opens; each packet is permitted, or ``AuthorityError`` is raised."""

    async def connect(self, peer: Endpoint) -> Carrier:
        """Open a stream."""
        ...

    def datagrams(self, peer: Endpoint) -> Datagrams:
        """Open a socket for datagrams to and from one peer."""
        ...


class Talk(Protocol):
    """A conversation with one tracker."""

    told: bool
    """Whether it may have us in its list."""

    async def ask(self, announce: Announce, event: Event) -> Answer:
        """Tell it of an event."""
        ...

    def close(self) -> None:
        """End it."""
        ...


async def literal_only(host: str) -> Sequence[Address]:
    """Return the address that ``host`` writes out; nothing for a name: the lab asks nobody."""
    found = literal(host)
    return () if found is None else (found,)


async def visit(
    ways: Ways,
    tracker: Tracker,
    address: Address,
    announce: Announce,
    *,
    timeout_s: float,
    trust: ssl.SSLContext | None = None,
) -> Answer:
    """Tell a tracker that we take and have stopped; return whom it named in between.

    Whatever it does is a result. Its place is given back even where this is cancelled.

    Args:
        ways: Opens streams and datagrams.
        tracker: Whom to ask.
        address: What its name leads to.
        announce: What is said.
        timeout_s: For the first of the two; the second has ``FAREWELL_S``.
        trust: Whom to trust in TLS; the system's store by default.

    Raises:
        AuthorityError: The authority does not cover the next packet; it was not sent.
    """
    try:
        talk = _talk(ways, tracker, address, trust)
    except Lost:
        return Answer(said=Said.UNREACHABLE)
    answer = Answer(said=Said.TIMED_OUT)
    withdrawn = True
    try:
        answer = await _within(timeout_s, talk.ask(announce, Event.STARTED))
    finally:
        try:
            if talk.told:
                left = await _within(FAREWELL_S, talk.ask(announce, Event.STOPPED))
                withdrawn = left.said is Said.PEERS
        finally:
            talk.close()
    return replace(answer, withdrawn=withdrawn)


def _talk(ways: Ways, tracker: Tracker, address: Address, trust: ssl.SSLContext | None) -> Talk:
    if tracker.scheme == "udp":
        place = Endpoint(address=address, port=tracker.port)
        return UdpTalk(ways.datagrams(place), version=address.version)
    return HttpTalk(ways.connect, tracker, address, trust=trust)


async def _within(timeout_s: float, asked: Awaitable[Answer]) -> Answer:
    try:
        async with asyncio.timeout(timeout_s):
            return await asked
    except TimeoutError:
        return Answer(said=Said.TIMED_OUT)
