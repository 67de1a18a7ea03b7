"""The published error rates: the page and the certificate say what was measured."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from protech.locate.lab.error_rates import BEGIN, END, certificate, results, tables, with_tables
from protech.locate.lab.plan import Kind
from protech.locate.lab.score import Score, Share
from protech.locate.report.self_test import read

DOCS = Path(__file__).resolve().parents[4] / "docs"

SCORE = Score(
    precision={
        "0": Share(hits=66, of=100),
        "3": Share(hits=90, of=100),
        "4": Share(hits=3000, of=3000),
        "4/utp": Share(hits=20, of=20),
    },
    recall={
        "3": Share(hits=9, of=10),
        "4": Share(hits=8, of=10),
        "3/seed": Share(hits=9, of=10),
        "4/seed": Share(hits=8, of=10),
    },
    proofs=Share(hits=3000, of=3000),
    relayed=7,
    mistakes={"3/liar": 10, "2/liar": 10, "0/dead": 4},
)


@pytest.fixture
def found() -> dict[str, Any]:
    return results(
        SCORE,
        seeds=[1, 2],
        kinds={Kind.SEED: 10, Kind.LIAR: 5},
        commit="0123456789",
        code="c0de" * 16,
        on=date(2026, 11, 28),
    )


def test_the_certificate_is_one_that_reports_read(found: dict[str, Any]) -> None:
    made = read(json.dumps(certificate(found)))
    assert made.seeds == (1, 2)
    assert (made.levels[4].right, made.levels[4].n) == (3000, 3000)
    assert made.recall["L3"].share == 0.9


def test_results_outlive_being_written(found: dict[str, Any]) -> None:
    assert tables(json.loads(json.dumps(found))) == tables(found)


def test_tables_say_what_was_measured(found: dict[str, Any]) -> None:
    told = tables(found)
    assert "| 3, claims | 100 | 90 | 90.0 % |" in told
    assert "at most 0.100 % with 95 % confidence" in told
    assert "7 of the proofs came from relays" in told
    assert "| 4, delivered | uTP | 20 | 20 | 100.0 % |" in told
    assert "| seed | 10 | 90.0 % | 80.0 % |" in told
    assert "| liar | 10 | 10 | 0 |" in told
    assert "dead" not in told
    assert "2 swarms of 10 peers that hold pieces and 5 that do not" in told


def test_almost_all_never_reads_as_all(found: dict[str, Any]) -> None:
    recall = {"3": Share(hits=99_999, of=100_000), "4": Share(hits=7, of=7)}
    score = {**SCORE.fields, "recall": {key: one.fields for key, one in recall.items()}}
    assert "| all | 100000 | 99.999 % | 100.0 % |" in tables({**found, "score": score})


def test_without_proofs_none_is_told_of(found: dict[str, Any]) -> None:
    found["score"] = Score(
        precision={}, recall={}, proofs=Share(), relayed=0, mistakes={}
    ).fields
    assert "No proof was asked for." in tables(found)
    assert certificate(found)["levels"] == {}


def test_only_what_stands_between_the_marks_is_written_anew(found: dict[str, Any]) -> None:
    page = f"before\n{BEGIN}of another day\n{END}after\n"
    written = with_tables(page, found)
    assert written.startswith(f"before\n{BEGIN}")
    assert written.endswith(f"{END}after\n")
    assert "of another day" not in written
    assert with_tables(written, found) == written


def test_a_page_without_marks_is_left_alone(found: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no marks"):
        with_tables("text", found)


def test_the_page_says_what_its_results_say() -> None:
    measured = DOCS / "error-rates.json"
    page = (DOCS / "error-rates.md").read_text()
    if measured.exists():
        assert with_tables(page, json.loads(measured.read_text())) == page
    assert BEGIN in page
