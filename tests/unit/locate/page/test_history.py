from datetime import timedelta

import pytest

from protech.locate.page.fold import Fold
from protech.locate.page.history import ROWS, History, history, places_to_read, timeline
from tests.unit.locate.page.made import NOW, Made, place, sighting


def shown(*records: Made, number: int = 0, page: int = 1) -> History:
    fold = Fold()
    for index, record in enumerate(records):
        fold.add(index, record)
    peer = fold.by_number[number]
    places, page, pages = places_to_read(peer, page)
    read = [(index, records[index]) for index in places]
    return history(fold, peer, read, page=page, pages=pages)


def test_a_line_says_what_a_provider_needs() -> None:
    line = shown(sighting(NOW, level=4)).lines[0]
    assert (line.peer_port, line.local) == ("6881", "198.18.0.1:40123")
    assert (line.started_at, line.ended_at) == (
        "2026-11-28T13:00:00.000Z",
        "2026-11-28T13:00:01.000Z",
    )
    assert (line.transport, line.error_ms, line.is_synchronised) == ("tcp", 1.4, True)
    assert (line.client, line.sources) == ("libtorrent 2.1", ("dht", "tracker"))
    assert (line.proof["piece"], line.claims["listed_total"], line.request) == (17, 20, True)
    assert line.countries == (("places-a", "FR"), ("places-b", "FR"))


def test_what_a_record_lacks_its_line_lacks() -> None:
    bare: Made = {**sighting(NOW, level=3), "local": None, "claims": None, "place": None}
    bare |= {"client": None, "sources": None, "attempts": None, "transport": None}
    line = shown(bare).lines[0]
    assert (line.local, line.claims, line.proof, line.client) == ("", {}, {}, "")
    assert (line.countries, line.attempts, line.transport) == ((), 0, "")
    assert line.place.verdict == "undetermined"


def test_files_and_neighbours_stand_beside_it() -> None:
    seen = shown(
        sighting(NOW, level=3, entry="a"),
        sighting(NOW, level=4, entry="b"),
        sighting(NOW, level=3, port=9),
    )
    assert [(file.entry, file.level) for file in seen.files] == [("b", 4), ("a", 3)]
    assert [row.address for row in seen.neighbours] == ["198.18.1.1:9"]
    assert "shared" in seen.proposal.cautions


def test_long_histories_come_a_page_at_a_time() -> None:
    records = [sighting(NOW + timedelta(minutes=i), level=3) for i in range(ROWS + 3)]
    first, last = shown(*records), shown(*records, page=99)
    assert (first.pages, first.page, last.page) == (2, 1, 2)
    assert [line.index for line in last.lines] == [2, 1, 0]
    assert first.lines[0].index == ROWS + 2


def test_times_of_deliveries_are_the_first_and_the_last() -> None:
    day = timedelta(days=1)
    seen = shown(*(sighting(NOW + day * i, level=4) for i in range(3)))
    assert seen.first_proof_at == NOW
    assert seen.last_proof_at == NOW + 2 * day
    assert seen.proposal.is_possible
    never = shown(sighting(NOW, level=3, where=place("BE")))
    assert never.first_proof_at is never.last_proof_at is None


@pytest.mark.parametrize("moments", [[(0, 3)], [(0, 3), (0, 4)], [(0, 3), (7, 4), (10**9, 3)]])
def test_marks_stay_in_the_drawing(moments: list[tuple[int, int]]) -> None:
    drawn = timeline(moments)
    assert sum(mark.count for mark in drawn.marks) == len(moments)
    assert all(44 <= mark.x <= 720 for mark in drawn.marks)


def test_sightings_at_one_time_share_a_mark_that_grows() -> None:
    one, many = timeline([(0, 3)]), timeline([(0, 3)] * 1000)
    assert len(many.marks) == 1
    assert one.marks[0].radius < many.marks[0].radius < 15
