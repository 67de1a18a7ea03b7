"""VICS and CAID files: what is written is read, and what is broken is named by its place."""

import io
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists.entries import BadEntry, Entry
from protech.lists.formats import json_stream
from protech.lists.formats import vics as module
from protech.lists.formats.vics import category_of, matches, read
from protech.lists.formats.writers import Export, write
from tests import vics
from tests.unit.lists.formats.test_own import ENTRIES, HEADER

MODELS = {
    "@odata.context": vics.CONTEXT,
    "odata.metadata": "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media",
}


def one(i: int, **fields: Any) -> dict[str, object]:
    return {"MediaID": i, "Category": 1, "MD5": i.to_bytes(16).hex()} | fields


def entry(i: int) -> Entry:
    return Entry(md5=i.to_bytes(16), others={"vics": {"category": 1}})


def text(*media: object, **changes: Any) -> str:
    return json.dumps({"@odata.context": vics.CONTEXT, "value": media} | changes)


def found(content: str | bytes) -> list[Entry | BadEntry]:
    raw = content if isinstance(content, bytes) else content.encode(errors="surrogateescape")
    return list(read(io.BytesIO(raw)))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\n \t"])
@pytest.mark.parametrize("indent", [None, 2, "\t\r\n"])
def test_each_version_is_read(model: str, mark: bytes, indent: int | str | None) -> None:
    whole = {model: MODELS[model], "value": [one(1), one(2)], "after": [{"MD5": "x"}]}
    content = mark + json.dumps(whole, indent=indent).encode()
    assert matches(content)
    assert found(content) == [entry(1), entry(2)]


def test_keys_may_stand_in_any_order_and_be_unknown() -> None:
    whole = {"x": {"value": [one(9)]}, "y": [[1], "]}"], "z": 1.5, "value": [one(1)]}
    assert found(json.dumps(whole | MODELS)) == [entry(1)]


def test_cases_give_their_media() -> None:
    cases = [
        {"CaseID": "1", "Media": [one(1), 7, one(2)], "Other": [one(9)]},
        {"Media": []},
        {"CaseID": "2", "Media": [one(3)]},
    ]
    bad = BadEntry(line=2, reason="it is no object")
    assert found(text(*cases)) == [entry(1), bad, entry(2), entry(3)]


def test_a_case_longer_than_the_window_gives_its_media(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "WINDOW_BYTES", 512)
    monkeypatch.setattr(json_stream, "VALUE_CHARACTERS", 1024)
    case = {"CaseID": "1", "Note": "x" * 3000, "Media": [one(i) for i in range(99)], "Z": 1}
    assert found(text(case, case)) == [entry(i) for i in range(99)] * 2
    long = one(7, MediaFiles=["x" * 3000], Tags="y" * 3000)
    bad = BadEntry(line=2, reason="it is too long")
    assert found(text(one(1), long, one(2))) == [entry(1), bad, entry(2)]
    nested: object = one(1)
    for _ in range(9):
        nested = {"Note": "x" * 1000, "Media": [nested], "After": "x" * 1000}
    assert found(text(nested, one(2)))[-1] == entry(2)
    assert found(text("x" * 3000, one(2)))[1:] == [entry(2)]


@given(st.lists(ENTRIES, max_size=9))
def test_what_our_writer_writes_is_read(entries: list[Entry]) -> None:
    out = io.BytesIO()
    write(Export.VICS, HEADER, entries, out)
    kept = [
        Entry(
            md5=one.md5,
            sha1=one.sha1,
            sha256=one.sha256,
            pdq=tuple(dict.fromkeys(one.pdq)),
            photodna=one.photodna,
            others={"vics": {"category": 0}},
        )
        for one in entries
        if one.md5 or one.sha1 or one.sha256 or one.pdq or one.photodna
    ]
    assert matches(out.getvalue())
    assert [one for one in found(out.getvalue()) if isinstance(one, Entry)] == kept


