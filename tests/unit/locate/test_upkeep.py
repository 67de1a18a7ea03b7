"""What goes on beside the looks; newer papers are tried with a run in ``test_run``."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from protech.locate.journal import Journal
from protech.locate.outfit import Outfit
from protech.locate.upkeep import Upkeep
from tests.unit.locate.test_observe import Swarm
from tests.unit.locate.test_run import Made, made

__all__ = ["made"]


def kept_up(
    given: Made,
    act: Callable[[Upkeep, Outfit], Awaitable[None]],
    sent: Callable[[], Mapping[str, int]] = dict,
) -> None:
    async def keep_up() -> None:
        async with given.outfit(Swarm([])) as opened:
            outfit = replace(opened, sent=sent)
            journal = Journal(outfit.log)
            writing = asyncio.ensure_future(journal.running())
            await act(Upkeep(outfit, journal), outfit)
            journal.close()
            await writing

    asyncio.run(keep_up())


def test_packets_are_counted_once(made: Made) -> None:
    left = {"connections": 2, "datagrams": 0}

    async def act(upkeep: Upkeep, _: Outfit) -> None:
        await upkeep.count_once()
        await upkeep.count_once()
        left["connections"] = 5
        await upkeep.count_once()

    kept_up(made, act, sent=lambda: left)
    assert [one["counts"] for one in made.records()] == [
        {"packets": {"connections": 2}},
        {"packets": {"connections": 3}},
    ]


def test_what_was_signed_is_not_signed_again(made: Made) -> None:
    async def act(upkeep: Upkeep, outfit: Outfit) -> None:
        await upkeep.sign_once()
        assert outfit.log.size == 0
        for request in outfit.clearance.requests:
            await upkeep.record_request(request)
        await upkeep.sign_once()
        first = outfit.log.last_checkpoint
        assert first is not None
        assert first.size == 1
        await upkeep.sign_once()
        assert outfit.log.last_checkpoint is first

    kept_up(made, act)
