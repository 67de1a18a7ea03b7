"""Columns of an index while it is built: in bounded memory, whatever the list's size.

Digests are spooled in runs, each grouped by the digests' leading byte; then the groups of all
runs are sorted, one byte after the other. Hashes go to their part as they come; the tables of
their bands are made from the mapped part, a few bands at a time.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import accumulate, islice

import numpy as np
from numpy.typing import NDArray

from protech.lists import kernel
from protech.lists.bands import widths_for
from protech.lists.batch import Batch
from protech.lists.entries import WIDTHS
from protech.lists.parts import File
from protech.lists.seals import Sealing
from protech.types import MatchKind

Raw = NDArray[np.uint8]
Rows = NDArray[np.uint32]

DIGESTS = (MatchKind.SHA256, MatchKind.SHA1, MatchKind.MD5)
HASHES = (MatchKind.PDQ, MatchKind.VPDQ)

RUN = 1 << 18
"""Digests sorted in memory at a time: 14 MB of SHA-256."""

LEADS = 256

FILTER_BITS = 3
"""The filter has 2^3 to 2^4 bits for each digest: one or two bytes, against the digest's 20 to
36. One bit is set for each, the one its leading bits name, so of what is not listed one in 8 to
16 passes on to the binary search. That takes about as long as ten looks at the filter, so a
filter of half the size would cost more time than it saves, and one of twice the size fewer than
a tenth: past the filter's own look, little is left to save. It stays in memory where the sorted
digests need not: 20 million have 32 MB."""

LEAST_FILTER_BITS = 11
"""So that each leading byte has whole bytes of the filter."""

BANDS_AT_ONCE = 4
"""Bands in the making, at most: 8 bytes for each hash and band of passing memory."""


def filter_bits(count: int) -> int:
    """Return how many leading bits of a digest name its bit in the filter of ``count``."""
    return max((count - 1).bit_length() + FILTER_BITS, LEAST_FILTER_BITS)


class DigestColumn:
    """Digests of one kind on their way into order."""

    def __init__(self, kind: MatchKind, width: int, scratch: File) -> None:
        """Take a file for what does not stay in memory."""
        self._kind, self._scratch = kind, scratch
        self._record = np.dtype([("digest", np.uint8, (width,)), ("row", "<u4")])
        self._waiting: list[NDArray[np.void]] = []
        self._waiting_count = 0
        self._runs: list[tuple[int, ...]] = []
        self._spooled = 0

    def add(self, digests: Raw, rows: Rows) -> None:
        """Append ``digests``, shape (n, width), of entries ``rows``, ascending."""
        records = np.empty(len(rows), self._record)
        records["digest"], records["row"] = digests, rows
        self._waiting.append(records)
        self._waiting_count += len(records)
        if self._waiting_count >= RUN:
            self._spool()

    def write(self, sealing: Sealing) -> None:
        """Write digests and rows in the order of the digests, then of the rows; the filter."""
        digests = sealing.part(f"{self._kind}.digests")
        rows = sealing.part(f"{self._kind}.rows")
        named = sealing.part(f"{self._kind}.filter")
        bits = filter_bits(self._spooled + self._waiting_count)
        for first, last, group in self._groups():
            records = group[_order(group["digest"])]
            digests.write(np.ascontiguousarray(records["digest"]))
            rows.write(np.ascontiguousarray(records["row"]))
            is_named = np.zeros((last - first) << bits - 8, bool)
            is_named[leading(records["digest"], bits) - np.uint64(first << bits - 8)] = True
            named.write(np.packbits(is_named, bitorder="little"))

    def _spool(self) -> None:
        run = np.concatenate(self._waiting)
        leads = run["digest"][:, 0]
        self._scratch.write(run[np.argsort(leads, kind="stable")].view(np.uint8))
        counts = np.bincount(leads, minlength=LEADS).tolist()
        self._runs.append(tuple(accumulate(counts, initial=self._spooled)))
        self._spooled += len(run)
        self._waiting, self._waiting_count = [], 0

    def _groups(self) -> Iterator[tuple[int, int, NDArray[np.void]]]:
        """Yield digests by leading byte, from the first to before the last, rows ascending."""
        if not self._runs:
            yield 0, LEADS, np.concatenate([np.empty(0, self._record), *self._waiting])
            return
        if self._waiting:
            self._spool()
        size = self._record.itemsize
        for lead in range(LEADS):
            parts = [
                self._scratch.read_at(run[lead] * size, (run[lead + 1] - run[lead]) * size)
                for run in self._runs
            ]
            yield lead, lead + 1, np.concatenate(parts).view(self._record)


def leading(digests: Raw, bits: int) -> NDArray[np.uint64]:
    """Return the first ``bits`` bits of each digest, as a number."""
    words = np.ascontiguousarray(digests[:, :8]).view(">u8")[:, 0].astype(np.uint64)
    return words >> np.uint64(64 - bits)


def _order(digests: Raw) -> NDArray[np.intp]:
    """Return what sorts ``digests``; equal ones stay in their order."""
    prefixes = leading(digests, 64)
    order = np.argsort(prefixes, kind="stable")
    is_same = prefixes[order[1:]] == prefixes[order[:-1]]
    pairs = digests[order[1:][is_same]] != digests[order[:-1][is_same]]
    if pairs.any():  # as good as never, save in a list made for it
        order = np.lexsort(digests.T[::-1])
    return order


class HashColumn:
    """Hashes of one kind, in the order of their entries, and their bands."""

    def __init__(self, kind: MatchKind, sealing: Sealing) -> None:
        """Begin the column's parts."""
        self._kind, self._sealing = kind, sealing
        self._hashes = sealing.part(f"{kind}.hashes")
        self._rows = sealing.part(f"{kind}.rows")

    def add(self, hashes: Raw, rows: Rows) -> None:
        """Append ``hashes``, shape (n, 32), of entries ``rows``, ascending."""
        self._hashes.write(np.ascontiguousarray(hashes))
        self._rows.write(rows.astype("<u4"))

    def write(self) -> None:
        """Write the tables and postings of all bands."""
        tables = self._sealing.part(f"{self._kind}.tables")
        postings = self._sealing.part(f"{self._kind}.postings")
        for table, places in _bands(self._hashes.view().reshape(-1, kernel.HASH_BYTES)):
            tables.write(table)
            postings.write(places)


