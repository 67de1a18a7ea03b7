"""NumPy's inner loops against plain Python."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protech.lists import kernel_numpy
from protech.lists.bands import NOT_SEARCHED
from protech.lists.kernel_numpy import CROWDED, GROUP, Searcher, band_values, build_band, seals

WIDTHS = bytes([16] * 16)

KEYS = np.array([3, 5, 2**64 - 1], np.uint64)


@given(value=st.binary(min_size=32, max_size=32), start=st.integers(0, 240))
def test_a_band_is_some_bits_of_the_little_endian_words(value: bytes, start: int) -> None:
    [found] = band_values(np.frombuffer(value, "<u8").reshape(1, 4), start, 16)
    assert found == int.from_bytes(value, "little") >> start & 0xFFFF


def test_a_group_tells_where_the_postings_of_each_value_begin_and_end() -> None:
    random = np.random.default_rng(5)
    values = np.sort(random.integers(0, 256, 500))
    values[300:] = 77  # a crowded group
    hashes = np.zeros((500, 32), np.uint8)
    hashes[:, 0] = values
    table, postings = np.empty(256, np.uint8), np.empty(500, np.uint32)
    build_band(hashes, 0, 8, table, postings)
    groups = [
        int.from_bytes(table[at : at + GROUP].tobytes(), "little") for at in range(0, 256, 16)
    ]
    for value in range(256):
        base = groups[value // GROUP] & 0xFFFFFFFF
        ends = [groups[value // GROUP] >> 32 + 6 * i & 63 for i in range(GROUP)]
        if value // GROUP == 77 // GROUP:
            assert set(ends) == {CROWDED}
            continue
        start = base + (ends[value % GROUP - 1] if value % GROUP else 0)
        places = postings[start : base + ends[value % GROUP]]
        assert places.tolist() == np.flatnonzero(hashes[:, 0] == value).tolist()


@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=40))
def test_a_seal_is_a_sum_of_characters_each_times_its_key(data: bytes) -> None:
    characters = [
        int.from_bytes(data[at : at + 4].ljust(4, b"\0"), "little")
        for at in range(0, len(data), 4)
    ]
    expected = [
        sum(int(key) * each for key, each in zip(KEYS, characters[at : at + 3], strict=False))
        % 2**64
        for at in range(0, len(characters), 3)
    ]
    out = np.empty(len(expected), np.uint64)
    seals(data, KEYS, out)
    assert out.tolist() == expected


def test_a_file_is_sealed_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_numpy, "CHUNK_BYTES", 24)
    content = os.urandom(101)
    (tmp_path / "file").write_bytes(content)
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        expected, found = np.empty(8, np.uint64), np.empty(8, np.uint64)
        seals(content[6:100], KEYS, expected)
        kernel_numpy.file_seals(descriptor, 6, 94, KEYS, found)
        assert found.tolist() == expected.tolist()
        with pytest.raises(OSError, match="Input/output"):
            kernel_numpy.file_seals(descriptor, 50, 94, KEYS, found)
    finally:
        os.close(descriptor)


def test_tables_that_do_not_fit_are_refused() -> None:
    hashes = np.zeros((2, 32), np.uint8)
    tables, postings = np.zeros(16 << 16, np.uint8), np.zeros(32, np.uint32)
    Searcher(hashes, tables, postings, WIDTHS)
    for unfit in (
        (hashes, tables, postings, WIDTHS[1:]),
        (hashes, tables[1:], postings, WIDTHS),
        (hashes, tables, postings[1:], WIDTHS),
        (hashes.ravel()[1:], tables, postings, WIDTHS),
    ):
        with pytest.raises(ValueError, match=r"fit|reshape|multiple"):
            Searcher(*unfit)


def test_a_band_that_need_not_be_searched_is_not() -> None:
    hashes = np.zeros((2, 32), np.uint8)
    corrupt = np.full(16 << 16, 0xFF, np.uint8)
    searcher = Searcher(hashes, corrupt, np.zeros(32, np.uint32), WIDTHS)
    assert searcher.within(bytes(32), 3, bytes([NOT_SEARCHED] * 16), 0) == b""
    with pytest.raises(RuntimeError, match="do not hold together"):
        searcher.within(bytes(32), 3, bytes([0] * 16), 0)
