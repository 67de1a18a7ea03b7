"""The layout that a locked reader answers in: what is sent arrives, all else is refused."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.lists.batch import BATCH_BYTES, COLUMNS, Batch, batches
from protech.lists.entries import (
    LABEL_CHARACTERS,
    PDQ_PER_ENTRY,
    VPDQ_PER_ENTRY,
    WIDTHS,
    BadEntry,
    Entry,
)
from protech.lists.records import (
    BATCH_MOST,
    BODY_BYTES,
    TEXT_BYTES,
    End,
    Lines,
    Record,
    RecordError,
    Refusal,
    Tally,
    Told,
    What,
    record_bytes,
    records,
)
from tests.unit.lists.formats.test_own import ENTRIES, HEADERS
from tests.unit.lists.test_batch import bare, entries_of

NUMBERS = st.integers(0, 2**64 - 1)
TEXTS = st.text(max_size=40)
BATCHES = st.lists(ENTRIES, min_size=1, max_size=5).map(lambda some: next(batches(some)))
OTHERS = (
    HEADERS
    | st.builds(BadEntry, line=NUMBERS, reason=TEXTS)
    | st.builds(Tally, category=TEXTS, count=NUMBERS)
    | st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"") + b"\n")).map(
        lambda lines: Lines(count=len(lines), content=b"".join(lines))
    )
    | st.builds(Told, format=TEXTS)
    | st.just(End())
    | st.builds(Refusal, is_sandbox=st.booleans(), text=TEXTS)
)


def comparable(sent: Sequence[Record]) -> list[object]:
    return [entries_of([one]) if isinstance(one, Batch) else one for one in sent]


def body(layout: bytes) -> bytearray:
    """Return a batch's record with this body."""
    return bytearray(struct.pack("<BI", What.BATCH, len(layout)) + layout)


def head(count: int, *held: int, labels: int = 0) -> bytes:
    return struct.pack("<IB5I", count, labels, *held)


@given(st.lists(OTHERS | BATCHES, max_size=6), st.integers(1, 50))
def test_what_is_sent_arrives_in_whatever_pieces(sent: list[Record], piece: int) -> None:
    stream = b"".join(map(record_bytes, sent))
    buffer = bytearray()
    received: list[Record] = []
    for at in range(0, len(stream), piece):
        buffer += stream[at : at + piece]
        received += records(buffer)
    assert comparable(received) == comparable(sent)
    assert buffer == b""


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda some: bytes(body(some))))
def test_whatever_arrives_only_our_error_comes_out(content: bytes) -> None:
    buffer = bytearray(content)
    try:
        list(records(buffer))
    except RecordError:
        return
    assert len(buffer) <= len(content)


@given(OTHERS | BATCHES, st.data())
def test_a_record_cut_or_lengthened_is_refused(record: Record, data: st.DataObject) -> None:
    sent = record_bytes(record)
    length = data.draw(st.integers(0, len(sent) + 9).filter(lambda n: n != len(sent) - 5))
    changed = sent[5 : 5 + length].ljust(length, b"\0")
    if isinstance(record, Lines) and changed[8:].count(b"\n") == record.count:
        return  # lines of another length are as good
    with pytest.raises(RecordError):
        list(records(bytearray(sent[:1] + length.to_bytes(4, "little") + changed)))


def test_lengths_are_capped() -> None:
    with pytest.raises(RecordError):
        list(records(bytearray(b"\4" + (BODY_BYTES + 1).to_bytes(4, "little"))))
    assert list(records(bytearray(b"\4" + BODY_BYTES.to_bytes(4, "little")))) == []


def test_the_largest_batch_fits() -> None:
    small = Entry(md5=bytes(16), label="\U0001f600" * LABEL_CHARACTERS)
    fits = BATCH_BYTES // (16 + 4 * LABEL_CHARACTERS)
    largest = Entry(
        md5=bytes(16),
        sha1=bytes(20),
        sha256=bytes(32),
        label="\U0001f600" * LABEL_CHARACTERS,
        pdq=(bytes(32),) * PDQ_PER_ENTRY,
        vpdq=tuple(i.to_bytes(32) for i in range(VPDQ_PER_ENTRY)),
    )
    narrow = [Entry(md5=bytes(16))] * (BATCH_BYTES // 16 - 1)
    for some in ([small] * fits + [largest], [*narrow, largest]):
        sent = next(batches(some, size=BATCH_MOST))
        (received,) = records(bytearray(record_bytes(sent)))
        assert isinstance(received, Batch)
        assert entries_of([received])[-1] == bare(some[sent.count - 1])


ROWS = {
    "no entry": head(0, 0, 0, 0, 0, 0),
    "too many entries": head(BATCH_MOST + 1, 0, 0, 0, 0, 0),
    "more than there are": head(1, 2**32 - 1, 0, 0, 0, 0),
    "a row that is no entry": head(1, 1, 0, 0, 0, 0) + struct.pack("<I", 1) + bytes(16),
    "rows out of order": head(2, 2, 0, 0, 0, 0) + struct.pack("<II", 1, 0) + bytes(32),
    "no flag": head(1, 0, 0, 0, 0, 0, labels=2) + bytes(4),
    "a label cut": head(1, 0, 0, 0, 0, 0, labels=1) + struct.pack("<I", 3) + b"a",
    "a label too long": head(1, 0, 0, 0, 0, 0, labels=1) + struct.pack("<I", 2) + b"ab",
    "a label in no UTF-8": head(1, 0, 0, 0, 0, 0, labels=1) + struct.pack("<I", 2) + b"\xff",
}


@pytest.mark.parametrize("layout", ROWS.values(), ids=ROWS)
def test_a_batch_that_cannot_be_is_refused(layout: bytes) -> None:
    with pytest.raises(RecordError):
        list(records(body(layout)))
    assert len(COLUMNS) == 5
    assert WIDTHS["md5"] == 16


@pytest.mark.parametrize("lines", [b"a", b"a\nb", b"a\n", b"a\nb\nc\n"])
def test_lines_are_whole_and_as_many_as_is_said(lines: bytes) -> None:
    with pytest.raises(RecordError):
        list(records(bytearray(record_bytes(Lines(count=2, content=lines)))))


def test_a_text_that_is_too_long_is_cut_and_half_a_pair_shown_as_a_mark() -> None:
    long = Refusal(is_sandbox=True, text="é" * TEXT_BYTES)
    (cut,) = records(bytearray(record_bytes(long)))
    assert isinstance(cut, Refusal)
    assert cut.text == "é" * (TEXT_BYTES // 2)
    (sent,) = batches([Entry(label="a\ud800")])
    (received,) = records(bytearray(record_bytes(sent)))
    assert isinstance(received, Batch)
    assert received.labels == ("a?",)


def test_a_kind_that_is_unknown_is_refused() -> None:
    assert 0 not in set(What)
    with pytest.raises(RecordError):
        list(records(bytearray(5)))
