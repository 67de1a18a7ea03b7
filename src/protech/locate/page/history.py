"""One peer's history: what was seen of it and when, and what may follow from it; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from protech.locate.page.fold import Fold
from protech.locate.page.peer import Peer, Place, place_of
from protech.locate.page.proposal import Advice, advice
from protech.locate.page.ranking import Row, is_shared, row_of
from protech.locate.page.reading import Record, endpoint, fields, moment_of, text, words

ROWS = 50
WIDTH, LANE, LEFT, RIGHT, DOT = 720, 34, 44, 16, 6
COLUMNS = 160
"""Sightings closer together than that share a mark, which grows with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One conversation, as the log says it; times are as written there, UTC."""

    index: int
    level: int
    outcome: str
    started_at: str
    ended_at: str
    entry: str
    network: str
    transport: str
    peer_port: str
    local: str
    client: str
    claims: Mapping[str, int]
    proof: Mapping[str, int]
    request: bool
    sources: tuple[str, ...]
    attempts: int
    is_synchronised: bool
    error_ms: float | None
    place: Place = field(repr=False)
    countries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """So many sightings at a level at about one time, in the units of the drawing."""

    x: float
    radius: float
    level: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The marks of levels 4 and 3, and when the drawing begins and ends."""

    marks: tuple[Mark, ...]
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSeen:
    """A listed file that a peer shares, and how far that was shown."""

    entry: str
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that the page says of a peer."""

    row: Row
    port: int
    proposal: Advice
    first_proof_at: datetime | None
    last_proof_at: datetime | None
    files: tuple[FileSeen, ...]
    neighbours: tuple[Row, ...]
    timeline: Timeline
    lines: tuple[Line, ...]
    page: int
    pages: int


def places_to_read(peer: Peer, page: int) -> tuple[list[int], int, int]:
    """Return where in the log the lines of a page stand, latest first; the page; how many."""
    pages = max(1, -(-peer.sightings // ROWS))
    shown = min(max(1, page), pages)
    return peer.indices(skip=(shown - 1) * ROWS, limit=ROWS), shown, pages


def history(
    fold: Fold,
    peer: Peer,
    read: Iterable[tuple[int, Record]],
    *,
    page: int,
    pages: int,
) -> History:
    """Return a peer's history; ``read`` are the records of the page's lines."""
    at_address = fold.at_address(peer.key[1])
    first, last = peer.first_proof_ms, peer.last_proof_ms
    return History(
        row=row_of(fold, peer, 0),
        port=peer.key[2],
        proposal=advice(peer, is_shared=is_shared(fold, peer)),
        first_proof_at=None if first is None else moment_of(first),
        last_proof_at=None if last is None else moment_of(last),
        files=_files(fold, peer),
        neighbours=tuple(row_of(fold, one, 0) for one in at_address[:ROWS] if one is not peer),
        timeline=timeline(peer.moments()),
        lines=tuple(_line(index, record) for index, record in read),
        page=page,
        pages=pages,
    )


def timeline(moments: Sequence[tuple[int, int]]) -> Timeline:
    """Return the marks of sightings, given as time in ms and level."""
    first, last = min(ms for ms, _ in moments), max(ms for ms, _ in moments)
    counts: dict[tuple[int, int], int] = {}
    for ms, level in moments:
        column = round((ms - first) / (last - first) * COLUMNS) if last > first else 0
        counts[level, column] = counts.get((level, column), 0) + 1
    width = WIDTH - LEFT - RIGHT
    return Timeline(
        marks=tuple(
            Mark(
                x=LEFT + DOT + (width - 2 * DOT) * column / COLUMNS,
                radius=DOT * min(2.0, count**0.25),
                level=level,
                count=count,
            )
            for (level, column), count in sorted(counts.items())
        ),
        first_at=moment_of(first),
        last_at=moment_of(last),
    )


def _files(fold: Fold, peer: Peer) -> tuple[FileSeen, ...]:
    seen = [
        FileSeen(entry=fold.entries[number], level=level)
        for number, level in peer.entries.items()
    ]
    return tuple(sorted(seen, key=lambda one: (-one.level, one.entry)))


def _line(index: int, record: Record) -> Line:
    clock, place = fields(record.get("clock")), fields(record.get("place"))
    local, client = fields(record.get("local")), fields(record.get("client"))
    countries = place.get("countries", ())
    return Line(
        index=index,
        level=int(str(record["level"])),
        outcome=text(record, "outcome"),
        started_at=text(record, "started_at"),
        ended_at=text(record, "ended_at"),
        entry=text(record, "entry"),
        network=text(record, "network"),
        transport=text(record, "transport"),
        peer_port=text(fields(record.get("peer")), "port"),
        local=endpoint(text(local, "address"), local["port"]) if local else "",
        client=text(client, "name"),
        claims=fields(record.get("claims")),
        proof=fields(record.get("proof")),
        request=record.get("request_sha256") is not None,
        sources=words(record.get("sources")),
        attempts=int(text(record, "attempts") or 0),
        is_synchronised=bool(clock.get("synchronised")),
        error_ms=clock.get("error_ms"),
        place=place_of(place),
        countries=tuple((str(name), str(code or "")) for name, code in countries),
    )
