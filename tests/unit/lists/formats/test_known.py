"""The formats of lists: each is told from the others, and read by its own reader."""

import io
import struct
from dataclasses import replace
from itertools import pairwise

import pytest

from protech.errors import ListFormatError
from protech.lists.entries import Category, Entry
from protech.lists.formats import nsrl
from protech.lists.formats.known import (
    FORMATS,
    Format,
    check_category,
    detect,
    reader_of,
)
from tests.unit.lists.formats.test_in_the_lock import LISTS
from tests.unit.lists.formats.test_own import HEADER, written

HEADS = {
    Format.OWN: written(HEADER, [Entry(md5=bytes(16))]),
    Format.VICS: b'{"@odata.context": "x", "value": [{"MD5": "' + b"ab" * 16 + b'"}]}',
    Format.NSRL: nsrl.MAGIC + bytes(100),
    Format.CIRCL: struct.pack("<QQdQQQ", 1, 1000, 0.001, 10, 14378, 0),
    **{Format(name): content.encode() for name, content in LISTS.items()},
}
IS_READ = [one for one in Format if one not in {Format.NSRL, Format.CIRCL}]


@pytest.mark.parametrize("format_", Format)
def test_each_format_is_told_by_its_first_bytes(format_: Format) -> None:
    assert detect(HEADS[format_]) is format_


@pytest.mark.parametrize(
    ("category", "others", "is_read"),
    [
        (Category.OWN, {}, True),
        (Category.CSAM, {}, False),
        (Category.KNOWN_GOOD, {"export": "yes"}, False),
        (Category.CSAM, {"export": True}, True),
    ],
)
def test_an_authoritys_list_is_not_put_under_another_header(
    category: Category, others: dict[str, object], *, is_read: bool
) -> None:
    header = replace(HEADER, category=category, others=others)
    file = io.BytesIO(written(header, [Entry(md5=bytes(16))]))
    read = reader_of(Format.OWN, None)
    if is_read:
        assert len(list(read(file))) == 1
        return
    with pytest.raises(ListFormatError, match="not one of your own"):
        list(read(file))


@pytest.mark.parametrize("head", [b"", b"\0" * 99, b"%PDF-1.7", b"\xff\xd8\xff", b"ab" * 32])
def test_what_may_be_none_or_several_is_left_to_the_person(head: bytes) -> None:
    with pytest.raises(ListFormatError, match="say it with --format"):
        detect(head)


@pytest.mark.parametrize("format_", IS_READ)
def test_each_format_has_its_reader(format_: Format) -> None:
    found = list(reader_of(format_, None)(io.BytesIO(HEADS[format_])))
    assert any(isinstance(one, Entry) for one in found)


def test_what_cannot_be_made_into_a_list_says_what_to_do() -> None:
    with pytest.raises(ListFormatError, match="used as it is"):
        reader_of(Format.CIRCL, None)(io.BytesIO())
    with pytest.raises(ListFormatError, match="no data set of NSRL"):
        reader_of(Format.NSRL, None)
    with pytest.raises(ListFormatError):
        FORMATS[Format.NSRL].read(io.BytesIO())


def test_harmless_files_are_not_listed_as_harmful_ones() -> None:
    with pytest.raises(ListFormatError, match="known_good"):
        check_category(Format.NSRL, Category.CSAM)
    check_category(Format.NSRL, Category.KNOWN_GOOD)
    check_category(Format.VICS, Category.CSAM)


def test_formats_with_categories_tell_them_of_each_entry() -> None:
    told = {
        format_: known.category(Entry(md5=bytes(16), others=others))
        for format_, known in FORMATS.items()
        for others in [{"vics": {"category": 1}, "ncmec": {"classification": "A1"}}]
        if known.category is not None
    }
    assert told == {Format.VICS: "1", Format.NCMEC: "A1"}
    classification = FORMATS[Format.NCMEC].category
    assert classification is not None
    assert classification(Entry(others={"ncmec": {}})) == classification(Entry()) == "none"


def test_the_formats_are_all_there() -> None:
    assert set(FORMATS) == set(Format)
    assert all(earlier != later for earlier, later in pairwise(FORMATS))
