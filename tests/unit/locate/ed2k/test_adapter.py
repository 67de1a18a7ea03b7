"""The adapter gives what the rest of `locate` asks of a network."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from protech.locate.adapter import (
    Adapter,
    Candidate,
    Grant,
    Level,
    Network,
    Outcome,
    Source,
)
from protech.locate.door import Door
from protech.locate.ed2k.adapter import Ed2k
from protech.locate.ed2k.aich import BLOCK_BYTES
from tests import donkeys, spoken
from tests.unit.locate.ed2k.test_probe import client, listening

WHOLE = donkeys.content(12, BLOCK_BYTES + 100)
TARGET = spoken.target_of(donkeys.key_of(WHOLE))
GRANT = Grant(request_sha256=bytes(32), not_after=datetime.now(UTC) + timedelta(hours=1))


def test_a_peer_is_probed_and_proved() -> None:
    async def work() -> None:
        adapter: Adapter = Ed2k(Door(lambda _: None))
        assert adapter.network is Network.ED2K
        assert [one async for one in adapter.discover(TARGET)] == []
        async with listening(client(donkeys.serving(WHOLE))) as place:
            candidate = Candidate(endpoint=place, source=Source.SERVER)
            async with adapter.probe(candidate, TARGET) as encounter:
                assert encounter.sighting.level is Level.CLAIMS
                found = await adapter.prove(encounter, TARGET, GRANT)
        assert (found.level, found.outcome) == (Level.DELIVERED, Outcome.SERVED)

    asyncio.run(work())


def test_a_conversation_about_another_target_is_refused() -> None:
    async def work() -> None:
        adapter = Ed2k(Door(lambda _: None))
        async with listening(client(donkeys.serving(WHOLE))) as place:
            candidate = Candidate(endpoint=place, source=Source.SERVER)
            async with adapter.probe(candidate, TARGET) as encounter:
                await adapter.prove(encounter, spoken.target_of(TARGET.key), GRANT)

    with pytest.raises(TypeError):
        asyncio.run(work())
