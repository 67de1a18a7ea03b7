"""The file of exceptions: what is written is read back, and each bad line is named."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists.entries import WIDTHS
from protech.lists.formats.exceptions import (
    ENTRIES,
    FILE_BYTES,
    LINE_BYTES,
    RADIUS_BITS,
    ExceptionEntry,
    ExceptionHeader,
    content_of,
    read,
)

TIMES = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
TEXTS = st.text(min_size=1, max_size=40).filter(str.isprintable)

HEADER = ExceptionHeader(
    name="own mistakes",
    version=3,
    author="An examiner",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    expires_at=datetime(2027, 1, 1, tzinfo=UTC),
    lists=frozenset({"national", "other"}),
)

DIGESTS = {
    name: st.none() | st.binary(min_size=WIDTHS[name], max_size=WIDTHS[name])
    for name in ("sha256", "md5", "sha1")
}

ENTRIES_OF_ANY_KIND = st.builds(
    ExceptionEntry,
    **DIGESTS,
    pdq=st.lists(st.binary(min_size=32, max_size=32), max_size=3).map(tuple),
    radius_bits=st.integers(0, RADIUS_BITS),
    lists=st.sets(st.sampled_from(["national", "other"]), min_size=1).map(frozenset),
    reason=TEXTS,
    author=TEXTS,
    expires_at=st.none() | TIMES,
    others=st.dictionaries(st.just("case"), st.integers(0, 9)),
).map(lambda entry: entry if entry.pdq else replace(entry, radius_bits=0))

ENTRY = ExceptionEntry(
    sha256=bytes(32), lists=frozenset({"national"}), reason="a landscape", author="A", pdq=()
)


def names_something(entry: ExceptionEntry) -> bool:
    return any((entry.sha256, entry.md5, entry.sha1, entry.pdq))


@given(st.lists(ENTRIES_OF_ANY_KIND.filter(names_something), max_size=5), TIMES)
def test_what_is_written_is_read_back(
    entries: list[ExceptionEntry], expires_at: datetime
) -> None:
    header = replace(HEADER, expires_at=expires_at, others={"note": "kept"})
    assert read(content_of(header, entries)) == (header, tuple(entries), ())


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(content: bytes) -> None:
    header = content_of(HEADER, [])
    with pytest.raises(ListFormatError, match="exception list cannot be read"):
        read(content)
    found, entries, wrong = read(header + content)
    assert found == HEADER
    assert not entries
    assert [bad.line for bad in wrong] == [*range(2, 2 + len(wrong))]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("protech_exceptions", 2),
        ("protech_exceptions", True),
        ("name", ""),
        ("name", "two\nlines"),
        ("version", -1),
        ("version", 1 << 32),
        ("version", True),
        ("author", None),
        ("created_at", "yesterday"),
        ("created_at", "2026-01-01T00:00:00"),
        ("expires_at", None),
        ("expires_at", "0001-01-01T00:00:00+23:00"),
        ("lists", []),
        ("lists", "national"),
        ("lists", [""]),
        ("lists", ["national"] * 101),
    ],
)
def test_a_header_that_does_not_hold_is_refused(field: str, value: object) -> None:
    fields = json.loads(content_of(HEADER, []))
    with pytest.raises(ListFormatError, match="exception list cannot be read"):
        read(json.dumps({**fields, field: value}).encode() + b"\n")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"sha256": "00"}, "64 hex digits"),
        ({"sha256": "0" * 63 + " "}, "64 hex digits"),
        ({"sha256": 7}, "64 hex digits"),
        ({"md5": "0" * 64}, "32 hex digits"),
        ({"pdq": ["00"]}, "64 hex digits"),
        ({"pdq": ["00" * 32] * 257, "radius_bits": 0}, "more than 256"),
        ({"pdq": ["00" * 32]}, "'radius_bits' is no whole number from 0 to 10"),
        ({"pdq": ["00" * 32], "radius_bits": RADIUS_BITS + 1}, "from 0 to 10"),
        ({"radius_bits": 0}, "without 'pdq'"),
        ({"sha256": None}, "64 hex digits"),
        ({"lists": ["unknown"]}, "does not allow"),
        ({"lists": []}, "does not name"),
        ({"reason": ""}, "'reason' is no text"),
        ({"author": 1}, "'author' is no text"),
        ({"expires_at": None}, "'expires_at' is no date"),
    ],
)
def test_a_bad_exception_is_named_and_the_others_are_kept(
    changed: dict[str, object], why: str
) -> None:
    good = content_of(HEADER, [ENTRY]).splitlines()
    bad = json.dumps({**json.loads(good[1]), **changed}).encode()
    header, entries, wrong = read(b"\n".join([good[0], bad, good[1]]))
    assert header == HEADER
    assert entries == (ENTRY,)
    assert [one.line for one in wrong] == [2]
    assert why in wrong[0].reason


def test_an_exception_of_nothing_is_bad() -> None:
    line = b'{"lists":["national"],"reason":"r","author":"a"}'
    _, entries, wrong = read(content_of(HEADER, []) + line)
    assert not entries
    assert "none of md5, sha1, sha256, pdq" in wrong[0].reason


@pytest.mark.parametrize(
    "entry",
    [
        replace(ENTRY, sha256=None),
        replace(ENTRY, lists=frozenset({"unknown"})),
        replace(ENTRY, reason="\udc80"),
        replace(ENTRY, pdq=(bytes(32),), radius_bits=RADIUS_BITS + 1),
    ],
)
def test_what_could_not_be_read_back_is_not_written(entry: ExceptionEntry) -> None:
    with pytest.raises(ListFormatError, match="cannot be written"):
        content_of(HEADER, [ENTRY, entry])


def test_more_than_is_allowed_is_refused() -> None:
    header = content_of(HEADER, [])
    assert len(read(header + b"x\n" * ENTRIES)[2]) == ENTRIES
    with pytest.raises(ListFormatError, match="larger than"):
        read(header + b"x\n" * (ENTRIES + 1))
    with pytest.raises(ListFormatError, match="larger than"):
        read(header.ljust(FILE_BYTES + 1))


def test_a_line_of_the_largest_size_is_read() -> None:
    line = content_of(HEADER, [ENTRY]).splitlines()[1]
    header = content_of(HEADER, [])
    assert read(header + line.ljust(LINE_BYTES))[1] == (ENTRY,)
    assert not read(header + line.ljust(LINE_BYTES + 1))[1]


def test_no_digest_is_in_a_repr() -> None:
    assert "x00" not in repr(replace(ENTRY, pdq=(bytes(32),)))
