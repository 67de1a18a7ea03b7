"""How much of a video is like a listed one, and how much of the listed one is like it.

Source: ThreatExchange, threatexchange/extensions/vpdq/vpdq_index.py: of the distinct hashes of
good quality on each side, the share that has one of the other side within the radius.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from protech.lists.index import RADIUS_BITS, NearHits
from protech.types import MatchKind

QUERIES_AT_ONCE = 8
"""A frame that half of a list has, a logo, gives millions of pairs; they are counted and let go
before the next. Of a million frames all alike, 8 take 0.8 GB and 64 took 3.4; where nothing is
alike, 8 at once take a sixth more time than 64."""

Rows = NDArray[np.uint32]


class Frames(Protocol):
    """The frames of listed videos; ``lists.index.Index`` is one."""

    def near_all(
        self, kind: MatchKind, queries: NDArray[np.uint8], *, radius_bits: int
    ) -> NearHits:
        """Return every hash within the radius of each query."""

    def frames_of(self, row: int) -> int:
        """Return how many vPDQ hashes an entry has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """An entry with frames like those of a video; shares in percent, [0, 100].

    ``distance_bits`` is that of the two frames most alike.
    """

    row: int
    query_percent: float
    known_percent: float
    distance_bits: int


def likenesses(
    index: Frames, queries: NDArray[np.uint8], *, radius_bits: int = RADIUS_BITS
) -> list[Likeness]:
    """Return the entries most like a video, the most of the video first.

    An entry is left out where another has as much of both: whatever a policy asks of the two
    percentages, an entry that meets it is here if there was any.

    Args:
        index: Of the known list.
        queries: shape (k, 32), the distinct hashes of the video's frames of good quality.
        radius_bits: 0 to 256.

    Cost: k queries of the index, and memory for the pairs of 8 of them.
    """
    tally = _Tally()
    for begin in range(0, len(queries), QUERIES_AT_ONCE):
        part = queries[begin : begin + QUERIES_AT_ONCE]
        tally.add(index.near_all(MatchKind.VPDQ, part, radius_bits=radius_bits))
    rows, matched, known, distances = tally.totals()
    found = [
        Likeness(
            row=row,
            query_percent=100 * ours / len(queries),
            known_percent=100 * theirs / max(theirs, index.frames_of(row)),
            distance_bits=distance,
        )
        for row, ours, theirs, distance in zip(
            rows.tolist(), matched.tolist(), known.tolist(), distances.tolist(), strict=True
        )
    ]
    found.sort(key=lambda one: (-one.query_percent, -one.known_percent, one.row))
    best: list[Likeness] = []
    for one in found:
        if not best or one.known_percent > best[-1].known_percent:
            best.append(one)
    return best


class _Tally:
    """Counts per entry: queries that met it, hashes of it that were met, the least distance."""

    def __init__(self) -> None:
        self._matched: list[tuple[Rows, NDArray[np.intp]]] = []
        self._places: list[tuple[Rows, Rows]] = []
        self._nearest: list[tuple[Rows, NDArray[np.uint16]]] = []

    def add(self, hits: NearHits) -> None:
        """Count the pairs of some queries, which are never given again."""
        query, row, place, distance = hits
        pairs = np.unique(row.astype(np.uint64) << np.uint64(32) | query.astype(np.uint64))
        rows, matched = np.unique(
            (pairs >> np.uint64(32)).astype(np.uint32), return_counts=True
        )
        self._matched.append((rows, matched))
        places, at = np.unique(place, return_index=True)
        self._places.append((places, row[at]))
        self._nearest.append(_least(row, distance))

    def totals(self) -> tuple[Rows, NDArray[np.intp], NDArray[np.intp], NDArray[np.uint16]]:
        """Return rows, ascending, and for each the counts and the least distance."""
        if not self._matched:
            none = np.zeros(0, np.intp)
            return none.astype(np.uint32), none, none, none.astype(np.uint16)
        every, counts = _joined(self._matched)
        rows, where = np.unique(every, return_inverse=True)
        matched = np.zeros(len(rows), np.intp)
        np.add.at(matched, where, counts)
        places, row_of = _joined(self._places)
        _, at = np.unique(places, return_index=True)
        _, known = np.unique(row_of[at], return_counts=True)
        _, nearest = _least(*_joined(self._nearest))
        return rows, matched, known, nearest


def _joined[Left: np.generic, Right: np.generic](
    parts: list[tuple[NDArray[Left], NDArray[Right]]],
) -> tuple[NDArray[Left], NDArray[Right]]:
    left, right = zip(*parts, strict=True)
    return np.concatenate(left), np.concatenate(right)


def _least(rows: Rows, distances: NDArray[np.uint16]) -> tuple[Rows, NDArray[np.uint16]]:
    """Return each row once, ascending, with the least of its distances."""
    order = np.lexsort((distances, rows))
    found, first = np.unique(rows[order], return_index=True)
    return found, distances[order][first]
