"""The index's inner loops in NumPy, for where there was no compiler; slower, never different.

Functions and ``Searcher`` take and give what those of native/mih.c do, whose comments say how
tables, postings and groups are laid out.
"""

import errno
import os
from collections.abc import Buffer, Iterator
from functools import lru_cache
from itertools import accumulate, combinations

import numpy as np
from numpy.typing import NDArray

from protech.lists.bands import HASH_BITS, NOT_SEARCHED

GROUP = 16
CROWDED = 63
NO_PLACE = 2**32 - 1

CHUNK_HASHES = 32_768
"""1 MiB of hashes: what is compared in one go stays in the processor's cache."""

CHUNK_BYTES = 8 << 20

Range = NDArray[np.int64]


class Searcher:
    """A column of hashes and the bands it is searched by."""

    def __init__(
        self, hashes: Buffer, tables: Buffer, postings: Buffer, widths: Buffer, /
    ) -> None:
        """Take the arrays; ValueError where they do not fit together."""
        self._widths = bytes(widths)
        self._words = np.frombuffer(hashes, "<u8").reshape(-1, 4)
        count, bands = len(self._words), len(self._widths)
        ends = list(accumulate((1 << width for width in self._widths), initial=0))
        if bands and sum(self._widths) != HASH_BITS:
            raise ValueError("widths do not fit")
        flat = np.frombuffer(tables, np.uint8)
        if len(flat) != ends[-1]:
            raise ValueError("tables do not fit")
        self._tables = [
            flat[start : start + (1 << width)].view("<u4").reshape(-1, 4)
            for start, width in zip(ends, self._widths, strict=False)
        ]
        self._postings = np.frombuffer(postings, "<u4").reshape(bands, count)

    def nearest(self, queries: Buffer, radius: int, radii: Buffer, _path: int, /) -> bytes:
        """Return number, place and distance of the nearest for each query."""
        rows = []
        for number, places, distances in self._found(queries, radius, bytes(radii)):
            at = int(distances.argmin()) if len(distances) else None
            best = (NO_PLACE, NO_PLACE) if at is None else (places[at], distances[at])
            rows.append((number, *best))
        return np.array(rows, np.uint32).tobytes()

    def within(self, queries: Buffer, radius: int, radii: Buffer, _path: int, /) -> bytes:
        """Return number, place and distance of each pair within the radius."""
        return b"".join(
            np.stack([np.full_like(places, number), places, distances], axis=1)
            .astype(np.uint32)
            .tobytes()
            for number, places, distances in self._found(queries, radius, bytes(radii))
        )

    def _found(
        self, queries: Buffer, radius: int, radii: bytes
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Yield each query's number with places, ascending, and distances within the radius."""
        for number, query in enumerate(np.frombuffer(queries, "<u8").reshape(-1, 4)):
            places = self._candidates(query, radii) if radii else None
            if places is None:
                chunks = [
                    start + self._near(self._words[start : start + CHUNK_HASHES], query, radius)
                    for start in range(0, len(self._words), CHUNK_HASHES)
                ]
                places = np.concatenate(chunks) if chunks else np.zeros(0, np.int64)
            else:
                places = places[self._near(self._words[places], query, radius)]
            yield number, places, _distances(self._words[places], query)

    @staticmethod
    def _near(words: NDArray[np.uint64], query: NDArray[np.uint64], radius: int) -> Range:
        return np.flatnonzero(_distances(words, query) <= radius)

    def _candidates(self, query: NDArray[np.uint64], radii: bytes) -> Range | None:
        """Return every place that some band allows, ascending; None where they are too many."""
        budget = len(self._words) // 8 + 1024
        found, start = [np.zeros(0, np.uint32)], 0
        for number, (width, radius) in enumerate(zip(self._widths, radii, strict=True)):
            if radius != NOT_SEARCHED:
                value = band_values(query.reshape(1, 4), start, width)
                ranges = self._ranges(number, value ^ _masks(width, radius))
                budget -= int((ranges[1] - ranges[0]).sum())
                if budget < 0:
                    return None
                found.append(self._postings[number][_spread(*ranges)])
            start += width
        places = np.unique(np.concatenate(found)).astype(np.int64)
        if len(places) and places[-1] >= len(self._words):
            raise RuntimeError("tables and postings do not hold together")
        return places

    def _ranges(self, number: int, values: NDArray[np.uint32]) -> tuple[Range, Range]:
        """Return where each value's postings begin and end; of a crowded group, all of them."""
        table, count = self._tables[number], len(self._words)
        values = values.astype(np.int64)
        place, which = np.divmod(values, GROUP)
        groups, last = table[place], len(table) - 1
        bases, ends = groups[:, 0].astype(np.int64), _ends(groups, which)
        starts = np.where(which == 0, 0, _ends(groups, np.maximum(which - 1, 0)))
        is_crowded = ends == CROWDED
        following = np.where(place == last, count, table[np.minimum(place + 1, last), 0])
        begin = bases + np.where(is_crowded, 0, starts)
        end = np.where(is_crowded, following, bases + ends)
        if np.any(begin > end) or np.any(end > count):
            raise RuntimeError("tables and postings do not hold together")
        return begin, end


def _distances(words: NDArray[np.uint64], query: NDArray[np.uint64]) -> NDArray[np.int64]:
    distances: NDArray[np.int64] = np.bitwise_count(words ^ query).sum(axis=1, dtype=np.int64)
    return distances


def _ends(groups: NDArray[np.uint32], which: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the end number ``which`` of each group: 6 of its last 96 bits."""
    word, shift = np.divmod(6 * which, 32)
    rows = np.arange(len(groups))
    low, high = groups[rows, 1 + word], groups[rows, np.minimum(2 + word, 3)]
    both: NDArray[np.int64] = low.astype(np.int64) | (high.astype(np.int64) & 63) << 32
    return both >> shift & 63


def _spread(begin: Range, end: Range) -> Range:
    """Return the numbers from each ``begin`` up to its ``end``, one after the other."""
    lengths = end - begin
    before = np.cumsum(lengths) - lengths
    spread: Range = np.arange(int(lengths.sum())) + np.repeat(begin - before, lengths)
    return spread


@lru_cache(maxsize=64)
def _masks(width: int, flips: int) -> NDArray[np.uint32]:
    """Return every flip of at most ``flips`` of ``width`` bits."""
    chosen = (each for count in range(flips + 1) for each in combinations(range(width), count))
    return np.array([sum(1 << bit for bit in bits) for bits in chosen], np.uint32)


def band_values(words: NDArray[np.uint64], start: int, width: int) -> NDArray[np.uint32]:
    """Return the bits of each hash from ``start`` on; ``words`` has shape (n, 4)."""
    word, shift = divmod(start, 64)
    values = words[:, word] >> np.uint64(shift)
    if shift + width > 64:
        values |= words[:, word + 1] << np.uint64(64 - shift)
    return (values & np.uint64((1 << width) - 1)).astype(np.uint32)


def build_band(
    hashes: Buffer, start: int, width: int, table: Buffer, postings: Buffer, /
) -> None:
    """Fill in the table and the postings of one band."""
    values = band_values(np.frombuffer(hashes, "<u8").reshape(-1, 4), start, width)
    np.frombuffer(postings, "<u4")[:] = np.argsort(values, kind="stable")
    counts = np.bincount(values, minlength=1 << width).reshape(-1, GROUP)
    ends = counts.cumsum(axis=1)
    groups = np.frombuffer(table, "<u4").reshape(-1, 4)
    groups[:] = 0
    groups[:, 0] = ends[:, -1].cumsum() - ends[:, -1]
    ends[ends[:, -1] >= CROWDED] = CROWDED
    for i, each in enumerate(ends.T):
        word, shift = divmod(6 * i, 32)
        groups[:, 1 + word] |= (each << shift & 0xFFFFFFFF).astype(np.uint32)
        if shift > 26:
            groups[:, 2 + word] |= (each >> 32 - shift).astype(np.uint32)


def seals(data: Buffer, keys: NDArray[np.uint64], out: NDArray[np.uint64], /) -> None:
    """Fill in the seal of every block of ``data``."""
    characters = np.frombuffer(bytes(data) + bytes(-memoryview(data).nbytes % 4), "<u4")
    whole = len(characters) // len(keys)
    blocks = characters[: whole * len(keys)].reshape(whole, len(keys))
    for number, block in enumerate(blocks):
        out[number] = (block * keys).sum(dtype=np.uint64)
    rest = characters[whole * len(keys) :]
    if len(rest):
        out[whole] = (rest * keys[: len(rest)]).sum(dtype=np.uint64)


def file_seals(
    descriptor: int, at: int, size: int, keys: NDArray[np.uint64], out: NDArray[np.uint64], /
) -> None:
    """Fill in the seal of every block of a part of a file; OSError where it is shorter."""
    block = 4 * len(keys)
    step = max(CHUNK_BYTES // block, 1) * block
    for done in range(0, size, step):
        wanted = min(step, size - done)
        chunk = b""
        while len(chunk) < wanted:
            more = os.pread(descriptor, wanted - len(chunk), at + done + len(chunk))
            if not more:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            chunk += more
        first = done // block
        seals(chunk, keys, out[first : first + -(-wanted // block)])
