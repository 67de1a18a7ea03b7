"""The index against ThreatExchange's PDQIndex and faiss, on the same hashes and queries.

References: threatexchange and faiss-cpu at the versions of the lock. Tolerance: none; both
promise every hash within 31 bits (faiss' IndexBinaryMultiHash with 16 bands of 16 bits and one
flip, which is what PDQIndex asks of it), and so do we.
"""

from collections.abc import Iterator

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray
from threatexchange.signal_type.pdq.pdq_index import PDQIndex

from protech.lists import kernel
from protech.lists.batch import Batch, batches
from protech.lists.entries import Entry
from protech.lists.index import Index, build
from protech.types import MatchKind

COUNT = 12_000

RADIUS_BITS = 31

Pairs = set[tuple[int, int, int]]


def flipped(
    random: np.random.Generator, hashes: NDArray[np.uint8], bits: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """Return each hash with so many of its bits flipped."""
    ranks = random.random((len(hashes), 256)).argsort(axis=1).argsort(axis=1)
    return hashes ^ np.packbits(ranks < bits[:, None], axis=1)


@pytest.fixture(scope="module")
def known() -> NDArray[np.uint8]:
    """Give random hashes, and clusters of near-duplicates as videos and collections have."""
    random = np.random.default_rng(11)
    hashes = random.integers(0, 256, (COUNT, 32), np.uint8)
    copies = hashes[random.integers(0, 40, COUNT // 3)]
    hashes[-len(copies) :] = flipped(random, copies, random.integers(0, 12, len(copies)))
    return hashes


@pytest.fixture(scope="module")
def queries(known: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give queries 0 to 40 bits from some hash, most of them about the radius."""
    random = np.random.default_rng(12)
    chosen = known[random.integers(0, COUNT, 300)]
    return flipped(random, chosen, np.tile([0, 1, 15, 16, 30, 31, 32, 33, 40, 200], 30))


@pytest.fixture(scope="module", params=kernel.paths())
def ours(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    known: NDArray[np.uint8],
    queries: NDArray[np.uint8],
) -> Pairs:
    """Give query, place and distance of all that our index finds."""
    place = tmp_path_factory.mktemp("index") / "index"
    build(read(known), place)
    index = Index.open(place, path=request.param)
    found = index.near_all(MatchKind.PDQ, queries, radius_bits=RADIUS_BITS)
    return set(zip(found[0].tolist(), found[2].tolist(), found[3].tolist(), strict=True))


def read(known: NDArray[np.uint8]) -> Iterator[Batch]:
    return batches(Entry(pdq=(one.tobytes(),)) for one in known)


def test_it_finds_what_pdq_index_of_threatexchange_finds(
    ours: Pairs, known: NDArray[np.uint8], queries: NDArray[np.uint8]
) -> None:
    theirs: PDQIndex[int] = PDQIndex((one.tobytes().hex(), i) for i, one in enumerate(known))
    found = {
        (number, match.metadata, match.similarity_info.distance)
        for number, query in enumerate(queries)
        for match in theirs.query(query.tobytes().hex())
    }
    assert ours == found
    assert {distance for _, _, distance in found} >= {0, 1, 30, 31}


def test_it_finds_what_faiss_finds_by_comparing_all(
    ours: Pairs, known: NDArray[np.uint8], queries: NDArray[np.uint8]
) -> None:
    flat = faiss.IndexBinaryFlat(256)
    flat.add(known)
    limits, distances, places = flat.range_search(queries, RADIUS_BITS + 1)
    query = np.repeat(np.arange(len(queries)), np.diff(limits.astype(np.int64)))
    triples = zip(query.tolist(), places.tolist(), distances.astype(int).tolist(), strict=True)
    assert ours == set(triples)
