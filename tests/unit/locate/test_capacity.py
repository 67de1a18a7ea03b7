"""The arithmetic of capacity."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from protech.locate.capacity import (
    Measured,
    Needs,
    Rates,
    Vantages,
    as_text,
    compare,
    measured_in,
    needs,
    observed,
    rates_of,
    vantages,
)
from protech.locate.limits import Politeness
from tests.unit.locate.sightings import NOON, record

RUN = Measured(
    seconds=100,
    look_ups=50,
    queries=850,
    named=9300,
    probes=9300,
    answered=6138,
    probe_s=6138 * 0.2 + 3162 * 7,
    silent_s=3162 * 7,
    look_up_s=5,
    held_s=50 * (0.1 + 7),
    log_bytes=9_300_000,
    cpu_s=0.1 + 2.325,
)


def test_a_hundred_thousand_targets_an_hour_need_what_the_research_says() -> None:
    needed = needs(100_000, Rates())
    assert round(needed.queries_per_s) == 2222
    assert round(needed.probes_per_s) == 139
    assert 55_000 < needed.log_bytes_per_s < 65_000
    assert needed.cores < 0.1
    by_limit = vantages(needed, Politeness())
    assert by_limit == Vantages(by_queries=11, by_probes=4, by_conversations=9, by_targets=5)
    assert by_limit.count == 11
    assert vantages(needed, Politeness(targets=8)).count == 74


def test_one_vantage_is_the_least() -> None:
    assert vantages(needs(0, Rates()), Politeness()).count == 1


def test_how_long_targets_are_held_is_taken_from_a_run() -> None:
    slow = replace(Rates(), held_s=40.0)
    assert needs(3600, slow).targets == pytest.approx(40)
    assert needs(3600, slow, fresh_share=0.5).targets == pytest.approx(10 + 15)


def test_peers_that_were_spoken_to_lately_cost_nothing() -> None:
    fresh, later = needs(1000, Rates()), needs(1000, Rates(), fresh_share=0.1)
    assert later.probes_per_s == pytest.approx(fresh.probes_per_s / 10)
    assert later.queries_per_s == fresh.queries_per_s


def test_the_rates_of_a_run_give_back_the_run() -> None:
    rates = rates_of(RUN, Rates())
    assert rates.queries_per_look_up == 17
    assert rates.answer_s == pytest.approx(0.2)
    assert rates.silence_s == pytest.approx(7)
    assert rates.held_s == pytest.approx(7.1)
    assert rates.answering_share == pytest.approx(0.66)
    assert rates.probes_per_s_core == pytest.approx(4000)
    assert rates.record_bytes == 1000
    assert rates.look_up_s == pytest.approx(0.1)
    for row in compare(needs(50 * 36, rates), observed(RUN)):
        assert row.ratio == pytest.approx(1), row.name


def test_a_run_that_shows_nothing_leaves_the_assumptions() -> None:
    nothing = Measured(
        seconds=0,
        look_ups=0,
        queries=0,
        named=0,
        probes=0,
        answered=0,
        probe_s=0,
        silent_s=0,
        look_up_s=0,
        held_s=0,
        log_bytes=0,
        cpu_s=0,
    )
    assert rates_of(nothing, Rates()) == Rates()
    assert observed(nothing).queries_per_s == 0


def test_a_run_is_measured_by_its_log() -> None:
    records: list[tuple[dict[str, object], int]] = [
        ({"kind": "run"}, 900),
        ({"kind": "counts", "counts": {"entry": "e", "found": 3}}, 60),
        ({"kind": "counts", "counts": {"packets": 9}}, 40),
    ]
    for level, seconds in ((0, 9), (2, 1), (4, 2)):
        seen = record(level=level)
        ended = NOON + timedelta(seconds=seconds)
        records.append(({**seen, "ended_at": ended.isoformat()}, 500))
    measured = measured_in(records, seconds=60, queries=17, cpu_s=0.5, look_up_s=3)
    assert (measured.look_ups, measured.queries, measured.log_bytes) == (1, 17, 2500)
    assert (measured.probes, measured.answered) == (3, 2)
    assert (measured.probe_s, measured.silent_s) == (12, 9)
    rates = rates_of(measured, Rates())
    assert rates.answer_s == pytest.approx(1.5)
    assert rates.silence_s == pytest.approx(9)
    assert rates.look_up_s == pytest.approx(3)


def test_figures_stand_side_by_side() -> None:
    zero = needs(0, Rates())
    rows = compare(zero, observed(RUN))
    assert all(math.isinf(row.ratio) for row in rows)
    assert all(row.ratio == 1 for row in compare(zero, zero))
    text = as_text(compare(needs(1000, Rates()), observed(RUN)))
    assert len(text.splitlines()) == 1 + len(Needs.__dataclass_fields__)
    assert "queries_per_s" in text
