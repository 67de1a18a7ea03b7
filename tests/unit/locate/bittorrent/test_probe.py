"""A probe tries few connections, and ends in what the peer shows."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from protech.errors import AuthorityError
from protech.locate.adapter import Grant, Level, Outcome, Sighting, Transport
from protech.locate.bittorrent import messages, probe
from protech.locate.bittorrent.conversation import Conversation
from protech.locate.bittorrent.messages import Kind, framed
from protech.locate.bittorrent.probe import Prober
from protech.locate.bittorrent.reach import Called
from protech.locate.door import Door
from protech.locate.loss import Loss
from tests import spoken
from tests.spoken import Line

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
WHOLE = spoken.content(1, 1200)
KEY = spoken.file_key(WHOLE, piece_bytes=600)
TARGET = spoken.target_of(KEY)
GRANT = Grant(request_sha256=bytes(32), not_after=NOW + timedelta(seconds=1))
SEED = spoken.greeting(KEY) + framed(Kind.BITFIELD, b"\xc0")


def serve(sent: bytes) -> bytes:
    """Serve what is asked for."""
    if sent == messages.INTERESTED:
        return framed(Kind.UNCHOKE)
    if sent[4:5] == bytes([Kind.REQUEST]):
        piece = int.from_bytes(sent[5:9])
        return framed(Kind.PIECE, sent[5:13] + WHOLE[piece * 600 :][:600])
    return b""


class Lines:
    """Stands for ``Reach``: gives the lines that a test has laid, and notes who asked."""

    def __init__(self, *lines: tuple[Transport, Line]) -> None:
        self.lines = list(lines)
        self.asked: list[Transport] = []

    async def plain(self, conversation: Conversation) -> Called | None:
        return self._next(conversation, self.lines[0][0] if self.lines else None)

    async def by(self, transport: Transport, conversation: Conversation) -> Called | None:
        self.asked.append(transport)
        return self._next(conversation, transport)

    def _next(self, conversation: Conversation, transport: Transport | None) -> Called | None:
        conversation.attempts += 1
        if not self.lines or self.lines[0][0] is not transport:
            return None
        _, line = self.lines.pop(0)
        conversation.stands(transport, line)
        first = messages.handshake(KEY.info_hash)
        is_sent = transport in {Transport.MSE, Transport.UTP_MSE}
        return Called(transport=transport, link=line, first=first, is_sent=is_sent)


def probed(lines: Any, grant: Grant = GRANT, *, weak: tuple[int, ...] = ()) -> Sighting:
    prober = Prober(Door(lambda _: None), clock=lambda: NOW)
    prober._reach = lines
    target = replace(TARGET, weak=frozenset(weak))

    async def work() -> Sighting:
        async with prober.probe(spoken.CANDIDATE, target) as conversation:
            return await prober.prove(conversation, grant)

    return asyncio.run(work())


def test_a_seed_is_proved_in_one_connection() -> None:
    line = Line(SEED, answer=serve)
    sighting = probed(Lines((Transport.TCP, line)))
    assert (sighting.level, sighting.outcome) == (Level.DELIVERED, Outcome.SERVED)
    assert sighting.attempts == 1
    assert line.is_closed


@pytest.mark.parametrize(
    ("loss", "order"),
    [
        (Loss.CLOSED, [Transport.MSE, Transport.UTP]),
        (Loss.RESET, [Transport.UTP, Transport.MSE]),
    ],
)
def test_where_it_hangs_up_the_likelier_transport_comes_first(
    loss: Loss, order: list[Transport]
) -> None:
    lines = Lines((Transport.TCP, Line(ends=loss)))
    sighting = probed(lines)
    assert lines.asked == order
    assert (sighting.level, sighting.outcome) == (Level.ANSWERS, Outcome.CLOSED)


def test_an_encrypted_conversation_is_held_where_a_plain_one_is_not() -> None:
    lines = Lines(
        (Transport.TCP, Line(ends=Loss.CLOSED)), (Transport.MSE, Line(SEED, answer=serve))
    )
    sighting = probed(lines)
    assert (sighting.outcome, sighting.transport) == (Outcome.SERVED, Transport.MSE)
    assert sighting.attempts == 2


def test_over_utp_it_may_want_encryption_too() -> None:
    lines = Lines(
        (Transport.TCP, Line(ends=Loss.RESET)),
        (Transport.UTP, Line(ends=Loss.CLOSED)),
        (Transport.UTP_MSE, Line(SEED, answer=serve)),
    )
    sighting = probed(lines)
    assert lines.asked == [Transport.UTP, Transport.UTP_MSE]
    assert (sighting.outcome, sighting.transport) == (Outcome.SERVED, Transport.UTP_MSE)


def test_nobody_is_there() -> None:
    sighting = probed(Lines())
    assert (sighting.level, sighting.outcome) == (Level.MENTIONED, Outcome.UNREACHABLE)


@pytest.mark.parametrize("said", [b"nonsense", bytes(68), spoken.greeting(KEY)])
def test_of_a_peer_that_claims_nothing_nothing_is_asked(said: bytes) -> None:
    line = Line(said)
    probed(Lines((Transport.TCP, line)))
    assert len(line.sent) == messages.HANDSHAKE_BYTES
    assert line.is_closed


def test_after_its_term_a_grant_asks_for_nothing() -> None:
    line = Line(SEED, answer=serve)
    sighting = probed(Lines((Transport.TCP, line)), replace(GRANT, not_after=NOW))
    assert sighting.outcome is Outcome.CLAIMED
    assert len(line.sent) == messages.HANDSHAKE_BYTES


def test_pieces_that_prove_nothing_are_not_asked_for() -> None:
    line = Line(SEED, answer=serve)
    sighting = probed(Lines((Transport.TCP, line)), weak=(0, 1))
    assert sighting.outcome is Outcome.CLAIMED
    assert len(line.sent) == messages.HANDSHAKE_BYTES


def test_where_the_authority_ends_the_conversation_does() -> None:
    def stop(sent: bytes) -> bytes:
        raise AuthorityError("The authorisation has ended.")

    sighting = probed(Lines((Transport.TCP, Line(answer=stop))))
    assert (sighting.level, sighting.outcome) == (Level.ANSWERS, Outcome.STOPPED)

    def stop_later(sent: bytes) -> bytes:
        return stop(sent) if sent == messages.INTERESTED else b""

    sighting = probed(Lines((Transport.TCP, Line(SEED, answer=stop_later))))
    assert (sighting.level, sighting.outcome) == (Level.CLAIMS, Outcome.STOPPED)


def test_the_time_is_utc() -> None:
    assert probe.now().tzinfo is UTC
