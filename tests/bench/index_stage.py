"""What the benches of the index share: hashes, queries, batches, and what a process holds."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protech.lists.batch import COLUMNS, Batch
from protech.lists.entries import WIDTHS

RADIUS_BITS = 31

PLANTED_BITS = (0, 8, 16, 24, 28, 31)

BATCH = 8192

Hashes = NDArray[np.uint8]


def hashes(count: int, *, seed: int = 1) -> Hashes:
    """Return random hashes, shape (count, 32)."""
    return np.random.default_rng(seed).integers(0, 256, (count, 32), np.uint8)


def queries(known: Hashes, count: int, *, seed: int = 2) -> Hashes:
    """Return queries, half of them 0 to 31 bits from a known hash, half near none."""
    random = np.random.default_rng(seed)
    found = random.integers(0, 256, (count, 32), np.uint8)
    planted = known[random.integers(0, len(known), len(found[::2]))]
    bits = np.resize(PLANTED_BITS, len(planted))
    ranks = random.random((len(planted), 256)).argsort(axis=1).argsort(axis=1)
    found[::2] = planted ^ np.packbits(ranks < bits[:, None], axis=1)
    return found


def batches(columns: dict[str, Hashes]) -> Iterator[Batch]:
    """Yield entries that have one identifier of each column."""
    [count] = {len(column) for column in columns.values()}
    missing = [kind for kind in COLUMNS if kind not in columns]
    for at in range(0, count, BATCH):
        some = {kind: column[at : at + BATCH] for kind, column in columns.items()}
        rows = np.arange(min(BATCH, count - at), dtype=np.uint32)
        yield Batch(
            count=len(rows),
            rows=dict.fromkeys(some, rows) | dict.fromkeys(missing, rows[:0]),
            raw=some | {kind: np.zeros((0, WIDTHS[kind]), np.uint8) for kind in missing},
        )


def resident_mb(*kinds: str) -> float:
    """Return what this process holds, in MB: VmRSS, RssAnon, RssFile or VmHWM of /proc."""
    fields = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines()
    )
    return sum(int(fields[kind].split()[0]) for kind in kinds) * 1024 / 1e6


def size_mb(directory: Path) -> float:
    """Return the size of all files of a directory, in MB."""
    return sum(path.stat().st_size for path in directory.iterdir()) / 1e6


def hold(what: str, place: str) -> None:
    """Open an index of ours or of faiss and ask it; print milliseconds and growth in MB.

    What faiss takes is kept away from its own end, so that this process ends at once.
    """
    asked = queries(hashes(1), 1000)
    before = resident_mb("VmRSS")
    if what == "ours":
        from protech.lists.index import Index
        from protech.types import MatchKind

        begin = time.perf_counter()
        index = Index.open(Path(place))
        took_ms = (time.perf_counter() - begin) * 1000
        index.near_all(MatchKind.PDQ, asked, radius_bits=RADIUS_BITS)
    else:
        import faiss

        begin = time.perf_counter()
        theirs = faiss.read_index_binary(place)
        took_ms = (time.perf_counter() - begin) * 1000
        theirs.range_search(asked[:20], RADIUS_BITS + 1)
    print(took_ms, resident_mb("VmRSS") - before, flush=True)
    os._exit(0)


if __name__ == "__main__":
    hold(*sys.argv[1:])