BROKEN = {
    '{"MD5": "a" "b"}': "it is no JSON",
    '{"MD5": "C:\\x"}': "it is no JSON",
    '{"MD5": "\0"}': "it is no JSON",
    '{"MD5": ' + "[" * 20_000 + "]" * 20_000 + "}": "it is no JSON",
    '{"MediaSize": ' + "9" * 9999 + "}": "it is no JSON",
    '{"MD5": "\udcff"}': "'md5' is not 32 hex digits",
    '{"MD5": 5}': "'md5' is no text",
    "{}": "it has no identifier",
    "[]": "it is no object",
    "null": "it is no object",
    '"' + "x" * 99: "it is no object",
    '{"MediaID": 1, "Tags": "a, "MD5": "b}': "it is no JSON",
    '{"MediaID": [}': "it is no JSON, and where it ends was guessed",
}


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_entry_is_named_and_the_next_one_kept(broken: str) -> None:
    good = [json.dumps(one(i)) for i in range(1, 2000)]
    content = f'{{"value": [{good[0]}, {broken}, {", ".join(good[1:])}]}}'
    first, bad, *rest = found(content)
    assert first == entry(1)
    assert bad == BadEntry(line=2, reason=BROKEN[broken])
    assert rest[-1] == entry(1999)
    assert len(rest) >= 1997


def test_the_last_value_of_a_key_written_twice_counts() -> None:
    twice = json.dumps(one(1)).replace('"MD5"', '"MD5": "00", "MD5"')
    assert found(f'{{"value": [{twice}]}}') == [entry(1)]


def test_commas_that_lack_or_are_too_many_cost_no_entry() -> None:
    first, second = (json.dumps(one(i)) for i in (1, 2))
    bad = BadEntry(line=2, reason="no comma stands before it")
    assert found(f'{{"value": [{first} {second},]}}') == [entry(1), bad, entry(2)]
    assert found(f'{{"value": [{first}, x {second}]}}')[-1] == entry(2)
    assert found(f'{{"value": [{first} ]] {second}]}}')[0] == entry(1)
    assert found(f'{{"value": [{first}: {second}]}}')[-1] == entry(2)


@pytest.mark.parametrize("length", range(0, 400, 7))
def test_a_cut_file_keeps_the_good_and_says_so(length: int) -> None:
    content = text(*map(one, range(9)))[: 130 + length]
    *good, bad = found(content)
    assert good == [entry(i) for i in range(len(good))]
    assert isinstance(bad, BadEntry)
    assert bad.reason in {"the file was cut here", "it is no JSON"} or "guessed" in bad.reason


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"\xff\xd8\xff", b"{", b"{}", b'{"value": 1}', b'{"value": {"MD5": 1}}',
        b'{"@odata.context": "', b'{"value" [', b"{1: 2}", b'{"a": 1 "value": []}',
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    with pytest.raises(ListFormatError, match="not in the format of VICS"):
        found(content)


def test_a_list_of_what_to_fetch_is_refused() -> None:
    with pytest.raises(ListFormatError, match="for locate"):
        found('{"protech_fetch_keys": 1, "value": []}')
    with pytest.raises(ListFormatError, match="UTF-8"):
        found(text().encode("utf-16"))


def test_a_list_without_entries_is_a_list() -> None:
    assert found(text()) == []


def test_what_stands_behind_the_array_costs_no_entry() -> None:
    content = text(one(1))
    bad = BadEntry(line=2, reason="what stands after it is no JSON")
    assert found(content[:-1] + "; }") == [entry(1), bad]
    assert found(content + "more") == [entry(1)]


def test_a_file_of_nothing_but_faults_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOST_MOST", 5)
    with pytest.raises(ListFormatError, match="too many of its entries have no end"):
        found('{"value": [' + '{"MD5": [}' * 99)


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(1, 64))
def test_whatever_is_done_to_a_file_it_ends(junk: bytes, at: int, window: int) -> None:
    whole = text(*map(one, range(4))).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "WINDOW_BYTES", window)
        patch.setattr(json_stream, "VALUE_CHARACTERS", 128)
        patch.setattr(json_stream, "RESCUE_CHARACTERS", 64)
        with suppress(ListFormatError):
            found(whole[:at] + junk + whole[at:])


@pytest.mark.parametrize("head", [b"", b"{}", b'{"protech_list": 1}', b"[1]", b"\xff{"])
def test_other_files_are_not_taken_for_one(head: bytes) -> None:
    assert not matches(head)


def test_an_entry_tells_its_category() -> None:
    assert [category_of(one) for one in (entry(1), Entry(md5=bytes(16)))] == ["1", "none"]
