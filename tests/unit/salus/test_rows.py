"""The row format: DESIGN's keys, always all of them, whatever the name."""

import base64
import json
import os
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from protech.salus.policy import TRIAGE, Policy
from protech.salus.rows import BEGINNING, line, row
from protech.types import (
    Digests,
    Findings,
    Frame,
    Kind,
    ListRef,
    Match,
    MatchKind,
    Person,
    Scores,
    Unscannable,
    Verdict,
)

KEYS = [
    "v",
    "path",
    "path_bytes",
    "kind",
    "size_bytes",
    "sha256",
    "decision",
    "reason",
    "rule",
    "policy",
    "matches",
    "excepted",
    "scores",
    "unscannable",
]
MATCH_KEYS = [
    "list",
    "version",
    "stale",
    "kind",
    "entry",
    "distance_bits",
    "quality",
    "query_percent",
    "known_percent",
]
SCORE_KEYS = ["explicit", "apparent_minor", "persons", "persons_unjudged", "models"]
ROWS_PAGE = Path(__file__).parents[3] / "docs" / "rows.md"

FULL = Findings(
    kind=Kind.IMAGE,
    size_bytes=7,
    digests=Digests(md5=bytes(16), sha1=bytes(20), sha256=b"\1" * 32),
    matches=(
        Match(
            source=ListRef(name="mine", version=3, stale=True),
            kind=MatchKind.PDQ,
            entry="a.jpg",
            distance_bits=9,
            quality=80,
        ),
    ),
    frames=(
        Frame(scores=Scores(explicit=0.2, persons=(Person(apparent_minor=0.9),))),
        Frame(
            scores=Scores(
                explicit=0.8,
                persons=(Person(apparent_minor=0.1), Person(apparent_minor=None)),
            )
        ),
        Frame(scores=Scores()),
        Frame(),
    ),
    models=(("explicit", "e-1"), ("age", "a-1")),
)


def decided(findings: Findings) -> Verdict:
    return Policy(settings=TRIAGE).decide(findings)


def test_a_full_row() -> None:
    assert row(decided(FULL), "dir/a.jpg") == {
        "v": 1,
        "path": "dir/a.jpg",
        "path_bytes": None,
        "kind": "image",
        "size_bytes": 7,
        "sha256": "01" * 32,
        "decision": "block",
        "reason": "resembles",
        "rule": 2,
        "policy": "triage-1/no-models",
        "matches": [
            {
                "list": "mine",
                "version": 3,
                "stale": True,
                "kind": "pdq",
                "entry": "a.jpg",
                "distance_bits": 9,
                "quality": 80,
                "query_percent": None,
                "known_percent": None,
            }
        ],
        "excepted": [],
        "scores": {
            "explicit": 0.8,
            "apparent_minor": 0.1,
            "persons": 2,
            "persons_unjudged": 1,
            "models": {"explicit": "e-1", "age": "a-1"},
        },
        "unscannable": None,
    }


def test_an_empty_row_has_every_key() -> None:
    findings = Findings(kind=Kind.OTHER, unscannable=Unscannable.UNREADABLE)
    empty = row(decided(findings), "x")
    assert list(empty) == KEYS
    assert (empty["matches"], empty["scores"], empty["sha256"]) == ([], None, None)
    assert (empty["decision"], empty["unscannable"]) == ("review", "unreadable")


def test_the_page_names_the_same_keys() -> None:
    page = ROWS_PAGE.read_text()
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == KEYS
    for keys in (MATCH_KEYS, SCORE_KEYS):
        assert ", ".join(f"`{key}`" for key in keys) in page


def test_scores_without_a_judged_person_are_null() -> None:
    findings = Findings(kind=Kind.IMAGE, frames=(Frame(scores=Scores()),))
    assert row(decided(findings), "x")["scores"] == {
        "explicit": None,
        "apparent_minor": None,
        "persons": 0,
        "persons_unjudged": 0,
        "models": {},
    }


@given(st.binary(min_size=1).filter(lambda name: 0 not in name))
def test_any_name_comes_back_and_none_moves_the_cursor(name: bytes) -> None:
    text = line(decided(FULL), os.fsdecode(name))
    assert text.isascii()
    assert text.encode().startswith(BEGINNING)
    assert text[:-1].isprintable()
    assert text[-1] == "\n"
    read = json.loads(text)
    assert set(read) == set(KEYS)
    if read["path_bytes"] is None:
        assert read["path"].encode() == name
    else:
        assert base64.b64decode(read["path_bytes"]) == name
        assert read["path"] == name.decode(errors="replace")


def test_what_was_excepted_is_shown_apart() -> None:
    silent = Match(source=ListRef(name="a", version=1), kind=MatchKind.SHA256)
    findings = Findings(kind=Kind.IMAGE, excepted=(silent,))
    shown = row(Policy(settings=TRIAGE).decide(findings), "p")
    assert (shown["decision"], shown["matches"]) == ("allow", [])
    assert [one["list"] for one in shown["excepted"]] == ["a"]  # type: ignore[attr-defined]
