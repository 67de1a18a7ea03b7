"""The peers of a case filtered, counted by country and operator, and ranked; pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import nsmallest

from protech.locate.page.fold import Fold
from protech.locate.page.peer import DELIVERED, Peer, Place
from protech.locate.page.query import NO_COUNTRY, WINDOWS_H, Query
from protech.locate.page.reading import endpoint, moment_of

ROWS = 25
OPERATORS = 12
HOUR_MS = 3600 * 1000

SHARED = "shared_address"
"""The one flag that the page can see by itself, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A peer in the list."""

    number: int
    rank: int
    level: int
    address: str = field(repr=False)
    network: str
    first_at: datetime
    last_at: datetime
    files: int
    proved_files: int
    sightings: int
    proofs: int
    place: Place = field(repr=False)
    shared: int
    """Peers seen at its address, itself included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many peers a country or an operator has, and how many of them delivered."""

    key: str
    name: str
    country: str
    peers: int
    delivered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """One page of the list, and what the whole of it adds up to."""

    query: Query
    rows: tuple[Row, ...]
    found: int
    delivered: int
    pages: int
    countries: tuple[Share, ...]
    """Without the filter by country, so that the map stays whole."""
    operators: tuple[Share, ...]
    operators_left: int


def ranking(fold: Fold, query: Query, *, now: datetime) -> Ranking:
    """Return the page of ``query``; an hour's window ends at ``now``, UTC.

    Cost: one pass over all peers of the case and one sort.
    """
    kept = _kept(fold, query, now)
    found = [peer for peer in kept if _has_country(peer, query.country)]
    pages = max(1, -(-len(found) // ROWS))
    shown = query.but(page=min(query.page, pages))
    start = (shown.page - 1) * ROWS
    top = nsmallest(start + ROWS, found, key=_ORDER[query.sort])
    operators = _operators(_by_place(found))
    return Ranking(
        query=shown,
        rows=tuple(
            row_of(fold, peer, start + place) for place, peer in enumerate(top[start:], start=1)
        ),
        found=len(found),
        delivered=sum(1 for peer in found if peer.level == DELIVERED),
        pages=pages,
        countries=_countries(_by_place(kept)),
        operators=operators[:OPERATORS],
        operators_left=max(0, len(operators) - OPERATORS),
    )


_ORDER: Mapping[str, Callable[[Peer], tuple[int, ...]]] = {
    "level": lambda peer: (-peer.level, -peer.last_ms, peer.number),
    "recent": lambda peer: (-peer.last_ms, -peer.level, peer.number),
    "files": lambda peer: (-len(peer.entries), -peer.level, -peer.last_ms, peer.number),
    "activity": lambda peer: (-peer.sightings, -peer.level, -peer.last_ms, peer.number),
}


def _kept(fold: Fold, query: Query, now: datetime) -> list[Peer]:
    """Return the peers that pass every filter but the country."""
    conditions = list(_conditions(fold, query, now))
    return [peer for peer in fold.peers.values() if all(holds(peer) for holds in conditions)]


def _conditions(fold: Fold, query: Query, now: datetime) -> Iterator[Callable[[Peer], bool]]:
    if query.level:
        yield lambda peer: peer.level == int(query.level)
    if query.verdict:
        yield lambda peer: peer.place.verdict == query.verdict
    if query.network:
        yield lambda peer: peer.key[0] == query.network
    if query.asn:
        yield lambda peer: peer.place.asn == int(query.asn)
    if query.listed:
        yield lambda peer: bool(peer.lists >> int(query.listed) & 1)
    if query.entry:
        number = fold.number_of(query.entry)
        yield lambda peer: number in peer.entries
    if query.flag:
        yield _flagged(fold, query.flag)
    if query.window:
        since = round(now.timestamp() * 1000) - WINDOWS_H[query.window] * HOUR_MS
        yield lambda peer: peer.last_ms >= since


def _flagged(fold: Fold, flag: str) -> Callable[[Peer], bool]:
    if flag == SHARED:
        return lambda peer: is_shared(fold, peer)
    return lambda peer: flag in peer.place.flags


def _has_country(peer: Peer, country: str) -> bool:
    return not country or (peer.place.country or NO_COUNTRY) == country


type Counted = tuple[Place, tuple[int, int]]
"""A place, how many peers it has, and how many of them delivered."""


def _by_place(found: Sequence[Peer]) -> list[Counted]:
    counted: dict[int, list[int]] = {}
    places: dict[int, Place] = {}
    for peer in found:
        same = id(peer.place)  # the fold keeps one of each
        counts = counted.get(same)
        if counts is None:
            counts = counted[same] = [0, 0]
            places[same] = peer.place
        counts[0] += 1
        counts[1] += peer.level == DELIVERED
    return [(places[same], (counts[0], counts[1])) for same, counts in counted.items()]


def _countries(counted: Sequence[Counted]) -> tuple[Share, ...]:
    added = _added(counted, lambda place: place.country or NO_COUNTRY)
    return _shares(
        (key, key, key, peers, of_them) for key, (_, (peers, of_them)) in added.items()
    )


def _operators(counted: Sequence[Counted]) -> tuple[Share, ...]:
    added = _added(counted, lambda place: place.asn)
    return _shares(
        (
            "" if asn is None else str(asn),
            place.operator or "",
            place.country or "",
            peers,
            of_them,
        )
        for asn, (place, (peers, of_them)) in added.items()
    )


def _added[K](counted: Sequence[Counted], of: Callable[[Place], K]) -> dict[K, Counted]:
    added: dict[K, Counted] = {}
    for place, (peers, delivered) in counted:
        _, (so_far, delivered_so_far) = added.get(of(place), (place, (0, 0)))
        added[of(place)] = (place, (so_far + peers, delivered_so_far + delivered))
    return added


def _shares(counted: Iterator[tuple[str, str, str, int, int]]) -> tuple[Share, ...]:
    shares = [
        Share(key=key, name=name, country=country, peers=peers, delivered=delivered)
        for key, name, country, peers, delivered in counted
    ]
    return tuple(sorted(shares, key=lambda one: (-one.peers, -one.delivered, one.key)))


def is_shared(fold: Fold, peer: Peer) -> bool:
    """Return whether several peers were seen at an address, by the page or by the run."""
    return SHARED in peer.place.flags or len(fold.at_address(peer.key[1])) > 1


def row_of(fold: Fold, peer: Peer, rank: int) -> Row:
    """Return a peer as a row; ``rank`` counts from 1."""
    return Row(
        number=peer.number,
        rank=rank,
        level=peer.level,
        address=endpoint(*peer.key[1:]),
        network=peer.key[0],
        first_at=moment_of(peer.first_ms),
        last_at=moment_of(peer.last_ms),
        files=len(peer.entries),
        proved_files=peer.proved_entries,
        sightings=peer.sightings,
        proofs=peer.proofs,
        place=peer.place,
        shared=len(fold.at_address(peer.key[1])),
    )
