from datetime import timedelta

import pytest

from protech.locate.page.fold import Fold
from protech.locate.page.header import LogState, header
from protech.locate.report.self_test import Rate, SelfTest
from tests.unit.locate.page.made import NOW, counts, head, run, sighting, stop
from tests.unit.locate.page.test_fold import folded

LOG = LogState(size=10, checkpoint_size=8, checkpoint_at=NOW)


def test_the_head_says_what_the_run_stands_on() -> None:
    shown = header(folded(run(NOW), counts(NOW)), LOG, now=NOW)
    authorised = shown.authorised
    assert (shown.case, shown.is_lab, shown.runs) == ("2026-0417", True, 1)
    assert (authorised.id, authorised.powers) == ("A-2026-11", ("observe", "prove"))
    assert authorised.operators == ("Operator one", "Operator two")
    assert (shown.list_name, shown.list_version, shown.list_keys) == ("unit-list", "7", 412)
    assert shown.databases == (("places-a", "2026-11-01"),)
    assert (shown.is_synchronised, shown.clock_error_ms) == (True, 1.4)
    assert (shown.outside, shown.read, shown.log.size) == (7, 2, 10)


def test_an_empty_log_has_a_head() -> None:
    shown = header(Fold(), LogState(size=0), now=NOW)
    assert (shown.state, shown.case, shown.authorised.term) == ("none", "", "unknown")
    assert shown.peers == (0, 0, 0, 0, 0)


def test_a_run_that_is_not_heard_of_is_not_said_to_run() -> None:
    fold = folded(run(NOW))
    assert header(fold, LOG, now=NOW).state == "running"
    assert header(fold, LOG, now=NOW + timedelta(minutes=11)).state == "quiet"
    fold.add(1, stop(NOW, "expired"))
    shown = header(fold, LOG, now=NOW)
    assert (shown.state, shown.reason) == ("stopped", "expired")


@pytest.mark.parametrize(
    ("days", "term"), [(30, "holds"), (1, "ends_soon"), (0.5, "ends_soon"), (0, "ended")]
)
def test_the_end_of_the_authorisation_is_told_before_it_comes(days: float, term: str) -> None:
    assert header(folded(run(NOW, days=days)), LOG, now=NOW).authorised.term == term


def test_peers_count_at_the_highest_level_that_they_reached() -> None:
    fold = folded(
        sighting(NOW, level=1),
        sighting(NOW, level=3),
        sighting(NOW, level=4),
        sighting(NOW, level=3, port=1),
    )
    assert header(fold, LOG, now=NOW).peers == (0, 1, 0, 1, 1)


def test_a_measurement_counts_for_the_build_that_it_was_made_on() -> None:
    rate = Rate(n=3000, right=3000, share=1.0, low=0.999, high=1.0)
    measured = SelfTest(
        measured_on=NOW.date(),
        commit="0c20ffee1234",
        code="c0de",
        seeds=(1,),
        levels={4: rate},
        recall={},
        content="",
    )
    fold = folded(run(NOW))
    assert header(fold, LOG, now=NOW, self_test=measured).measured == {4: rate}
    assert header(fold, LOG, now=NOW).measured == {}
    fold.add(1, {**run(NOW), "build": {"version": "0.4.0", "code": "badc0de"}})
    assert header(fold, LOG, now=NOW, self_test=measured).measured == {}


def test_fields_of_another_form_are_left_out() -> None:
    odd = {**head("run", NOW), "databases": "none", "authorisation": {"not_after": "soon"}}
    odd["at"] = "2026-11-28"
    shown = header(folded(odd), LOG, now=NOW)
    assert (shown.databases, shown.state) == ((), "running")
