"""The index at the size of a whole country's lists: how long, how much memory, how fast.

    python -m tests.bench.index_at_scale [ENTRIES]

Each entry has MD5, SHA-1, SHA-256 and one PDQ hash, all random; 20 million by default, which
take 4 GB of disk twice over while they are built. Prints one JSON object: seconds, MB, ms.
Memory is what the building process itself takes (anonymous, at its peak) and what a new process
grows by that opens the index and searches it (mapped pages counted).
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from protech.lists.batch import Batch
from protech.lists.entries import WIDTHS
from protech.lists.index import Index, build
from protech.types import Digests, MatchKind, PdqHash
from tests.bench.index_stage import batches, hashes, queries, resident_mb, size_mb

ENTRIES = 20_000_000

STEP = 500_000

ASKED = 2_000

KINDS = ("md5", "sha1", "sha256", "pdq")


def entries(count: int) -> Iterator[Batch]:
    """Yield random entries; never all of them at once, as from a reader."""
    for seed in range(0, count, STEP):
        some = min(STEP, count - seed)
        raw = {
            kind: np.random.default_rng((seed, number)).integers(
                0, 256, (some, WIDTHS[kind]), np.uint8
            )
            for number, kind in enumerate(KINDS)
        }
        yield from batches(raw)


class Peak:
    """Watches this process' own memory until it is asked for the most it took."""

    def __init__(self) -> None:
        """Begin to watch."""
        self.mb = resident_mb("RssAnon")
        self._first_mb = self.mb
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def grown_mb(self) -> float:
        """Return by how much it grew at most."""
        self._is_done.set()
        self._thread.join()
        return self.mb - self._first_mb

    def _watch(self) -> None:
        while not self._is_done.wait(0.05):
            self.mb = max(self.mb, resident_mb("RssAnon"))


def built(count: int, place: Path) -> dict[str, float]:
    """Build the index; return how long it took beyond making the entries, and how much."""
    begin = time.perf_counter()
    for _ in entries(count):
        pass
    made_s = time.perf_counter() - begin
    peak = Peak()
    begin = time.perf_counter()
    build(entries(count), place)
    took_s = time.perf_counter() - begin - made_s
    return {
        "build_s": took_s,
        "build_entries_per_s": count / took_s,
        "build_memory_mb": peak.grown_mb(),
        "disk_mb": size_mb(place),
        "bytes_per_entry": size_mb(place) * 1e6 / count,
    }


def searched(count: int, place: Path) -> dict[str, float]:
    """Open the index and search it; return how long each took, a median of rounds."""
    known = next(iter(entries(count)))
    assert count >= STEP
    before_mb = resident_mb("VmRSS")
    opened_ms = [timed_ms(lambda: Index.open(place)) for _ in range(5)]
    index = Index.open(place)
    asked = queries(known.raw["pdq"], ASKED)
    one = [[PdqHash(bits=each.tobytes(), quality=80)] for each in asked]
    listed = [digests(known, row) for row in range(min(ASKED, known.count))]
    unlisted = [
        Digests(md5=each[:16].tobytes(), sha1=each[:20].tobytes(), sha256=each.tobytes())
        for each in hashes(ASKED, seed=9)
    ]
    rounds: dict[str, list[float]] = {
        "near_ms": [],
        "batch_ms": [],
        "hit_us": [],
        "miss_us": [],
    }
    for _ in range(6):
        rounds["near_ms"].append(timed_ms(lambda: [index.near(each) for each in one]) / ASKED)
        rounds["batch_ms"].append(
            timed_ms(lambda: index.near_all(MatchKind.PDQ, asked)) / ASKED
        )
        rounds["hit_us"].append(
            timed_ms(lambda: [index.exact(e) for e in listed]) / len(listed) * 1000
        )
        rounds["miss_us"].append(
            timed_ms(lambda: [index.exact(e) for e in unlisted]) / ASKED * 1000
        )
    medians = {name: float(np.median(each[1:])) for name, each in rounds.items()}
    found = {int(each) for each in index.near_all(MatchKind.PDQ, asked)[0]}
    return {
        "open_first_ms": opened_ms[0],
        "open_ms": float(np.median(opened_ms)),
        **medians,
        "planted_found": len(found & set(range(0, ASKED, 2))) / (ASKED / 2),
        "memory_mb": resident_mb("VmRSS") - before_mb,
    }


def digests(batch: Batch, row: int) -> Digests:
    """Return the digests of an entry of ``batch``."""
    each = {kind: batch.raw[kind][row].tobytes() for kind in KINDS[:3]}
    return Digests(md5=each["md5"], sha1=each["sha1"], sha256=each["sha256"])


def timed_ms(call: object) -> float:
    """Return how long a call takes."""
    assert callable(call)
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1000


def main(arguments: list[str]) -> int:
    """Measure; the search in a process of its own, which the building left nothing in."""
    if arguments[:1] == ["search"]:
        print(json.dumps(searched(int(arguments[1]), Path(arguments[2]))))
        return 0
    count = int(arguments[0]) if arguments else ENTRIES
    with tempfile.TemporaryDirectory(prefix="bench-index-") as folder:
        place = Path(folder) / "index"
        figures = {"entries": count, **built(count, place)}
        command = [sys.executable, "-m", "tests.bench.index_at_scale", "search"]
        shown = subprocess.run(
            [*command, str(count), str(place)], check=True, stdout=subprocess.PIPE
        )
        figures |= json.loads(shown.stdout)
    figures["load"] = os.getloadavg()[0]
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
