"""Keeps the state of a case up to date with its log, a stretch at a time."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from protech.locate.page.fold import Fold
from protech.locate.page.header import LogState
from protech.locate.page.reading import Record
from protech.locate.report.self_test import SelfTest

STRETCH = 10_000
"""Records read for one look: a second or so, so that a long log does not hold the page up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the page's facts come from.

    ``records`` yields the log from an index on, each with its index, as far as it is written;
    it may be asked again while the log grows.
    """

    records: Callable[[int], Iterable[tuple[int, Record]]]
    state: Callable[[], LogState]
    self_test: SelfTest | None = None
    """What was measured of this build, if it was."""


class Follower:
    """The one state of a case; whoever looks at it waits for who does."""

    def __init__(self, sources: Sources) -> None:
        """Read nothing yet."""
        self._sources = sources
        self._fold = Fold()
        self._lock = threading.Lock()

    @contextmanager
    def looking(self) -> Iterator[tuple[Fold, LogState]]:
        """Read on for a stretch, then lend the state and the log's own until the end."""
        with self._lock:
            log = self._sources.state()
            for index, record in islice(self._sources.records(self._fold.size), STRETCH):
                self._fold.add(index, record)
            yield self._fold, log

    def read(self, indices: Iterable[int]) -> Iterator[tuple[int, Record]]:
        """Yield the records at these places of the log."""
        for index in indices:
            yield from islice(self._sources.records(index), 1)
