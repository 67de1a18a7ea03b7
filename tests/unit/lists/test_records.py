"""The layout that a locked reader answers in: what is sent arrives, all else is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.lists.entries import (
    PDQ_PER_ENTRY,
    BadEntry,
    Entry,
)
from protech.lists.records import (
    BODY_BYTES,
    TEXT_BYTES,
    End,
    Record,
    RecordError,
    Refusal,
    What,
    record_bytes,
    records,
)
from tests.unit.lists.formats.test_own import ENTRIES, HEADERS

RECORDS = (
    HEADERS
    | ENTRIES.map(lambda entry: replace(entry, others={}))
    | st.builds(BadEntry, line=st.integers(0, 2**64 - 1), reason=st.text(max_size=40))
    | st.just(End())
    | st.builds(Refusal, is_sandbox=st.booleans(), text=st.text(max_size=40))
)


@given(st.lists(RECORDS, max_size=6), st.integers(1, 50))
def test_what_is_sent_arrives_in_whatever_pieces(sent: list[Record], piece: int) -> None:
    stream = b"".join(map(record_bytes, sent))
    buffer = bytearray()
    received: list[Record] = []
    for at in range(0, len(stream), piece):
        buffer += stream[at : at + piece]
        received += records(buffer)
    assert received == sent
    assert buffer == b""


@given(st.binary(max_size=200))
def test_whatever_arrives_only_our_error_comes_out(content: bytes) -> None:
    buffer = bytearray(content)
    try:
        list(records(buffer))
    except RecordError:
        return
    assert len(buffer) <= len(content)


@given(RECORDS, st.data())
def test_a_record_cut_or_lengthened_is_refused(record: Record, data: st.DataObject) -> None:
    sent = record_bytes(record)
    length = data.draw(st.integers(0, len(sent) + 9).filter(lambda n: n != len(sent) - 5))
    body = sent[5 : 5 + length].ljust(length, b"\0")
    with pytest.raises(RecordError):
        list(records(bytearray(sent[:1] + length.to_bytes(4, "little") + body)))


def test_lengths_are_capped() -> None:
    with pytest.raises(RecordError):
        list(records(bytearray(b"\4" + (BODY_BYTES + 1).to_bytes(4, "little"))))
    assert list(records(bytearray(b"\4" + BODY_BYTES.to_bytes(4, "little")))) == []
    hashes = (bytes(32),) * PDQ_PER_ENTRY
    assert list(records(bytearray(record_bytes(Entry(pdq=hashes))))) == [Entry(pdq=hashes)]
    with pytest.raises(RecordError):
        list(records(bytearray(record_bytes(Entry(pdq=(*hashes, bytes(32)))))))


def test_a_text_that_is_too_long_is_cut_and_half_a_pair_shown_as_a_mark() -> None:
    long = Refusal(is_sandbox=True, text="é" * TEXT_BYTES)
    (cut,) = records(bytearray(record_bytes(long)))
    assert isinstance(cut, Refusal)
    assert cut.text == "é" * (TEXT_BYTES // 2)
    (entry,) = records(bytearray(record_bytes(Entry(label="a\ud800"))))
    assert entry == Entry(label="a?")


def test_a_kind_that_is_unknown_is_refused() -> None:
    assert 0 not in set(What)
    with pytest.raises(RecordError):
        list(records(bytearray(5)))
