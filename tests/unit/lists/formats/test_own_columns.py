"""Own lists read by column: whatever stands on the lines, as they are read one by one."""

import io
import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.lists.batch import Batch
from protech.lists.entries import BadEntry, Entry
from protech.lists.formats import own_columns
from protech.lists.formats.own import LINE_BYTES, read_entries
from protech.lists.formats.own_columns import BLOCK_BYTES, read_batches
from protech.lists.formats.own_lines import EntryLines
from tests.unit.lists.formats.test_own import ENTRIES
from tests.unit.lists.test_batch import bare, entries_of

Found = tuple[list[Entry], list[BadEntry]]


def by_column(content: bytes) -> Found:
    found = list(read_batches(io.BytesIO(content)))
    batches = [one for one in found if isinstance(one, Batch)]
    return entries_of(batches), [one for one in found if isinstance(one, BadEntry)]


def one_by_one(content: bytes) -> Found:
    found = list(read_entries(io.BytesIO(content)))
    entries = [bare(one) for one in found if isinstance(one, Entry)]
    return entries, [one for one in found if isinstance(one, BadEntry)]


def lines(entries: Iterable[Entry]) -> bytes:
    writer = EntryLines()
    return b"".join(map(writer.line, entries))


def digests(i: int) -> Entry:
    return Entry(md5=i.to_bytes(16), sha1=i.to_bytes(20), others={"vics": {"category": i % 10}})


@given(st.lists(ENTRIES | st.integers(0, 20).map(digests), max_size=30), st.booleans())
def test_entries_are_read_as_they_are_one_by_one(entries: list[Entry], ends: bool) -> None:
    content = lines(entries)
    content = content if ends else content[:-1]
    assert by_column(content) == one_by_one(content)


KIN = st.sampled_from(
    [
        lines([digests(1)]),
        lines([digests(1)]).replace(b"0", b"A"),
        lines([digests(1)]).replace(b"0", b"x", 1),
        lines([digests(1)]).replace(b'{"category":', b'{"md5":"a","k":'),
        lines([digests(1)]).replace(b'","sha1', b'" "sha1'),
        lines([digests(1)]).replace(b'"sha1"', b'"sha2"'),
        lines([digests(1)]).replace(b'"sha1"', b'"md51"'),
        lines([digests(1)]).replace(b'"category":', b'"category":,'),
        lines([Entry(md5=bytes(16), photodna=bytes(144))]),
        lines([Entry(md5=bytes(16), photodna=bytes(144))]).replace(b'00"}', b'0x"}'),
        lines([Entry(pdq=(bytes(32), bytes(31) + b"\1"))]),
        lines([Entry(pdq=(bytes(32), bytes(32)))]).replace(b'00"]', b'0"0]'),
        lines([Entry(pdq=(bytes(32), bytes(32)))]).replace(b'","', b'"x"'),
        lines([Entry(vpdq=(bytes(32), bytes(32)))]),
        lines([Entry(label="a" * 9, md5=bytes(16))]),
        b"\n",
        b"{}\n",
        b"\r\n",
        b'{"md5":"\xff"}\n',
    ]
)


@given(st.lists(KIN, max_size=60).map(b"".join), st.integers(1, 200))
def test_lines_that_are_nearly_alike_are_told_apart(content: bytes, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_columns, "LEAST", 1)
        patch.setattr(own_columns, "BLOCK_BYTES", block)
        assert by_column(content) == one_by_one(content)


@given(st.data())
def test_one_changed_character_changes_what_it_changes_one_by_one(data: st.DataObject) -> None:
    content = bytearray(lines(map(digests, range(6))))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.sampled_from(b'{}[]",:\\ \n09afAFgx\xff\0'))
    assert by_column(bytes(content)) == one_by_one(bytes(content))


@pytest.mark.parametrize("over", [-1, 0, 1, BLOCK_BYTES, LINE_BYTES])
@pytest.mark.parametrize("is_last", [True, False])
def test_a_line_that_is_too_long_is_named_and_passed_over(over: int, is_last: bool) -> None:
    long = json.dumps({"md5": "0" * 32, "x": ""})
    long = long[:-2] + "y" * (LINE_BYTES + over - len(long)) + long[-2:]
    good = lines([digests(1), digests(2)])
    content = good + long.encode() + (b"" if is_last else b"\n" + good)
    entries, bad = by_column(content)
    assert (entries, bad) == one_by_one(content)
    assert [one.line for one in bad] == ([4] if over > 0 else [])


def test_long_lists_are_read_in_several_batches() -> None:
    content = lines(map(digests, range(20_000)))
    batches = list(read_batches(io.BytesIO(content)))
    assert 2 < len(batches) < 20
    assert entries_of(one for one in batches if isinstance(one, Batch)) == [
        bare(digests(i)) for i in range(20_000)
    ]