def _bands(hashes: Raw) -> Iterator[tuple[Raw, Rows]]:
    """Yield table and postings of each band; each thread makes one, in turn."""
    widths = widths_for(len(hashes))
    starts = accumulate(widths, initial=0)
    tasks = iter(
        [
            partial(kernel.band, hashes, start=start, width=width)
            for start, width in zip(starts, widths, strict=False)
        ]
    )
    threads = min(BANDS_AT_ONCE, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        making: deque[Future[tuple[Raw, Rows]]] = deque()
        making.extend(pool.submit(task) for task in islice(tasks, threads))
        while making:
            made = making.popleft().result()
            making.extend(pool.submit(task) for task in islice(tasks, 1))
            yield made


class LabelColumn:
    """Labels of the entries that have one."""

    def __init__(self, sealing: Sealing) -> None:
        """Begin the column's parts."""
        self._labels = sealing.part("labels")
        self._rows = sealing.part("labels.rows")
        self._ends = sealing.part("labels.ends")
        self._end = 0

    def add(self, labels: tuple[str | None, ...], *, first: int) -> None:
        """Append the labels of the entries from ``first`` on."""
        kept = [(row, label) for row, label in enumerate(labels, first) if label is not None]
        if not kept:
            return
        texts = [label.encode(errors="replace") for _, label in kept]
        ends = np.cumsum([len(text) for text in texts], dtype="<u8") + np.uint64(self._end)
        self._end = int(ends[-1])
        self._labels.write(b"".join(texts))
        self._rows.write(np.array([row for row, _ in kept], "<u4"))
        self._ends.write(ends)


class Columns:
    """All columns of an index, entry after entry."""

    def __init__(self, sealing: Sealing, scratch: Callable[[str], File]) -> None:
        """Begin them; ``scratch`` makes a file that nobody needs afterwards."""
        self.entries = 0
        self._sealing = sealing
        self._digests = {
            kind: DigestColumn(kind, WIDTHS[kind], scratch(f"{kind}.runs")) for kind in DIGESTS
        }
        self._hashes = {kind: HashColumn(kind, sealing) for kind in HASHES}
        self._labels = LabelColumn(sealing)

    def add(self, batch: Batch) -> None:
        """Append the entries of ``batch``."""
        first = np.uint32(self.entries)
        columns: dict[MatchKind, DigestColumn | HashColumn] = {**self._digests, **self._hashes}
        for kind, column in columns.items():
            if len(batch.rows[kind]):
                column.add(batch.raw[kind], batch.rows[kind] + first)
        self._labels.add(batch.labels, first=self.entries)
        self.entries += batch.count

    def write(self) -> None:
        """Write what could not be written before all entries were seen."""
        for digests in self._digests.values():
            digests.write(self._sealing)
        for hashes in self._hashes.values():
            hashes.write()
