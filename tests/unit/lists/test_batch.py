"""Entries by column: nothing is lost, and no batch grows without end."""

from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from protech.lists import batch as made_of
from protech.lists.batch import BATCH_BYTES, COLUMNS, Batch, batches
from protech.lists.entries import VPDQ_PER_ENTRY, WIDTHS, Entry
from tests.unit.lists.formats.test_own import ENTRIES


def entries_of(made: Iterable[Batch]) -> list[Entry]:
    """Return the entries that batches were made of, without what no index holds."""
    return [entry for batch_ in made for entry in made_of.entries_of(batch_)]


def bare(entry: Entry) -> Entry:
    """Return an entry as a batch carries it."""
    return Entry(
        label=entry.label,
        md5=entry.md5,
        sha1=entry.sha1,
        sha256=entry.sha256,
        pdq=entry.pdq,
        vpdq=tuple(dict.fromkeys(entry.vpdq)),
    )


@given(st.lists(ENTRIES, max_size=9), st.integers(1, 4))
def test_no_entry_is_lost_or_moved(entries: list[Entry], size: int) -> None:
    made = list(batches(entries, size=size))
    assert entries_of(made) == [bare(entry) for entry in entries]
    assert [batch.count for batch in made[:-1]] == [size] * (len(made) - 1)
    for batch in made:
        for kind in COLUMNS:
            assert batch.rows[kind].dtype == np.uint32
            assert batch.raw[kind].shape == (len(batch.rows[kind]), WIDTHS[kind])
            assert (np.diff(batch.rows[kind].astype(np.int64)) >= 0).all()


def test_a_batch_without_labels_carries_none() -> None:
    (batch,) = batches([Entry(md5=bytes(16)), Entry(md5=bytes(16))])
    assert batch.labels == ()
    (batch,) = batches([Entry(md5=bytes(16)), Entry(label="", md5=bytes(16)), Entry()])
    assert batch.labels == (None, "", None)


def test_long_videos_end_a_batch_early() -> None:
    video = Entry(vpdq=tuple(i.to_bytes(32) for i in range(VPDQ_PER_ENTRY)))
    counts = [batch.count for batch in batches([video] * 9)]
    assert counts == [BATCH_BYTES // (32 * VPDQ_PER_ENTRY)] * 2 + [1]


def test_a_batch_names_nothing_it_holds() -> None:
    (batch,) = batches([Entry(label="holiday.jpg", md5=b"\xab" * 16)])
    assert repr(batch) == "Batch(count=1)"


def test_the_frames_of_a_video_are_taken_once_each() -> None:
    (batch,) = batches([Entry(vpdq=(bytes(32), b"\1" * 32, bytes(32)))])
    assert batch.raw["vpdq"].tobytes() == bytes(32) + b"\1" * 32
