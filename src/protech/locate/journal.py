"""Puts records into the log of a case: many at once, each confirmed only once on the disk.

What arrives while one write is under way goes into the next one, so that a thousand sightings
cost a few writes and not a thousand.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

type Record = Mapping[str, object]

MOST_RECORDS = 4096
"""In one write; the rest waits for the next."""


class Appends(Protocol):
    """The log, as far as it is used here."""

    def append(self, records: Sequence[Record]) -> range:
        """Return the places of the records once they are on the disk."""
        ...


class Journal:
    """The only writer of a case's log in a run."""

    def __init__(self, log: Appends) -> None:
        """Take the log; ``running`` must be awaited for anything to be written."""
        self._log = log
        self._waiting: list[tuple[Sequence[Record], asyncio.Future[range]]] = []
        self._arrived = asyncio.Event()
        self._is_closed = False

    async def write(self, *records: Record) -> range:
        """Return the places of these records, in their order, once they are on the disk.

        Raises:
            ConfigError: They could not be written; none of them is in the log.
        """
        if self._is_closed:
            raise RuntimeError("the journal is closed")
        written: asyncio.Future[range] = asyncio.get_running_loop().create_future()
        self._waiting.append((records, written))
        self._arrived.set()
        return await written

    def close(self) -> None:
        """Take nothing more; ``running`` returns once all that came is on the disk."""
        self._is_closed = True
        self._arrived.set()

    async def running(self) -> None:
        """Write what comes, until ``close``.

        Raises:
            ProtechError: The log cannot be written; whoever waits is told the same.
        """
        while self._waiting or not self._is_closed:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._write_some()

    async def _write_some(self) -> None:
        taken = self._take()
        together = [record for records, _ in taken for record in records]
        try:
            places = await asyncio.to_thread(self._log.append, together)
        except BaseException as refused:
            for _, written in [*taken, *self._waiting]:
                if not written.done():
                    written.set_exception(refused)
                    written.exception()  # who waits for it may be gone by now
            self._waiting.clear()
            self._is_closed = True
            raise
        start = places.start
        for records, written in taken:
            if not written.done():
                written.set_result(range(start, start + len(records)))
            start += len(records)

    def _take(self) -> list[tuple[Sequence[Record], asyncio.Future[range]]]:
        """Take from the front as many as fit into one write, one group at least."""
        count = taken = 0
        for records, _ in self._waiting:
            if taken and count + len(records) > MOST_RECORDS:
                break
            count += len(records)
            taken += 1
        front, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return front
