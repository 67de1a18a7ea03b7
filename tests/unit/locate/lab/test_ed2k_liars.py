"""The lab's liars do what they are named for, and none of them has a listed byte."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from random import Random

import pytest

from protech.locate.adapter import Candidate, Endpoint, Grant, Outcome, Sighting, Source
from protech.locate.door import Door
from protech.locate.ed2k.aich import BLOCK_BYTES
from protech.locate.ed2k.messages import Op, message
from protech.locate.ed2k.probe import Prober
from protech.locate.lab.ed2k_liars import Liar, Lie, answer, lying
from protech.locate.links import Limits
from tests import donkeys, spoken

WHOLE = donkeys.content(1, 2 * BLOCK_BYTES)
HASHES = {0: donkeys.recovery(donkeys.Tree(WHOLE).recovery(0))}
TARGET = spoken.target_of(donkeys.key_of(WHOLE))
QUICK = Limits(answer_s=0.5, unchoke_s=0.5, piece_s=0.5)
GRANT = Grant(request_sha256=bytes(32), not_after=datetime.now(UTC) + timedelta(hours=1))


@pytest.mark.parametrize(
    ("lie", "level", "outcome"),
    [
        (Lie.ECHO, 1, Outcome.ECHO),
        (Lie.MUTE, 1, Outcome.SILENT),
        (Lie.WEB, 1, Outcome.OTHER_PROTOCOL),
        (Lie.EMPTY, 1, Outcome.NOTHING_HELD),
        (Lie.LIAR, 3, Outcome.MALFORMED),
        (Lie.COPIER, 3, Outcome.BAD_PIECE),
        (Lie.BUSY, 3, Outcome.CHOKED),
        (Lie.QUITTER, 3, Outcome.REFUSED),
    ],
)
def test_each_lie_has_its_outcome(lie: Lie, level: int, outcome: Outcome) -> None:
    async def work() -> Sighting:
        async with asyncio.timeout(30), lying(lie, ("127.0.0.1", 0), 7, HASHES) as (host, port):
            place = Endpoint(address=ip_address(host), port=port)
            prober = Prober(Door(lambda _: None), limits=QUICK)
            candidate = Candidate(endpoint=place, source=Source.SERVER)
            async with prober.probe(candidate, TARGET) as conversation:
                return await prober.prove(conversation, GRANT)

    found = asyncio.run(work())
    assert (found.level, found.outcome) == (level, outcome)


def test_what_a_liar_does_not_know_it_leaves_unanswered() -> None:
    for op in (Op.QUEUE_RANK, Op.REQUEST_PARTS):
        assert answer(Liar(lie=Lie.LIAR, random=Random(1)), op, b"") == b""


def test_a_liar_hangs_up_on_what_is_no_message() -> None:
    async def work() -> bytes:
        async with lying(Lie.LIAR, ("127.0.0.1", 0), 7) as (host, port):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET / HTTP/1.1\r\n" + message(Op.HELLO))
            heard = await reader.read()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            return heard

    assert asyncio.run(work()) == b""
