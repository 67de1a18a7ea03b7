"""The index of hashes at 1 and 10 million entries, against ThreatExchange's and faiss'.

Hashes are random and queries half 0 to 31 bits from one, half near none. Searches run on one
thread each. ``build_10m`` is the whole of ours, from entries by column to sealed files on the
disk, with as many threads as there are processors; theirs is ``add`` into memory. ``open_10m``
is in a new process, both files in the page cache; ours checks every byte meanwhile, on as many
threads as there are processors. ``memory_10m`` is by how much that process grows that opens an
index and searches it, mapped pages counted.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before faiss loads

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import faiss
import numpy as np
from threatexchange.signal_type.pdq.pdq_index import PDQIndex

from protech.lists.index import Index, build
from protech.types import MatchKind, PdqHash
from tests.bench.frame import Peer, Row, in_turn, main, row, share
from tests.bench.index_stage import RADIUS_BITS, Hashes, batches, hashes, queries

MILLION = 1_000_000

BANDS, BAND_BITS, FLIPS = 16, 16, 1
"""What ThreatExchange's PDQIndex asks of faiss for a radius of 31."""

OPENED = 7
"""Processes that open each index."""

PDQ_INDEX = Peer.package("threatexchange", what="PDQIndex")
MULTI_HASH = Peer.package("faiss-cpu", what="IndexBinaryMultiHash 16x16, 1 flip")


@cache
def folder() -> Path:
    """Return a directory for the indexes; it goes when the bench ends."""
    passing = tempfile.TemporaryDirectory(prefix="bench-index-")
    kept.append(passing)
    return Path(passing.name)


kept: list[object] = []


@cache
def known(count: int) -> Hashes:
    """Return the hashes of the list."""
    return hashes(count)


@cache
def ours(count: int) -> Path:
    """Return our index, built."""
    place = folder() / f"ours-{count}"
    build(batches({"pdq": known(count)}), place)
    return place


@cache
def theirs_1m() -> "PDQIndex[int]":
    """Return ThreatExchange's index of the million."""
    return PDQIndex((one.tobytes().hex(), i) for i, one in enumerate(known(MILLION)))


@cache
def theirs_10m() -> faiss.IndexBinaryMultiHash:
    """Return faiss' index of the ten million."""
    index = empty()
    index.add(known(10 * MILLION))
    return index


@cache
def theirs_on_disk() -> Path:
    """Return faiss' index of the ten million as it writes it."""
    faiss.write_index_binary(theirs_10m(), str(folder() / "theirs"))
    return folder() / "theirs"


def empty() -> faiss.IndexBinaryMultiHash:
    """Return a new index of faiss."""
    index = faiss.IndexBinaryMultiHash(256, BANDS, BAND_BITS)
    index.nflip = FLIPS
    return index


def query_1m() -> Row:
    """Time single queries at a million."""
    asked = queries(known(MILLION), 100)
    as_ours = [[PdqHash(bits=one.tobytes(), quality=80)] for one in asked]
    as_theirs = [one.tobytes().hex() for one in asked]
    index, peer = Index.open(ours(MILLION)), theirs_1m()
    times = in_turn(
        lambda: [index.near(one) for one in as_ours],
        lambda: [peer.query(one) for one in as_theirs],
        rounds=21,
    )
    return timed("query_1m", times, PDQ_INDEX, of=len(asked))


def timed(metric: str, times: tuple[list[float], list[float]], peer: Peer, *, of: int) -> Row:
    """Return the row of milliseconds for each of so many queries."""
    mine, their = ([each / of for each in some] for some in times)
    return row("index", metric, unit="ms", ours=mine, theirs=their, peer=peer)


