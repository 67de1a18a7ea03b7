"""What the sightings of a case come to: by peer, country, operator, entry and hour.

Peers and entries are for the page and the report of the case. What may be exported is
``aggregates`` alone: numbers by country, operator and day, without a peer, a port, an entry, or
a group so small that it would point at somebody.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, cast

from protech.locate.leases import from_ms, to_ms
from protech.locate.parquet import Cell, Table

FEWEST = 5
"""Groups of fewer peers are exported together as "other"."""

_WHO = "coalesce(address || ' ' || port, pseudonym)"
"""A peer: an address and port, or a pseudonym where no record names it."""

_SPAN = "at_ms >= ? AND at_ms < ?"

_PEERS = (
    "SELECT address, port, count(*), max(level), count(DISTINCT entry), min(at_ms),"  # noqa: S608 - our own words
    " max(at_ms), count(*) FILTER (level = 4), any_value(country), any_value(asn),"
    " any_value(operator)"
    f" FROM sightings WHERE level >= 3 AND {_SPAN} GROUP BY address, port"
    " ORDER BY max(level) DESC, count(*) FILTER (level = 4) DESC, count(DISTINCT entry) DESC,"
    " max(at_ms) DESC, address, port LIMIT ?"
)
_GROUPS = (
    f"SELECT coalesce({{by}}, ''), count(*), count(DISTINCT {_WHO}),"  # noqa: S608 - our own words
    f" count(DISTINCT {_WHO}) FILTER (level >= 3), count(DISTINCT {_WHO}) FILTER (level = 4),"
    f" max(at_ms) FROM sightings WHERE {_SPAN} GROUP BY 1 ORDER BY 3 DESC, 1"
)
_ACTIVITY = (
    f"SELECT at_ms // ?, level, count(*), count(DISTINCT {_WHO}) FROM sightings"  # noqa: S608 - our own words
    f" WHERE {_SPAN} GROUP BY 1, 2 ORDER BY 1, 2"
)

Group = Literal["country", "operator", "entry"]
_BY = {
    "country": "country",
    "operator": "CASE WHEN asn IS NULL THEN NULL ELSE"
    " 'AS' || asn || coalesce(' ' || operator, '') END",
    "entry": "entry",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From ``start`` up to before ``end``; None: from the first, up to the last."""

    start: datetime | None = None
    end: datetime | None = None

    @property
    def values(self) -> tuple[int, int]:
        """The two as the table has them."""
        start = 0 if self.start is None else to_ms(self.start)
        return start, 1 << 62 if self.end is None else to_ms(self.end)


ALWAYS = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRow:
    """One peer that a record names, and what was seen of it."""

    address: str = field(repr=False)
    port: int = field(repr=False)
    sightings: int
    level: int
    entries: int
    first_at: datetime
    last_at: datetime
    delivered: int
    country: str | None
    asn: int | None
    operator: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One country, operator or entry; ``name`` is empty where it is not known."""

    name: str
    sightings: int
    peers: int
    claiming: int
    """Peers of level 3 and above."""
    delivering: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRow:
    """The sightings of one level in one hour or day, which begins at ``at``."""

    at: datetime
    level: int
    sightings: int
    peers: int


def top_peers(table: Table, *, most: int = 100, span: Span = ALWAYS) -> list[PeerRow]:
    """Return the peers of level 3 and above, the best proved and most active first."""
    return [
        PeerRow(
            address=_text(row[0]),
            port=_number(row[1]),
            sightings=_number(row[2]),
            level=_number(row[3]),
            entries=_number(row[4]),
            first_at=from_ms(_number(row[5])),
            last_at=from_ms(_number(row[6])),
            delivered=_number(row[7]),
            country=cast("str | None", row[8]),
            asn=cast("int | None", row[9]),
            operator=cast("str | None", row[10]),
        )
        for row in table.rows(_PEERS, (*span.values, most))
    ]


def by(group: Group, table: Table, *, span: Span = ALWAYS) -> list[GroupRow]:
    """Return the sightings by country, operator or entry, that with most peers first."""
    return [
        GroupRow(
            name=_text(name),
            sightings=_number(sightings),
            peers=_number(peers),
            claiming=_number(claiming),
            delivering=_number(delivering),
            last_at=from_ms(_number(last_ms)),
        )
        for name, sightings, peers, claiming, delivering, last_ms in table.rows(
            _GROUPS.format(by=_BY[group]), span.values
        )
    ]


def activity(
    table: Table, *, every: timedelta = timedelta(hours=1), span: Span = ALWAYS
) -> list[ActivityRow]:
    """Return the sightings over time by level; steps without any are left out."""
    step_ms = every // timedelta(milliseconds=1)
    return [
        ActivityRow(
            at=from_ms(_number(step) * step_ms),
            level=_number(level),
            sightings=_number(sightings),
            peers=_number(peers),
        )
        for step, level, sightings, peers in table.rows(_ACTIVITY, (step_ms, *span.values))
    ]


def aggregates(table: Table, *, span: Span = ALWAYS) -> dict[str, object]:
    """Return all that an operator may export, as JSON values."""
    return {
        "v": 1,
        "fewest_peers": FEWEST,
        "countries": _exported(by("country", table, span=span)),
        "operators": _exported(by("operator", table, span=span)),
        "days": [
            {"day": row.at.date().isoformat(), "level": row.level, "sightings": row.sightings}
            for row in activity(table, every=timedelta(days=1), span=span)
            if row.peers >= FEWEST
        ],
    }


def _exported(rows: Sequence[GroupRow]) -> list[dict[str, object]]:
    """Return groups without those that are too small, which stand together at the end."""
    shown = [row for row in rows if row.peers >= FEWEST]
    small = [row for row in rows if row.peers < FEWEST]
    written = [_numbers(row.name or "unknown", [row]) for row in shown]
    together = _numbers("other", small)
    if sum(row.peers for row in small) >= FEWEST:
        written.append(together)
    return written


def _numbers(name: str, rows: Sequence[GroupRow]) -> dict[str, object]:
    return {
        "name": name,
        "sightings": sum(row.sightings for row in rows),
        "peers": sum(row.peers for row in rows),
        "claiming": _few_hidden(sum(row.claiming for row in rows)),
        "delivering": _few_hidden(sum(row.delivering for row in rows)),
    }


def _few_hidden(peers: int) -> int | None:
    """Return how many peers there are; None where they are so few that they can be told."""
    return None if 0 < peers < FEWEST else peers


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell)


def _number(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0
