"""The peers of a case filtered, counted by country and operator, and ranked; pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

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
    found.sort(key=_ORDER[query.sort])
    pages = max(1, -(-len(found) // ROWS))
    shown = query.but(page=min(query.page, pages))
    start = (shown.page - 1) * ROWS
    operators = _operators(found)
    return Ranking(
        query=shown,
        rows=tuple(
            row_of(fold, peer, start + place)
            for place, peer in enumerate(found[start : start + ROWS], start=1)
        ),
        found=len(found),
        delivered=sum(1 for peer in found if peer.level == DELIVERED),
        pages=pages,
        countries=_countries(kept),
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
        yield lambda peer: int(query.listed) in peer.lists
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


def _countries(peers: Sequence[Peer]) -> tuple[Share, ...]:
    counted = _counted(peers, lambda place: place.country or NO_COUNTRY)
    return _shares((key, key, key, *counts) for key, counts in counted.items())


def _operators(peers: Sequence[Peer]) -> tuple[Share, ...]:
    named = {peer.place.asn: peer.place for peer in peers}
    counted = _counted(peers, lambda place: place.asn)
    return _shares(
        (
            "" if asn is None else str(asn),
            named[asn].operator or "",
            named[asn].country or "",
            *counts,
        )
        for asn, counts in counted.items()
    )


def _counted[K](peers: Sequence[Peer], of: Callable[[Place], K]) -> dict[K, tuple[int, int]]:
    counted: dict[K, tuple[int, int]] = {}
    for peer in peers:
        key = of(peer.place)
        all_of_it, delivered = counted.get(key, (0, 0))
        counted[key] = (all_of_it + 1, delivered + (peer.level == DELIVERED))
    return counted


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