def recall_1m() -> Row:
    """Count what comparing every hash finds, and how much of it the index finds."""
    asked = queries(known(MILLION), 600)
    flat = faiss.IndexBinaryFlat(256)
    flat.add(known(MILLION))
    limits, _, places = flat.range_search(asked, RADIUS_BITS + 1)
    numbers = np.repeat(np.arange(len(asked)), np.diff(limits.astype(np.int64)))
    expected = set(zip(numbers.tolist(), places.tolist(), strict=True))
    found = Index.open(ours(MILLION)).near_all(MatchKind.PDQ, asked, radius_bits=RADIUS_BITS)
    mine = set(zip(found[0].tolist(), found[2].tolist(), strict=True))
    if mine - expected:
        raise AssertionError("the index found what is not there")
    their = {
        (number, match.metadata)
        for number, one in enumerate(asked)
        for match in theirs_1m().query(one.tobytes().hex())
    }
    return share(
        "index",
        "recall_1m",
        hits=len(mine),
        of=len(expected),
        theirs=len(their & expected) / len(expected),
        peer=PDQ_INDEX,
    )


def query_10m() -> Row:
    """Time batches of queries at ten million."""
    asked = queries(known(10 * MILLION), 2_000)
    index, peer = Index.open(ours(10 * MILLION)), theirs_10m()
    few = asked[:20]
    times = in_turn(
        lambda: index.near_all(MatchKind.PDQ, asked, radius_bits=RADIUS_BITS),
        lambda: peer.range_search(few, RADIUS_BITS + 1),
        rounds=9,
    )
    return row(
        "index",
        "query_10m",
        unit="queries/s",
        ours=[len(asked) / each * 1000 for each in times[0]],
        theirs=[len(few) / each * 1000 for each in times[1]],
        peer=MULTI_HASH,
        is_less_better=False,
    )


def build_10m() -> Row:
    """Time the building of ten million."""
    columns = {"pdq": known(10 * MILLION)}
    place = folder() / "built"
    times = apart(
        lambda: build(batches(columns), place),
        lambda: kept_once(empty()).add(columns["pdq"]),
        rounds=3,
    )
    seconds = [[each / 1000 for each in some] for some in times]
    return row(
        "index", "build_10m", unit="s", ours=seconds[0], theirs=seconds[1], peer=MULTI_HASH
    )


def open_10m() -> Row:
    """Time the opening of ten million, in processes of its own."""
    times = held_in_turn()[0]
    return row(
        "index",
        "open_10m",
        unit="ms",
        ours=times["ours"],
        theirs=times["theirs"],
        peer=MULTI_HASH,
    )


def memory_10m() -> Row:
    """Compare by how much a process grows that holds ten million."""
    grown = held_in_turn()[1]
    return row(
        "index",
        "memory_10m",
        unit="MB",
        ours=grown["ours"],
        theirs=grown["theirs"],
        peer=MULTI_HASH,
    )


@cache
def held_in_turn() -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return milliseconds to open, and growth in MB, of processes that hold ten million."""
    places = {"ours": ours(10 * MILLION), "theirs": theirs_on_disk()}
    theirs_10m.cache_clear()
    times: dict[str, list[float]] = {what: [] for what in places}
    grown: dict[str, list[float]] = {what: [] for what in places}
    for _ in range(OPENED):
        for what, place in places.items():
            command = [sys.executable, "-m", "tests.bench.index_stage", what, str(place)]
            shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            took_ms, more_mb = map(float, shown.stdout.split())
            times[what].append(took_ms)
            grown[what].append(more_mb)
    return times, grown


once: list[object] = []


def kept_once[T](value: T) -> T:
    """Return ``value``, kept until the round ends: what it costs to be rid of is not timed."""
    once.append(value)
    return value


def apart(
    mine: Callable[[], object], their: Callable[[], object], *, rounds: int
) -> tuple[list[float], list[float]]:
    """Time both in turn; nothing of one round is left for the next."""
    times: tuple[list[float], list[float]] = [], []
    for _ in range(rounds):
        one = in_turn(mine, their, rounds=1, warm_up=0)
        times[0].extend(one[0])
        times[1].extend(one[1])
        once.clear()
    return times


METRICS = {
    "query_1m": query_1m,
    "recall_1m": recall_1m,
    "query_10m": query_10m,
    "build_10m": build_10m,
    "memory_10m": memory_10m,
    "open_10m": open_10m,
}

if __name__ == "__main__":
    sys.exit(main(METRICS))
