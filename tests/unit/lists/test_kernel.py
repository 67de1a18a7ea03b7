"""Every way to search against every other, and against tables that lie."""

import importlib
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from protech.errors import ListFormatError
from protech.lists import kernel, kernel_numpy
from protech.lists.bands import NOT_SEARCHED, widths_for
from protech.lists.kernel import NUMPY, Column, paths

PATHS = paths()
COMPILED = [path for path in PATHS if path != NUMPY]

LAYOUTS = [b"", bytes([16] * 16), bytes([19] * 4 + [18] * 10), bytes([8] * 32)]

NO_TABLES = np.zeros(0, np.uint8), np.zeros(0, np.uint32)


def tables(
    hashes: NDArray[np.uint8], widths: bytes
) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Return the tables and postings of every band."""
    starts = accumulate(widths, initial=0)
    bands = [
        kernel.band(hashes, start=start, width=width)
        for start, width in zip(starts, widths, strict=False)
    ]
    if not bands:
        return NO_TABLES
    return np.concatenate([table for table, _ in bands]), np.concatenate(
        [postings for _, postings in bands]
    )


def brute(
    hashes: NDArray[np.uint8], queries: NDArray[np.uint8], radius: int
) -> NDArray[np.int64]:
    """Return query, place and distance of every pair within the radius, by both."""
    away = np.bitwise_count(queries[:, None] ^ hashes[None]).sum(axis=2, dtype=np.int64)
    query, place = np.nonzero(away <= radius)
    return np.stack([query, place, away[query, place]], axis=1)


def nearest(pairs: NDArray[np.int64]) -> list[list[int]]:
    """Return the first of the nearest of each query."""
    best: dict[int, list[int]] = {}
    for pair in pairs.tolist():
        if pair[0] not in best or pair[2] < best[pair[0]][2]:
            best[pair[0]] = pair
    return list(best.values())


@st.composite
def columns(draw: st.DrawFn) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Give hashes and queries: random ones, and clusters of near-duplicates of few of them."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    hashes = random.integers(0, 256, (draw(st.integers(0, 300)), 32), np.uint8)
    if len(hashes) and draw(st.booleans()):
        hashes = hashes[random.integers(0, draw(st.integers(1, 3)), len(hashes))]
        flipped = random.random((len(hashes), 256)) < draw(st.sampled_from([0.0, 0.01, 0.1]))
        hashes = hashes ^ np.packbits(flipped, axis=1)
    queries = random.integers(0, 256, (draw(st.integers(0, 3)), 32), np.uint8)
    if len(hashes):
        near = hashes[random.integers(0, len(hashes), 3)]
        flipped = random.random((3, 256)) < draw(st.sampled_from([0.0, 0.05, 0.12]))
        queries = np.concatenate([queries, near ^ np.packbits(flipped, axis=1)])
    return hashes, queries


@settings(deadline=None, max_examples=60)
@given(
    column=columns(), radius=st.integers(0, 40), widths=st.sampled_from(LAYOUTS), is_forced=...
)
def test_every_path_finds_what_comparing_all_finds(
    column: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    radius: int,
    widths: bytes,
    is_forced: bool,
) -> None:
    hashes, queries = column
    made = tables(hashes, widths)
    expected = brute(hashes, queries, radius)
    for path in PATHS:
        one = Column(hashes, *made, widths=widths, path=path)
        if is_forced:
            one._count = 10**9  # so many that bands pay, whatever the radius
        found = one.within(queries, radius_bits=radius)
        assert found.tolist() == expected.tolist(), path
        found = one.nearest(queries, radius_bits=radius)
        assert found.tolist() == nearest(expected), path


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("radius", [41, 100, 255, 256])
def test_a_radius_beyond_the_bands_is_met_by_comparing_all(path: str, radius: int) -> None:
    random = np.random.default_rng(3)
    hashes = random.integers(0, 256, (2_000, 32), np.uint8)
    widths = bytes([16] * 16)
    column = Column(hashes, *tables(hashes, widths), widths=widths, path=path)
    found = column.within(hashes[:2], radius_bits=radius)
    assert found.tolist() == brute(hashes, hashes[:2], radius).tolist()


@pytest.mark.parametrize("path", PATHS)
def test_a_cluster_that_fills_its_values_is_found_once_each(path: str) -> None:
    hashes = np.zeros((20_000, 32), np.uint8)
    hashes[:, 31] = np.arange(20_000) % 4
    hashes[10_000:, 0] = 255
    widths = widths_for(len(hashes))
    column = Column(hashes, *tables(hashes, widths), widths=widths, path=path)
    query = np.zeros((1, 32), np.uint8)
    assert len(column.within(query, radius_bits=2)) == 10_000
    assert column.nearest(query, radius_bits=31).tolist() == [[0, 0, 0]]
    query[0, 0] = 255
    assert column.nearest(query, radius_bits=31).tolist() == [[0, 10_000, 0]]


@pytest.mark.skipif(not COMPILED, reason="no compiler built the kernel")
@pytest.mark.parametrize("width", [8, 11, 15, 16, 17, 20])
@pytest.mark.parametrize("count", [0, 1, 1000, 70_000])
def test_both_builders_make_the_same_tables(count: int, width: int) -> None:
    random = np.random.default_rng(count)
    hashes = random.integers(0, 256, (count, 32), np.uint8)
    hashes[: count // 3] = 7
    for start in (0, 50, 256 - width):
        table, postings = np.empty(1 << width, np.uint8), np.empty(count, np.uint32)
        kernel_numpy.build_band(hashes, start, width, table, postings)
        ours = kernel.band(hashes, start=start, width=width)
        np.testing.assert_array_equal(ours[0], table)
        np.testing.assert_array_equal(ours[1], postings)


@settings(deadline=None, max_examples=100)
@given(
    count=st.sampled_from([1, 100, 3_000]),
    spoil=st.lists(st.tuples(st.booleans(), st.integers(0, 2**30), st.integers(0, 255))),
)
def test_tables_that_lie_lead_nowhere_else(
    count: int, spoil: list[tuple[bool, int, int]]
) -> None:
    random = np.random.default_rng(count)
    hashes = random.integers(0, 256, (count, 32), np.uint8)
    widths = bytes([16] * 16)
    made = tables(hashes, widths)
    spoilt = [made[0].copy(), made[1].copy().view(np.uint8)]
    for is_posting, at, value in spoil:
        spoilt[is_posting][at % len(spoilt[is_posting])] = value
    for path in PATHS:
        column = Column(hashes, spoilt[0], spoilt[1].view(np.uint32), widths=widths, path=path)
        column._count = 10**9
        with suppress(ListFormatError):
            found = column.within(hashes[:50], radius_bits=31)
            assert (found[:, 1] < count).all()
            assert (found[:, 2] <= 31).all()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [0x00, 0x7F, 0xFF])
def test_tables_of_nothing_but_lies_are_refused_or_lead_nowhere(path: str, value: int) -> None:
    hashes = np.random.default_rng(1).integers(0, 256, (3_000, 32), np.uint8)
    widths = bytes([16] * 16)
    table = np.full(16 << 16, value, np.uint8)
    postings = np.full((16 * 3_000, 4), value, np.uint8).view(np.uint32)
    column = Column(hashes, table, postings.ravel(), widths=widths, path=path)
    column._count = 10**9
    if value == 0:
        assert column.nearest(hashes[1:2], radius_bits=31).tolist() == []
        return
    with pytest.raises(ListFormatError, match="does not hold together"):
        column.nearest(hashes[1:2], radius_bits=31)


@pytest.mark.parametrize("path", PATHS)
def test_parts_that_do_not_fit_are_refused(path: str) -> None:
    hashes = np.zeros((3, 32), np.uint8)
    widths = bytes([16] * 16)
    table, postings = tables(hashes, widths)
    for unfit in ((table[1:], postings), (table, postings[1:]), NO_TABLES):
        with pytest.raises(ListFormatError, match="does not hold together"):
            Column(hashes, *unfit, widths=widths, path=path)
    with pytest.raises(ListFormatError, match="does not hold together"):
        Column(hashes, table, postings, widths=bytes([16] * 15), path=path)


@pytest.mark.skipif(not COMPILED, reason="no compiler built the kernel")
def test_the_kernel_takes_no_request_that_does_not_fit() -> None:
    mih: Any = importlib.import_module("protech.lists._mih")
    hashes = np.zeros((3, 32), np.uint8)
    widths = bytes([16] * 16)
    searcher = mih.Searcher(hashes, *tables(hashes, widths), widths)
    radii = bytes([1] * 16)
    for unfit in (
        (bytes(31), 31, radii, 0),
        (bytes(32), -1, radii, 0),
        (bytes(32), 257, radii, 0),
        (bytes(32), 31, radii[1:], 0),
        (bytes(32), 31, bytes([5] * 16), 0),
        (bytes(32), 31, radii, 3),
        (bytes(32), 31, radii, -1),
    ):
        with pytest.raises(ValueError, match="do not fit"):
            searcher.within(*unfit)
    assert searcher.within(bytes(32), 31, bytes([NOT_SEARCHED] * 16), 0) == b""
    table, postings = np.empty(1 << 16, np.uint8), np.empty(3, np.uint32)
    for misfit in (
        (hashes, 241, 16, table, postings),
        (hashes, -1, 16, table, postings),
        (hashes, 0, 17, table, postings),
        (hashes, 0, 29, table, postings),
        (hashes[:2], 0, 16, table, postings),
    ):
        with pytest.raises(ValueError, match="do not fit"):
            mih.build_band(*misfit)
    keys = np.ones(4, np.uint64)
    with pytest.raises(ValueError, match="do not fit"):
        mih.seals(bytes(17), keys, np.empty(1, np.uint64))
    with pytest.raises(ValueError, match="do not fit"):
        mih.file_seals(0, -1, 17, keys, np.empty(2, np.uint64))


@given(content=st.binary(max_size=300), at=st.integers(0, 20))
@settings(deadline=None, max_examples=50)
def test_seals_of_a_file_are_those_of_its_content_in_c_and_numpy(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, at: int
) -> None:
    keys = np.random.default_rng(2).integers(0, 2**64 - 1, 6, np.uint64)
    expected = np.empty(-(-len(content) // 24), np.uint64)
    kernel_numpy.seals(content, keys, expected)
    assert kernel.seals(content, keys).tolist() == expected.tolist()
    path = tmp_path_factory.mktemp("seals") / "file"
    path.write_bytes(bytes(at) + content)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = kernel.file_seals(descriptor, keys, at=at, size=len(content))
        assert found.tolist() == expected.tolist()
        with pytest.raises(OSError, match="Input/output"):
            kernel.file_seals(descriptor, keys, at=at, size=len(content) + 1)
    finally:
        os.close(descriptor)


def test_a_block_of_the_real_size_is_sealed_alike() -> None:
    random = np.random.default_rng(2)
    keys = random.integers(0, 2**64 - 1, kernel.BLOCK_BYTES // 4, np.uint64)
    content = random.bytes(3 * kernel.BLOCK_BYTES + 5)
    expected = np.empty(4, np.uint64)
    kernel_numpy.seals(content, keys, expected)
    assert kernel.seals(content, keys).tolist() == expected.tolist()


def test_the_kernel_is_built_where_there_is_a_compiler() -> None:
    if any(shutil.which(compiler) for compiler in ("cc", "gcc", "clang")):
        assert kernel.name().startswith("C, "), (
            "There is a compiler, and the kernel of the index is not built: install the "
            "checkout again (python3 dev.py check does), and read what the compiler says."
        )


def test_without_the_kernel_numpy_searches(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['protech.lists._mih'] = None\n"
        "from protech.lists import kernel; print(kernel.name(), kernel.paths())"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert shown.stdout == "NumPy ('NumPy',)\n"
