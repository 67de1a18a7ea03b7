"""A known list in use: its index, what it says of itself, and whether it has expired."""

import json
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from protech.errors import TrustError
from protech.lists.alike import likenesses
from protech.lists.clock import Clock, utc_now
from protech.lists.entries import BadEntry, Category, Reading
from protech.lists.formats.own import parse_header
from protech.lists.index import RADIUS_BITS, Hit, Index
from protech.types import Digests, ListRef, Match, MatchKind, PdqHash


class KnownList:
    """A known list in use; safe between threads."""

    def __init__(
        self, index: Index, *, clock: Clock = utc_now, fresh_until: datetime | None = None
    ) -> None:
        """Take an index as ``lists.indexes`` makes it from a list.

        After ``fresh_until`` nobody has vouched that there is no newer version.
        """
        self.header = parse_header(json.dumps(index.about["header"]).encode())
        self.index = index
        self.reading = _reading(index)
        self._clock = clock
        ends = (self.header.expires_at, fresh_until)
        self._fresh_until = min((end for end in ends if end is not None), default=None)

    @property
    def ref(self) -> ListRef:
        """Name, version, and whether it has expired by now."""
        fresh_until = self._fresh_until
        is_stale = fresh_until is not None and self._clock() >= fresh_until
        return ListRef(name=self.header.name, version=self.header.version, stale=is_stale)

    def counts(self) -> dict[MatchKind, int]:
        """Return how many identifiers of each kind it has."""
        return {kind: self.index.count(kind) for kind in MatchKind}

    def exact(self, digests: Digests) -> list[Match]:
        """Return a match for each of the three digests that is listed."""
        return self._matches(self.index.exact(digests))

    def near(self, hashes: Sequence[PdqHash], *, radius_bits: int = RADIUS_BITS) -> list[Match]:
        """Return the nearest entries within ``radius_bits``, as ``Index.near`` does.

        A list of harmless files has none: what looks like one of them may be anything.
        """
        if self.header.is_known_good:
            return []
        return self._matches(self.index.near(hashes, radius_bits=radius_bits))

    def near_video(self, queries: NDArray[np.uint8]) -> list[Match]:
        """Return the entries most like a video, as ``alike.likenesses`` does.

        Args:
            queries: shape (k, 32), the distinct hashes of its frames of good quality.
        """
        if self.header.is_known_good:
            return []
        source = self.ref
        return [
            Match(
                source=source,
                kind=MatchKind.VPDQ,
                entry=self._label(one.row),
                distance_bits=one.distance_bits,
                query_percent=one.query_percent,
                known_percent=one.known_percent,
            )
            for one in likenesses(self.index, queries)
        ]

    def _label(self, row: int) -> str | None:
        """Return an entry's own name, which only own lists show."""
        return self.index.label(row) if self.header.category is Category.OWN else None

    def _matches(self, hits: Sequence[Hit]) -> list[Match]:
        source = self.ref
        return [
            Match(
                source=source,
                kind=hit.kind,
                entry=self._label(hit.row),
                distance_bits=hit.distance_bits,
                quality=hit.quality,
                is_known_good=self.header.is_known_good,
            )
            for hit in hits
        ]

    def check_use(self, use: str | None) -> None:
        """Check that it may be used so; None is only to look at it.

        Raises:
            TrustError: Its maker does not allow this use.
        """
        if use is not None and use not in self.header.uses:
            raise TrustError(
                f"The known list {self.header.name!r} is for"
                f" {', '.join(sorted(self.header.uses))}, not for {use}; leave it out, or ask"
                " its maker for one that allows this use."
            )


def _reading(index: Index) -> Reading:
    about = index.about
    first_bad = (BadEntry(line=line, reason=reason) for line, reason in about["first_bad"])
    return Reading(entries=about["entries"], bad=about["bad"], first_bad=tuple(first_bad))
