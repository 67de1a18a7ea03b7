"""BitTorrent's adapter joins who is named and who is spoken to."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from protech.locate.adapter import (
    Adapter,
    Candidate,
    Encounter,
    Grant,
    Level,
    Network,
    Outcome,
    Target,
)
from protech.locate.bittorrent.adapter import BitTorrent
from protech.locate.bittorrent.conversation import Conversation
from protech.locate.bittorrent.probe import Prober
from protech.locate.door import Door
from tests import seeds, spoken

TARGET = spoken.target_of(spoken.file_key(spoken.content(1, 900), piece_bytes=300))
GRANT = Grant(request_sha256=bytes(32), not_after=datetime.now(UTC) + timedelta(hours=1))


class Named:
    """Names one peer."""

    async def discover(self, target: Target) -> AsyncGenerator[Candidate, None]:
        yield spoken.CANDIDATE


def adapter() -> BitTorrent:
    return BitTorrent(Named(), Prober(Door(lambda _: None)))


def test_it_is_an_adapter() -> None:
    whole: Adapter = adapter()
    assert whole.network is Network.BITTORRENT

    async def work() -> list[Candidate]:
        return [one async for one in whole.discover(TARGET)]

    assert asyncio.run(work()) == [spoken.CANDIDATE]


def test_a_probe_is_proved_in_its_own_conversation() -> None:
    whole = adapter()

    async def work() -> None:
        # Port 0 reaches nobody: no packet is sent.
        async with whole.probe(seeds.candidate("127.0.0.1", 0), TARGET) as encounter:
            sighting = await whole.prove(encounter, TARGET, GRANT)
            assert (sighting.level, sighting.outcome) == (Level.MENTIONED, Outcome.UNREACHABLE)
            with pytest.raises(TypeError):
                await whole.prove(encounter, replace(TARGET, number=7), GRANT)

    asyncio.run(work())


def test_another_adapters_conversation_is_refused() -> None:
    class Other:
        sighting = Conversation(
            spoken.CANDIDATE, TARGET, clock=lambda: datetime.now(UTC)
        ).sighting

    other: Encounter = Other()
    with pytest.raises(TypeError):
        asyncio.run(adapter().prove(other, TARGET, GRANT))
