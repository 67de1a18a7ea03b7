"""Lists written for others: only those that may leave, and they are read back as they were."""

import io
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import TrustError
from protech.lists.entries import LABEL_CHARACTERS, OWN_USES, Category, Entry, ListHeader, Use
from protech.lists.fetch_key import Ed2kFile
from protech.lists.formats import hma
from protech.lists.formats.tables import read_csv
from protech.lists.formats.writers import Export, check_exportable, write

OWN = ListHeader(
    name="mine",
    version=1,
    category=Category.OWN,
    uses=OWN_USES,
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
)
AUTHORITY = replace(OWN, category=Category.CSAM, issuer="An authority")
KEYS = replace(AUTHORITY, uses=frozenset({Use.LOCATE}))


def digest(width: int) -> st.SearchStrategy[bytes | None]:
    return st.none() | st.binary(min_size=width, max_size=width)


HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=3).map(tuple)
LABELS = st.text(
    st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=1
)
ENTRIES = st.builds(
    Entry,
    label=st.none() | LABELS | LABELS.map("=".__add__) | LABELS.map("'-".__add__),
    md5=digest(16),
    sha1=digest(20),
    sha256=digest(32),
    pdq=HASHES,
    vpdq=HASHES,
    photodna=digest(144),
).filter(lambda one: any((one.md5, one.sha1, one.sha256, one.pdq, one.vpdq, one.photodna)))


def written(format_: Export, entries: Iterable[Entry], header: ListHeader = OWN) -> bytes:
    out = io.BytesIO()
    write(format_, header, entries, out)
    return out.getvalue()


@given(entries=st.lists(ENTRIES, max_size=5))
def test_a_table_is_read_as_it_was_written(entries: list[Entry]) -> None:
    assert list(read_csv(io.BytesIO(written(Export.CSV, entries)))) == entries


@pytest.mark.parametrize(
    "label", ["=1+1", "'=1", "''@x", "-", '"', " a ", "x,y;z", "'", "\t", "\uff1d1"]
)
def test_no_label_is_a_formula_to_a_spreadsheet(label: str) -> None:
    entry = Entry(label=label, md5=bytes(16))
    table = written(Export.CSV, [entry])
    assert table.splitlines()[1][1:2] not in {b"=", b"+", b"-", b"@", b"\t"}
    assert list(read_csv(io.BytesIO(table))) == [entry]


def test_a_label_of_several_lines_stays_on_one() -> None:
    [entry] = read_csv(
        io.BytesIO(written(Export.CSV, [Entry(label="a\r\nb\0", md5=bytes(16))]))
    )
    assert isinstance(entry, Entry)
    assert entry.label == "a\ufffd\ufffdb\ufffd"


def test_a_name_that_was_no_utf_8_is_written_with_a_question_mark() -> None:
    entry = Entry(label="\udcff" + "x" * (LABEL_CHARACTERS - 1), md5=bytes(16))
    for format_ in Export:
        written(format_, [entry]).decode()


@given(entries=st.lists(ENTRIES, max_size=4))
def test_the_lines_hold_every_identifier(entries: list[Entry]) -> None:
    found = list(hma.read(io.BytesIO(written(Export.HMA, entries))))
    assert all(isinstance(one, Entry) for one in found)
    for name in ("md5", "sha1", "sha256", "pdq", "vpdq", "photodna"):
        assert identifiers(found, name) == identifiers(entries, name)


def identifiers(entries: Iterable[object], name: str) -> list[bytes]:
    values = [getattr(one, name) for one in entries]
    return [raw for one in values for raw in (one if isinstance(one, tuple) else [one]) if raw]


@given(entries=st.lists(ENTRIES, max_size=4))
def test_the_json_of_vics_holds_what_it_has_names_for(entries: list[Entry]) -> None:
    whole = json.loads(written(Export.VICS, entries))
    assert list(whole) == ["@odata.context", "value"]
    assert [one["MediaID"] for one in whole["value"]] == list(range(1, len(entries) + 1))
    for media, entry in zip(whole["value"], entries, strict=True):
        assert media.get("MD5") == (entry.md5 and entry.md5.hex().upper())
        hashes = [one["HashValue"] for one in media.get("AlternativeHashes", [])]
        kept = (*([entry.sha256] if entry.sha256 else []), *entry.pdq)
        assert hashes == [raw.hex() for raw in kept]


def test_it_says_how_many_entries_it_wrote() -> None:
    for format_ in Export:
        assert write(format_, OWN, [Entry(md5=bytes(16))] * 3, io.BytesIO()) == 3
        assert write(format_, OWN, [], io.BytesIO()) == 0


@pytest.mark.parametrize(
    "header",
    [
        AUTHORITY,
        replace(AUTHORITY, others={"export": False}),
        replace(AUTHORITY, others={"export": 1}),
        replace(AUTHORITY, others={"export": "true"}),
        replace(AUTHORITY, category=Category.KNOWN_GOOD),
        KEYS,
        replace(KEYS, others={"export": True}),
        replace(KEYS, category=Category.OWN),
    ],
)
@pytest.mark.parametrize("format_", Export)
def test_a_list_that_may_not_leave_is_not_written(header: ListHeader, format_: Export) -> None:
    out = io.BytesIO()
    with pytest.raises(TrustError, match="is not exported"):
        write(format_, header, [Entry(md5=bytes(16))], out)
    assert out.getvalue() == b""


def test_an_authority_may_let_its_list_leave() -> None:
    check_exportable(replace(AUTHORITY, others={"export": True}))


@pytest.mark.parametrize("format_", Export)
def test_fetch_keys_are_no_entries(format_: Export) -> None:
    key = Ed2kFile(md4=bytes(16), aich=bytes(20), size_bytes=1)
    out = io.BytesIO()
    with pytest.raises(TypeError, match="only entries"):
        write(format_, OWN, [key], out)  # type: ignore[list-item]
    assert key.md4.hex().encode() not in out.getvalue()
