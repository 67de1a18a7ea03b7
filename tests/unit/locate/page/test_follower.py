from collections.abc import Iterator

import pytest

from protech.locate.page import follower
from protech.locate.page.follower import Follower, Sources
from protech.locate.page.header import LogState
from protech.locate.page.reading import Record
from tests.unit.locate.page.made import NOW, Made, sighting


def following(records: list[Made]) -> Follower:
    def read(start: int) -> Iterator[tuple[int, Record]]:
        yield from enumerate(records[start:], start=start)

    return Follower(Sources(records=read, state=lambda: LogState(size=len(records))))


def sizes(of: Follower) -> tuple[int, int]:
    with of.looking() as (fold, log):
        return fold.size, log.size


def test_each_look_reads_what_came_since() -> None:
    records = [sighting(NOW, level=3)]
    followed = following(records)
    assert sizes(followed) == (1, 1)
    records += [sighting(NOW, level=4)] * 2
    assert sizes(followed) == (3, 3)
    with followed.looking() as (fold, _):
        assert sum(fold.sightings) == 3


def test_a_long_log_is_read_a_stretch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "STRETCH", 4)
    followed = following([sighting(NOW, level=3)] * 10)
    assert [sizes(followed)[0] for _ in range(4)] == [4, 8, 10, 10]


def test_records_are_read_again_by_their_places() -> None:
    followed = following([sighting(NOW, level=3, port=port) for port in range(1, 6)])
    found = [(index, record["peer"]) for index, record in followed.read([4, 1])]
    assert found == [
        (4, {"address": "198.18.1.1", "port": 5}),
        (1, {"address": "198.18.1.1", "port": 2}),
    ]
