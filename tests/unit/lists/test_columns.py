import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protech.lists import columns
from protech.lists.columns import DigestColumn, HashColumn, LabelColumn, filter_bits, leading
from protech.lists.parts import MemoryFile
from protech.lists.seals import Sealing
from protech.types import MatchKind

ALIKE = st.tuples(st.sampled_from([0, 1, 255]), st.sampled_from([0, 255])).map(
    lambda pair: bytes([pair[0]]) * 8 + bytes([pair[1]]) * 8
)


class Made:
    """Parts in memory, as a sealing makes them."""

    def __init__(self) -> None:
        self.files: dict[str, MemoryFile] = {}
        self.sealing = Sealing(self.make)

    def make(self, name: str) -> MemoryFile:
        self.files[name] = MemoryFile(None)
        return self.files[name]

    def __getitem__(self, name: str) -> bytes:
        return self.files[name].view().tobytes()


@settings(deadline=None, max_examples=50)
@given(
    digests=st.lists(ALIKE | st.binary(min_size=16, max_size=16), max_size=40),
    run=st.integers(1, 50),
    step=st.integers(1, 7),
)
def test_digests_come_in_order_however_many_runs_there_were(
    digests: list[bytes], run: int, step: int
) -> None:
    made = Made()
    column = DigestColumn(MatchKind.MD5, 16, MemoryFile(None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "RUN", run)
        for at in range(0, len(digests), step):
            some = digests[at : at + step]
            rows = np.arange(at, at + len(some), dtype=np.uint32)
            column.add(np.frombuffer(b"".join(some), np.uint8).reshape(-1, 16), rows)
        column.write(made.sealing)
    expected = sorted((digest, row) for row, digest in enumerate(digests))
    assert made["md5.digests"] == b"".join(digest for digest, _ in expected)
    rows = np.frombuffer(made["md5.rows"], "<u4")
    assert rows.tolist() == [row for _, row in expected]
    bits = np.unpackbits(np.frombuffer(made["md5.filter"], np.uint8), bitorder="little")
    named = {int.from_bytes(digest[:8]) >> 64 - filter_bits(len(digests)) for digest in digests}
    assert set(np.flatnonzero(bits).tolist()) == named
    assert len(bits) == 1 << filter_bits(len(digests))


def test_the_filter_has_8_to_16_bits_for_each_digest() -> None:
    for count in (1_000, 1_024, 1_025, 2_047, 2_048, 20_000_000):
        assert 8 <= (1 << filter_bits(count)) / count <= 16
    assert filter_bits(0) == filter_bits(1) == columns.LEAST_FILTER_BITS


def test_leading_bits_are_those_that_are_written_first() -> None:
    digest = np.frombuffer(bytes.fromhex("80c0ffee" + "00" * 12), np.uint8).reshape(1, 16)
    assert leading(digest, 11).tolist() == [0b10000000110]
    assert leading(digest, 64).tolist() == [0x80C0FFEE00000000]


def test_hashes_keep_their_order_and_have_tables_for_each_band() -> None:
    made = Made()
    column = HashColumn(MatchKind.PDQ, made.sealing)
    hashes = np.random.default_rng(1).integers(0, 256, (9_000, 32), np.uint8)
    column.add(hashes[:5_000], np.arange(5_000, dtype=np.uint32))
    column.add(hashes[5_000:], np.arange(5_000, 9_000, dtype=np.uint32))
    column.write()
    assert made["pdq.hashes"] == hashes.tobytes()
    assert len(made["pdq.tables"]) == 16 << 16
    postings = np.frombuffer(made["pdq.postings"], "<u4").reshape(16, -1)
    for band, order in enumerate(postings):
        values = hashes.view("<u2")[order, band]
        assert (np.diff(values.astype(np.int64)) >= 0).all()
        assert sorted(order.tolist()) == list(range(9_000))


def test_a_label_that_is_empty_is_not_one_that_is_missing() -> None:
    made = Made()
    column = LabelColumn(made.sealing)
    column.add((None, "a", ""), first=0)
    column.add((), first=3)
    column.add((None, None), first=9)
    column.add(("bc",), first=11)
    assert made["labels"] == b"abc"
    assert np.frombuffer(made["labels.rows"], "<u4").tolist() == [1, 2, 11]
    assert np.frombuffer(made["labels.ends"], "<u8").tolist() == [1, 1, 3]


def test_runs_are_bounded_by_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "RUN", 100)
    scratch = MemoryFile(None)
    column = DigestColumn(MatchKind.SHA1, 20, scratch)
    for at in range(0, 1_000, 50):
        raw = np.frombuffer(os.urandom(1_000), np.uint8).reshape(-1, 20)
        column.add(raw, np.arange(at, at + 50, dtype=np.uint32))
        assert column._waiting_count < 100
    assert len(scratch.view()) == 1_000 * 24
