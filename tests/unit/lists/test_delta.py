import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists import delta
from protech.lists.entries import Category, ListHeader, Use
from protech.lists.formats.own import LINE_BYTES, header_line

HEADER = ListHeader(
    name="baseline",
    version=1,
    category=Category.CSAM,
    uses=frozenset({Use.GUARD}),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)

lines = st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"") + b"\n")
entries = st.sets(lines, max_size=30)


def listed(version: int, of: Iterable[bytes]) -> bytes:
    sorted_lines = sorted(of)
    header = replace(HEADER, version=version, count=len(sorted_lines))
    return header_line(header) + b"".join(sorted_lines)


def made(old: bytes, new: bytes) -> bytes:
    out = io.BytesIO()
    delta.make(io.BytesIO(old), io.BytesIO(new), out)
    return out.getvalue()


def applied(old: bytes, step: bytes) -> bytes:
    out = io.BytesIO()
    digest = delta.apply(io.BytesIO(old), io.BytesIO(step), out)
    assert digest == sha256(out.getvalue()).digest()
    return out.getvalue()


OLD = listed(3, [b"a\n", b"c\n", b"d\n"])
NEW = listed(5, [b"b\n", b"c\n", b"e\n"])
STEP = made(OLD, NEW)


@given(entries, entries)
def test_applying_what_was_made_gives_the_new_list(
    before: set[bytes], after: set[bytes]
) -> None:
    old, new = listed(1, before), listed(2, after)
    assert applied(old, made(old, new)) == new


@given(entries, entries)
def test_a_delta_holds_what_differs_and_nothing_else(
    before: set[bytes], after: set[bytes]
) -> None:
    step = made(listed(1, before), listed(2, after))
    body = step.split(b"\n", 1)[1]
    assert body == b"".join(sorted(before - after)) + b"".join(sorted(after - before))


def test_long_lists_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "BLOCK_BYTES", 64)
    old = listed(1, (b"%06d\n" % i for i in range(0, 3000, 2)))
    new = listed(2, (b"%06d\n" % i for i in range(0, 3000, 3)))
    assert applied(old, made(old, new)) == new


@given(st.integers(0, len(STEP) - 1))
def test_a_delta_that_was_cut_is_refused(kept: int) -> None:
    with pytest.raises(ListFormatError):
        applied(OLD, STEP[:kept])


@given(st.integers(0, len(STEP) - 1), st.integers(0, 255))
def test_a_changed_delta_gives_an_error_or_another_digest(place: int, byte: int) -> None:
    changed = STEP[:place] + bytes([byte]) + STEP[place + 1 :]
    try:
        result = applied(OLD, changed)
    except ListFormatError:
        return
    assert (sha256(result).digest() == sha256(NEW).digest()) == (result == NEW)


@given(st.binary(max_size=200))
def test_what_is_no_delta_is_refused(content: bytes) -> None:
    with pytest.raises(ListFormatError):
        applied(OLD, content)


HEAD, REMOVED_A, REMOVED_D, ADDED_B, ADDED_E = STEP.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (STEP + b"f\n", "more in it"),
        (HEAD + REMOVED_D + REMOVED_A + ADDED_B + ADDED_E, "order"),
        (HEAD + REMOVED_A + REMOVED_A + ADDED_B + ADDED_E, "order"),
        (HEAD + REMOVED_A + b"x\n" + ADDED_B + ADDED_E, "not there"),
        (HEAD + REMOVED_A + REMOVED_D + ADDED_B + b"c\n", "there already"),
        (HEAD.replace(b'"base":3', b'"base":2') + STEP[len(HEAD) :], "another list or version"),
        (HEAD.replace(b'"base":3', b'"base":7') + STEP[len(HEAD) :], "than it says"),
        (HEAD.replace(b'"version":5', b'"version":6', 1) + STEP[len(HEAD) :], "than it says"),
        (HEAD.replace(b'"base":3', b'"base":-3') + STEP[len(HEAD) :], "where it starts"),
        (HEAD.replace(b'"base":3', b'"base":true') + STEP[len(HEAD) :], "where it starts"),
        (HEAD.replace(b'"removed":2', b'"removed":2.0') + STEP[len(HEAD) :], "where it"),
        (HEAD.replace(b'"count":3', b'"count":4') + STEP[len(HEAD) :], "number of entries"),
        (HEAD.replace(b'_delta":1', b'_delta":2') + STEP[len(HEAD) :], "begin"),
        (HEAD.replace(b'"added":2', b'"added":999999999999') + STEP[len(HEAD) :], "cut"),
        (b"[" * 100_000 + b"\n", "begin"),
        (HEAD + b"a" * (LINE_BYTES + 2) * 2, "longer"),
    ],
)
def test_a_delta_that_does_not_fit_is_refused(step: bytes, what: str) -> None:
    with pytest.raises(ListFormatError, match=what):
        applied(OLD, step)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (NEW, OLD, "later version"),
        (OLD, NEW.replace(b'"baseline"', b'"other"'), "later version"),
        (OLD.replace(b"a\nc\n", b"c\na\n"), NEW, "old list is not canonical"),
        (OLD, NEW.replace(b"b\n", b"b\nb\n"), "new list is not canonical"),
        (OLD, NEW[:-1], "new list is not canonical"),
        (OLD, NEW.replace(b'{"protech_list"', b'{ "protech_list"'), "header"),
    ],
)
def test_a_delta_is_made_of_canonical_lists_only(old: bytes, new: bytes, what: str) -> None:
    with pytest.raises(ListFormatError, match=what):
        made(old, new)


def test_lines_on_their_way_stay_in_the_given_directory(tmp_path: Path) -> None:
    out = io.BytesIO()
    said = delta.make(io.BytesIO(OLD), io.BytesIO(NEW), out, spool=tmp_path)
    assert (said.base, said.version, said.removed, said.added) == (3, 5, 2, 2)
    assert not list(tmp_path.iterdir())
