"""How many items were hidden: day, surface, reason and count, and nothing else.

A day is the person's own calendar day, as their clock shows it; no time of day is kept. These
are counts of hidden images, never of attempts, and they stay on the device.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from protech.db import Database
from protech.serve.detector_wire import Surface
from protech.types import Reason

FORMAT_VERSION = 1
KEEP_DAYS = 30

SCHEMA = (
    """CREATE TABLE counts (
        day TEXT NOT NULL, surface TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY (day, surface, reason)
    ) STRICT, WITHOUT ROWID""",
)
ADD = (
    "INSERT INTO counts (day, surface, reason, count) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (day, surface, reason) DO UPDATE SET count = count + excluded.count"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How often ``reason`` hid something on ``surface`` during ``day``."""

    day: date
    surface: Surface
    reason: Reason
    count: int


class Record:
    """The counts of this device; a count is on the disk when its call returns."""

    def __init__(self, database: Database) -> None:
        """Take the database; ``open`` makes it."""
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or begin the record at ``path``.

        Raises:
            ConfigError: The file cannot be used.
        """
        return cls(Database.open(path, schema=SCHEMA, version=FORMAT_VERSION))

    def count(
        self, *, day: date, surface: Surface | str, reason: Reason | str, times: int = 1
    ) -> None:
        """Add ``times`` to one count."""
        self.count_all(Counter({(day, Surface(surface), Reason(reason)): times}))

    def count_all(self, counts: Mapping[tuple[date, Surface, Reason], int]) -> None:
        """Add several counts at once, all of them or none; one disk write for them all."""
        rows = [
            (day.isoformat(), surface.value, reason.value, times)
            for (day, surface, reason), times in counts.items()
        ]
        self._database.write(ADD, rows)

    def counts(self, *, since: date) -> list[Count]:
        """Return the counts from ``since`` on, by day, surface and reason."""
        rows = self._database.read(
            "SELECT day, surface, reason, count FROM counts WHERE day >= ?"
            " ORDER BY day, surface, reason",
            (since.isoformat(),),
        )
        return [
            Count(
                day=date.fromisoformat(str(day)),
                surface=Surface(str(surface)),
                reason=Reason(str(reason)),
                count=int(count or 0),
            )
            for day, surface, reason, count in rows
        ]

    def trim(self, *, today: date, keep_days: int = KEEP_DAYS) -> None:
        """Delete what is older than ``keep_days``, today counted as the first of them."""
        oldest = today - timedelta(days=keep_days - 1)
        self._database.write("DELETE FROM counts WHERE day < ?", [(oldest.isoformat(),)])

    def forget(self) -> None:
        """Delete every count."""
        self._database.write("DELETE FROM counts", [()])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        """Return the record itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()


def day_of(moment: datetime) -> date:
    """Return the person's own calendar day of ``moment``, which is aware of its zone."""
    return moment.astimezone().date()
