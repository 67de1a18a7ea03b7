import asyncio
import threading
from collections.abc import Sequence

import pytest

from protech.errors import ConfigError
from protech.locate.journal import MOST_RECORDS, Journal, Record


class Kept:
    """A log in memory; it waits until it is let go, as a slow disk does."""

    def __init__(self, *, is_full: bool = False) -> None:
        self.records: list[Record] = []
        self.writes: list[int] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self._is_full = is_full

    def append(self, records: Sequence[Record]) -> range:
        self.may_go_on.wait(10)
        if self._is_full:
            raise ConfigError("The disk is full.")
        start = len(self.records)
        self.records += records
        self.writes.append(len(records))
        return range(start, len(self.records))


def test_each_writer_gets_the_places_of_its_own_records() -> None:
    async def write() -> list[range]:
        journal = Journal(kept)
        running = asyncio.ensure_future(journal.running())
        places = await asyncio.gather(*(journal.write({"n": i}, {"n": -i}) for i in range(50)))
        journal.close()
        await running
        return places

    kept = Kept()
    for i, place in enumerate(asyncio.run(write())):
        assert [kept.records[at] for at in place] == [{"n": i}, {"n": -i}]


def test_what_comes_while_a_write_is_under_way_is_written_together() -> None:
    async def write() -> None:
        journal = Journal(kept)
        running = asyncio.ensure_future(journal.running())
        kept.may_go_on.clear()
        first = asyncio.ensure_future(journal.write({}))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        rest = [asyncio.ensure_future(journal.write({})) for _ in range(MOST_RECORDS + 1)]
        await asyncio.sleep(0)
        kept.may_go_on.set()
        await asyncio.gather(first, *rest)
        journal.close()
        await running

    kept = Kept()
    asyncio.run(write())
    assert sum(kept.writes) == MOST_RECORDS + 2
    assert len(kept.writes) <= 3
    assert max(kept.writes) <= MOST_RECORDS


def test_who_waits_for_a_log_that_cannot_be_written_is_told() -> None:
    async def write() -> None:
        journal = Journal(Kept(is_full=True))
        running = asyncio.ensure_future(journal.running())
        with pytest.raises(ConfigError, match="disk is full"):
            await journal.write({})
        with pytest.raises(ConfigError, match="disk is full"):
            await running
        with pytest.raises(RuntimeError, match="closed"):
            await journal.write({})

    asyncio.run(write())


def test_all_that_came_is_written_before_it_ends() -> None:
    async def write() -> None:
        journal = Journal(kept)
        writing = [asyncio.ensure_future(journal.write({})) for _ in range(9)]
        await asyncio.sleep(0)
        journal.close()
        await journal.running()
        await asyncio.gather(*writing)

    kept = Kept()
    asyncio.run(write())
    assert len(kept.records) == 9


def test_a_writer_that_gave_up_does_not_hold_up_the_others() -> None:
    async def write() -> None:
        journal = Journal(kept)
        impatient = asyncio.ensure_future(journal.write({"n": 0}))
        await asyncio.sleep(0)
        impatient.cancel()
        patient = asyncio.ensure_future(journal.write({"n": 1}))
        await asyncio.sleep(0)
        journal.close()
        await journal.running()
        place = await patient
        assert kept.records[place.start] == {"n": 1}

    kept = Kept()
    asyncio.run(write())
