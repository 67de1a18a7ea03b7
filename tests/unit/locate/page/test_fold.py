from datetime import timedelta

from protech.locate.page.fold import ALERTS, Fold
from tests.unit.locate.page.made import NOW, Made, case, counts, head, run, sighting, stop


def folded(*records: Made) -> Fold:
    fold = Fold()
    for index, record in enumerate(records):
        fold.add(index, record)
    return fold


def test_below_a_claim_there_are_counts_and_no_peer() -> None:
    fold = folded(*(sighting(NOW, level=level) for level in (0, 1, 2, 1)))
    assert (fold.peers, fold.entries) == ({}, [])
    assert fold.sightings == [1, 2, 1, 0, 0]
    assert fold.pseudonyms() == [0, 0, 1, 0, 0]


def test_an_address_below_a_claim_is_not_shown_even_where_a_record_had_one() -> None:
    wrong = {**sighting(NOW, level=2), "peer": {"address": "198.18.1.1", "port": 1}}
    assert folded(wrong).peers == {}


def test_a_peer_is_an_address_and_port_on_a_network() -> None:
    fold = folded(
        sighting(NOW, level=3),
        sighting(NOW, level=4),
        sighting(NOW, level=3, port=6882),
        sighting(NOW, level=3, network="ed2k"),
    )
    assert [peer.number for peer in fold.peers.values()] == [0, 2, 3]
    assert fold.by_number[0].level == 4
    assert [peer.number for peer in fold.at_address("198.18.1.1")] == [0, 2, 3]
    assert fold.at_address("198.18.9.9") == []
    assert fold.networks == {"bittorrent", "ed2k"}


def test_an_alert_is_the_first_piece_of_a_file_from_a_peer() -> None:
    fold = folded(
        sighting(NOW, level=4, entry="a"),
        sighting(NOW, level=4, entry="a"),
        sighting(NOW, level=4, entry="b"),
        sighting(NOW, level=3, entry="c"),
    )
    assert [(alert.index, alert.entry) for alert in fold.alerts] == [(2, "b"), (0, "a")]
    assert fold.proved == 2


def test_alerts_beyond_the_limit_stay_in_the_log_alone() -> None:
    some = [sighting(NOW, level=4, entry=f"{number}") for number in range(ALERTS + 1)]
    fold = folded(*some)
    assert (len(fold.alerts), fold.proved) == (ALERTS, ALERTS + 1)


def test_who_is_outside_is_a_sum() -> None:
    by_network = {**head("counts", NOW), "counts": {"outside": {"ed2k": 2}, "packets": 10}}
    fold = folded(counts(NOW, outside=3), counts(NOW, outside=4), by_network)
    assert fold.outside == {"": 7, "ed2k": 2}
    assert fold.packets == 10


def test_runs_stops_and_requests_are_kept() -> None:
    request = head("proof_request", NOW)
    unknown = head("of a later version", NOW)
    fold = folded(run(NOW), stop(NOW, "expired"), run(NOW), request, unknown)
    assert (fold.runs, fold.stop, fold.requests, fold.size) == (2, {}, 1, 5)
    fold.add(5, stop(NOW, "expired"))
    assert fold.stop["reason"] == "expired"


def test_lists_and_entries_get_numbers_in_the_order_they_come() -> None:
    other = {"name": "other", "version": 1}
    fold = folded(
        sighting(NOW, level=3, entry="x"),
        sighting(NOW, level=3, entry="y", listed=other),
        sighting(NOW, level=3, entry="x"),
    )
    assert (fold.entries, fold.number_of("y"), fold.number_of("z")) == (["x", "y"], 1, None)
    assert [(one.name, one.version) for one in fold.lists] == [("unit-list", 7), ("other", 1)]


def test_sightings_are_counted_by_minute() -> None:
    later = NOW + timedelta(seconds=61)
    fold = folded(sighting(NOW, level=4), sighting(NOW, level=0), sighting(later, level=4))
    assert list(fold.buckets.values()) == [[1, 0, 0, 0, 1], [0, 0, 0, 0, 1]]


def test_a_case_is_the_same_however_it_is_read() -> None:
    records = list(case(seed=1, peers=30, sightings=300))
    at_once, in_parts = folded(*records), Fold()
    for start in range(0, len(records), 7):
        for index, record in enumerate(records[start : start + 7], start=start):
            in_parts.add(index, record)
    assert at_once.sightings == in_parts.sightings
    assert list(at_once.alerts) == list(in_parts.alerts)
    assert sum(at_once.sightings) == 300
