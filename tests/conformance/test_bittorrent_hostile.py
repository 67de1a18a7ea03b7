"""Hostile peers on loopback, which every one have an outcome, in time, and prove nothing.

The reference is what each is known to be: it was written to be that.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from protech.errors import AuthorityError
from protech.locate.adapter import Endpoint, Grant, Level, Outcome, Sighting
from protech.locate.bittorrent.judge import judge
from protech.locate.bittorrent.probe import Prober
from protech.locate.door import Door
from protech.locate.links import Limits
from tests import hostile, seeds, spoken
from tests.hostile import Answer

KEY = spoken.file_key(spoken.content(1, 16 << 14), piece_bytes=1 << 14)
TARGET = spoken.target_of(KEY)
GRANT = Grant(request_sha256=bytes(32), not_after=datetime.now(UTC) + timedelta(hours=1))
LIMITS = Limits(
    connect_s=1,
    utp_after_s=0.2,
    answer_s=2,
    claim_s=0.5,
    settle_s=0.1,
    unchoke_s=0.5,
    piece_s=0.5,
    hashes_s=0.5,
)

EXPECTED: dict[Answer, tuple[Level, Outcome, int]] = {
    hostile.refusing: (Level.ANSWERS, Outcome.CLOSED, 3),
    hostile.mute: (Level.ANSWERS, Outcome.SILENT, 1),
    hostile.echo: (Level.ANSWERS, Outcome.ECHO, 1),
    hostile.http: (Level.ANSWERS, Outcome.OTHER_PROTOCOL, 1),
    hostile.garbage: (Level.ANSWERS, Outcome.OTHER_PROTOCOL, 1),
    hostile.drip: (Level.ANSWERS, Outcome.SILENT, 1),
    hostile.tarpit: (Level.HANDSHAKE, Outcome.NOTHING_HELD, 1),
    hostile.lying: (Level.CLAIMS, Outcome.BAD_PIECE, 1),
    hostile.choking: (Level.CLAIMS, Outcome.CHOKED, 1),
    hostile.flood: (Level.CLAIMS, Outcome.MALFORMED, 1),
    hostile.bomb: (Level.HANDSHAKE, Outcome.MALFORMED, 1),
}


def allow(peer: Endpoint) -> None:
    pass


@pytest.mark.parametrize("answer", hostile.KINDS, ids=lambda kind: kind.__name__)
def test_each_has_its_outcome(answer: Answer) -> None:
    async def work() -> Sighting:
        prober = Prober(Door(allow), limits=LIMITS)
        async with (
            hostile.peer(answer, KEY, "127.0.0.4") as candidate,
            prober.probe(candidate, TARGET) as conversation,
        ):
            return await prober.prove(conversation, GRANT)

    began_s = time.monotonic()
    sighting = asyncio.run(work())
    assert (sighting.level, sighting.outcome, sighting.attempts) == EXPECTED[answer]
    assert judge(sighting.transcript, TARGET).level is sighting.level
    assert time.monotonic() - began_s < 60  # it ends; how soon depends on the machine


def test_nobody_is_there() -> None:
    async def work() -> Sighting:
        prober = Prober(Door(allow), limits=LIMITS)
        async with prober.probe(seeds.candidate("127.0.0.4", 1), TARGET) as conversation:
            return await prober.prove(conversation, GRANT)

    sighting = asyncio.run(work())
    assert (sighting.level, sighting.outcome) == (Level.MENTIONED, Outcome.UNREACHABLE)
    assert (sighting.attempts, sighting.local) == (2, None)
    assert judge(sighting.transcript, TARGET).level is Level.MENTIONED


@pytest.mark.parametrize("packets", range(6))
def test_when_the_authority_ends_nothing_more_is_sent(packets: int) -> None:
    left = [packets]

    def permit(peer: Endpoint) -> None:
        if left[0] == 0:
            raise AuthorityError("The authorisation has ended.")
        left[0] -= 1

    async def work() -> tuple[Sighting, Door]:
        door = Door(permit)
        prober = Prober(door, limits=LIMITS)
        async with (
            hostile.peer(hostile.lying, KEY, "127.0.0.4") as candidate,
            prober.probe(candidate, TARGET) as conversation,
        ):
            return await prober.prove(conversation, GRANT), door

    sighting, door = asyncio.run(work())
    assert door.connects + door.writes + door.datagrams_sent <= packets
    if packets < 4:
        assert sighting.outcome is Outcome.STOPPED
    assert sighting.level is [Level.MENTIONED, Level.ANSWERS, *[Level.CLAIMS] * 4][packets]


def test_after_its_term_a_grant_asks_for_nothing() -> None:
    grant = Grant(request_sha256=bytes(32), not_after=datetime.now(UTC) - timedelta(seconds=1))

    async def work() -> tuple[Sighting, Door]:
        prober = Prober(door := Door(allow), limits=LIMITS)
        async with (
            hostile.peer(hostile.lying, KEY, "127.0.0.4") as candidate,
            prober.probe(candidate, TARGET) as conversation,
        ):
            return await prober.prove(conversation, grant), door

    sighting, door = asyncio.run(work())
    assert (sighting.outcome, door.writes) == (Outcome.CLAIMED, 1)
