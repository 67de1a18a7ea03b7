"""The lines of an own list: one form for one entry, which reads as what was written."""

import json

from hypothesis import given

from protech.lists.entries import Entry
from protech.lists.formats import own_lines
from protech.lists.formats.own import read_entry
from protech.lists.formats.own_lines import EntryLines, line
from tests.unit.lists.formats.test_own import ENTRIES


@given(ENTRIES)
def test_what_is_written_is_read(entry: Entry) -> None:
    written = EntryLines().line(entry)
    assert written.count(b"\n") == 1
    assert read_entry(written, number=2) == entry


def test_keys_stand_in_one_order_without_blanks() -> None:
    entry = Entry(
        label='a"\n',
        md5=bytes(16),
        sha1=bytes(20),
        sha256=bytes(32),
        photodna=bytes(144),
        pdq=(bytes(32),) * 2,
        vpdq=(bytes(32),),
        others={"x": [1, None]},
    )
    written = EntryLines().line(entry)
    assert written == line(json.loads(written))
    assert list(json.loads(written)) == [
        "label", "md5", "sha1", "sha256", "photodna", "pdq", "vpdq", "x"
    ]  # fmt: skip


def test_half_a_surrogate_pair_becomes_a_mark() -> None:
    assert EntryLines().line(Entry(label="a\udcff")) == b'{"label":"a?"}\n'


def test_what_entries_carry_in_common_is_written_once_and_not_kept_without_end() -> None:
    writer = EntryLines()
    shared = {"vics": {"category": 1}}
    for _ in range(3):
        assert writer.line(Entry(others=shared)) == b'{"vics":{"category":1}}\n'
    for i in range(own_lines.OTHERS_KEPT + 9):
        assert writer.line(Entry(others={"n": i})) == b'{"n":%d}\n' % i
    assert len(writer._others) == own_lines.OTHERS_KEPT
