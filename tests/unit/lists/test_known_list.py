"""Known lists in use: what they match, and when they have expired."""

from datetime import timedelta
from pathlib import Path

import pytest

from protech.errors import TrustError
from protech.lists.entries import Category, Use
from protech.lists.store import open_list
from protech.types import ListRef, Match, MatchKind
from tests.listed import ASKED, HASH, NOW, header, write


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "lists"


def test_known_digests_and_hashes_match_with_their_label(tmp_path: Path, cache: Path) -> None:
    known = open_list(write(tmp_path / "l", header()), use="triage", cache=cache)
    source = ListRef(name="mine", version=3, stale=False)
    kinds = (MatchKind.SHA256, MatchKind.SHA1, MatchKind.MD5)
    assert known.exact(ASKED) == [
        Match(source=source, kind=kind, entry="a.jpg") for kind in kinds
    ]
    assert known.near([HASH]) == [
        Match(source=source, kind=MatchKind.PDQ, entry="a.jpg", distance_bits=1, quality=80)
    ]


def test_labels_of_lists_that_are_not_own_are_never_given(tmp_path: Path, cache: Path) -> None:
    known = open_list(write(tmp_path / "l", header(category=Category.CSAM)), cache=cache)
    assert {match.entry for match in known.exact(ASKED) + known.near([HASH])} == {None}


def test_a_harmless_list_matches_digests_and_no_likeness(tmp_path: Path, cache: Path) -> None:
    known = open_list(write(tmp_path / "l", header(category=Category.KNOWN_GOOD)), cache=cache)
    assert [match.is_known_good for match in known.exact(ASKED)] == [True] * 3
    assert known.near([HASH]) == []


def test_a_list_for_another_use_is_refused(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "l", header(uses=frozenset({Use.GUARD})))
    with pytest.raises(TrustError, match="is for guard, not for triage"):
        open_list(path, use="triage", cache=cache)
    open_list(path, use="guard", cache=cache)


def test_a_list_grows_stale_while_it_is_in_use(tmp_path: Path, cache: Path) -> None:
    times = iter([NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=2)])
    path = write(tmp_path / "l", header(expires_at=NOW + timedelta(hours=1)))
    known = open_list(path, cache=cache, clock=lambda: next(times))
    assert [known.ref.stale for _ in range(2)] == [False, True]
    assert known.exact(ASKED)[0].source.stale
