from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import SourceError
from protech.locate.adapter import Level
from protech.locate.report.case import Socket
from protech.locate.report.reading import read
from tests.locate_case import CaseMaker, small_case

MADE, _ = small_case()


def test_a_case_is_read_from_what_the_recorder_wrote() -> None:
    case = read(MADE.numbered)
    assert [one.level for one in case.seen].count(Level.DELIVERED) == 5
    assert case.below == {0: 1, 1: 1, 2: 1}
    assert case.counts == {"named": 240, "outside": 31, "not_covered": 4, "left_alone": 9}
    assert case.requests[0].operators == ("operator-17", "operator-21")
    assert case.stops[0].reason == "the operator stopped it"
    assert case.records == len(MADE.records)
    (run,) = case.runs
    assert run.listed.keys == 3
    assert run.listed.tree_root == MADE.watch.tree_root
    first = case.seen[0]
    assert first.peer == Socket(address="198.18.7.9", port=51413)
    assert first.proof is not None
    assert first.proof.length_bytes == 65536
    assert first.place is not None
    assert first.place.countries == (("geo-a", "FR"), ("geo-b", "FR"))


def test_nothing_of_a_sighting_below_level_3_is_read_but_its_level() -> None:
    made = CaseMaker()
    made.sighting(Level.HANDSHAKE)
    records = made.numbered
    records[-1] = (1, {"kind": "sighting", "level": 2, "at": records[-1][1]["at"]})
    assert read(records).below == {2: 1}


def test_a_log_without_a_run_gives_no_report() -> None:
    with pytest.raises(SourceError, match="no run yet"):
        read(())


def test_counts_of_several_looks_add_up_and_records_of_later_versions_are_left_alone() -> None:
    made = CaseMaker()
    made.counts(named=3, outside=1)
    made.counts(named=4)
    made.records.append({"kind": "entry", "at": made.records[0]["at"]})
    case = read(made.numbered)
    assert (case.counts["named"], case.counts["outside"]) == (7, 1)


def test_a_place_that_says_little_is_a_place() -> None:
    made = CaseMaker()
    made.sighting(where={"verdict": "inside", "databases": [["a", "2026-01-01", "zz"], 3]})
    place = read(made.numbered).seen[0].place
    assert place is not None
    assert (place.country, place.asn, place.countries) == (None, None, ())
    assert place.databases[0].sha256 == b""


def test_a_level_that_there_is_not_is_refused() -> None:
    made = CaseMaker()
    made.sighting()
    records = made.numbered
    records[-1][1]["level"] = 5
    with pytest.raises(SourceError, match="'level'"):
        read(records)


def test_a_commit_that_was_not_known_is_none() -> None:
    made = CaseMaker()
    made.records[0]["build"] = {"version": "1", "commit": "unknown"}
    assert read(made.numbered).runs[0].build_commit == ""


def test_a_bare_sighting_is_read() -> None:
    made = CaseMaker()
    made.sighting(Level.CLAIMS)
    records = made.numbered
    records[-1][1].update(place=None, local=None, claims=None, transport=None)
    seen = read(records).seen[0]
    assert (seen.place, seen.local, seen.claims, seen.transport) == (None, None, None, None)


SIGHTING = dict(MADE.numbered[5][1])


@given(
    st.sampled_from(
        sorted(set(SIGHTING) - {"v", "kind", "case", "number", "facts", "transcript"})
    ),
    st.one_of(st.text(max_size=4), st.integers(), st.lists(st.integers(), max_size=2)),
)
def test_a_damaged_record_is_refused_or_read_and_never_breaks(name: str, value: object) -> None:
    records = [*MADE.numbered[:1], (1, {**SIGHTING, name: value})]
    with suppress(SourceError):
        read(records)
