"""The file of a list: what is written is read, and what is broken is named and passed over."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists.entries import (
    LABEL_CHARACTERS,
    OWN_USES,
    PDQ_PER_ENTRY,
    BadEntry,
    Category,
    Entry,
    LegalClass,
    ListHeader,
    Use,
)
from protech.lists.formats.own import (
    LINE_BYTES,
    MAGIC,
    ListWriter,
    header_fields,
    parse_header,
    read_entries,
    read_header,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HEADER = ListHeader(
    name="mine", version=1, category=Category.OWN, uses=OWN_USES, created_at=NOW
)

TEXT = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20)
MOMENTS = st.datetimes(timezones=st.just(UTC))
HEADERS = st.builds(
    ListHeader,
    name=TEXT,
    version=st.integers(0, 2**32 - 1),
    category=st.sampled_from(Category),
    uses=st.frozensets(st.sampled_from(Use), min_size=1),
    created_at=MOMENTS,
    expires_at=st.none() | MOMENTS,
    count=st.integers(0, 2**32 - 1),
    issuer=st.none() | TEXT,
    legal_basis=st.none() | TEXT,
    legal_class=st.none() | st.sampled_from(LegalClass),
    quality_floor=st.none() | st.integers(0, 100),
    is_sealed=st.booleans(),
)


def digest(width: int) -> st.SearchStrategy[bytes | None]:
    return st.none() | st.binary(min_size=width, max_size=width)


ENTRIES = st.builds(
    Entry,
    label=st.none() | st.text(max_size=20),
    md5=digest(16),
    sha1=digest(20),
    sha256=st.binary(min_size=32, max_size=32),
    pdq=st.lists(st.binary(min_size=32, max_size=32), max_size=3).map(tuple),
    vpdq=st.lists(st.binary(min_size=32, max_size=32), max_size=3, unique=True).map(tuple),
    photodna=digest(144),
    others=st.dictionaries(st.just("series"), st.integers() | st.text(max_size=5)),
)


def written(header: ListHeader, entries: list[Entry]) -> bytes:
    file = io.BytesIO()
    writer = ListWriter(file, header)
    for entry in entries:
        writer.write(entry)
    writer.finish()
    return file.getvalue()


@given(header=HEADERS, entries=st.lists(ENTRIES, max_size=5))
def test_what_is_written_is_read(header: ListHeader, entries: list[Entry]) -> None:
    file = io.BytesIO(written(header, entries))
    read = read_header(file)
    assert read.count == len(entries)
    assert header_fields(read) == {**header_fields(header), "count": len(entries)}
    assert list(read_entries(file)) == entries


@given(header=HEADERS)
def test_a_header_is_its_own_json(header: ListHeader) -> None:
    assert parse_header(json.dumps(header_fields(header)).encode()) == header


def test_keys_that_are_unknown_are_kept() -> None:
    line = json.dumps({**header_fields(HEADER), "motto": {"a": [1]}}).encode() + b"\n"
    file = io.BytesIO(line + b'{"md5":"' + b"0" * 32 + b'","series":"x"}\n')
    header, (entry,) = read_header(file), list(read_entries(file))
    assert header.others == {"motto": {"a": [1]}}
    assert isinstance(entry, Entry)
    again = io.BytesIO(written(header, [entry]))
    assert read_header(again).others == header.others
    assert list(read_entries(again)) == [entry]


@given(st.binary(max_size=300))
def test_whatever_a_file_holds_only_our_error_comes_out(content: bytes) -> None:
    with pytest.raises(ListFormatError):
        read_header(io.BytesIO(content))
    for number, line in enumerate(read_entries(io.BytesIO(content)), start=2):
        assert isinstance(line, BadEntry)
        assert line.line == number


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({MAGIC: 2}, "another version"),
        ({MAGIC: None}, "does not begin with the header"),
        ({"name": ""}, "'name' is no text"),
        ({"name": "a" * 201}, "'name' is no text"),
        ({"name": "a\x1b[2J"}, "'name' is no text"),
        ({"version": True}, "'version' is no whole number"),
        ({"version": -1}, "'version' is no whole number"),
        ({"count": 1 << 32}, "'count' is no whole number"),
        ({"category": "weather"}, "'category' is none of own, csam, known_good"),
        ({"uses": []}, "'uses' is no list"),
        ({"uses": ["spying"]}, "'uses' is no list"),
        ({"uses": [["guard"]]}, "'uses' is no list"),
        ({"created_at": None}, "'created_at' is no date"),
        ({"created_at": "2026-01-01"}, "'created_at' is no date"),
        ({"created_at": "0001-01-01T00:00+14:00"}, "'created_at' is no date"),
        ({"expires_at": "soon"}, "'expires_at' is no date"),
        ({"sealed": "no"}, "'sealed' is neither"),
    ],
)
def test_a_bad_header_is_refused_with_its_reason(change: dict[str, Any], message: str) -> None:
    line = json.dumps({**header_fields(HEADER), **change}).encode()
    with pytest.raises(ListFormatError, match=message):
        parse_header(line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"\xff", "no JSON object"),
        (b"[" * 60_000, "no JSON object"),
        (b"1" * 5000, "no JSON object"),
        (b"{}", "has none of md5"),
        (b'{"label": 1, "md5": "' + b"0" * 32 + b'"}', "'label' is no text"),
        (b'{"label": "' + b"a" * (LABEL_CHARACTERS + 1) + b'"}', "'label' is no text"),
        (b'{"md5": "0"}', "'md5' is not 32 hex digits"),
        (b'{"md5": ' + b"0" * 1 + b"}", "'md5' is not 32 hex digits"),
        (b'{"md5": "' + b"00 " * 16 + b'"}', "'md5' is not 32 hex digits"),
        (b'{"sha1": "' + b"g" * 40 + b'"}', "'sha1' is not 40 hex digits"),
        (b'{"sha256": "' + b"0" * 66 + b'"}', "'sha256' is not 64 hex digits"),
        (b'{"pdq": [null]}', "'pdq' is not 64 hex digits"),
        (b'{"pdq": [' + b"1," * PDQ_PER_ENTRY + b"1]}", "more than 256 hashes"),
        (b"x" * (LINE_BYTES * 2 + 5), "longer than 1048576 bytes"),
    ],
)
def test_a_bad_entry_is_named_and_the_next_is_kept(line: bytes, reason: str) -> None:
    good = b'{"md5":"' + b"0" * 32 + b'"}\n'
    bad, entry = read_entries(io.BytesIO(line + b"\n" + good))
    assert isinstance(bad, BadEntry)
    assert bad.line == 2
    assert reason in bad.reason
    assert entry == Entry(md5=bytes(16))


def test_a_long_last_line_without_an_end_is_named() -> None:
    (bad,) = read_entries(io.BytesIO(b"x" * (LINE_BYTES + 2)))
    assert isinstance(bad, BadEntry)


def test_the_longest_line_that_is_allowed_is_read() -> None:
    entry = b'{"md5":"' + b"0" * 32 + b'"}'
    (read,) = read_entries(io.BytesIO(entry.ljust(LINE_BYTES)))
    assert read == Entry(md5=bytes(16))


def test_one_hash_may_stand_without_brackets() -> None:
    (read,) = read_entries(io.BytesIO(b'{"pdq":"' + b"0" * 64 + b'"}'))
    assert read == Entry(pdq=(bytes(32),))


def test_times_are_given_in_utc() -> None:
    fields = {**header_fields(HEADER), "created_at": "2026-01-02T05:04:05+02:00"}
    assert parse_header(json.dumps(fields).encode()).created_at == NOW
    assert HEADER.created_at.utcoffset() == timedelta()


def test_no_repr_shows_what_a_list_holds() -> None:
    entry = Entry(label="secret.jpg", md5=b"secret", others={"a": "secret"})
    assert "secret" not in repr(entry)
