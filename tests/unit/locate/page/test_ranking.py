from datetime import timedelta

import pytest

from protech.locate.page.fold import Fold
from protech.locate.page.query import NO_COUNTRY, Query
from protech.locate.page.ranking import ROWS, Ranking, ranking
from tests.unit.locate.page.made import NOW, case, place, sighting
from tests.unit.locate.page.test_fold import folded

OTHER = {"name": "other", "version": 1}


@pytest.fixture
def fold() -> Fold:
    hour = timedelta(hours=1)
    return folded(
        sighting(NOW - 90 * hour, level=4, address="198.18.1.1"),
        sighting(NOW - 3 * hour, level=3, address="198.18.1.2", entry="a"),
        sighting(NOW - 3 * hour, level=3, address="198.18.1.2", entry="b"),
        sighting(NOW, level=3, address="198.18.1.3", where=place("BE"), listed=OTHER),
        sighting(NOW, level=4, address="198.18.1.4", network="ed2k"),
        sighting(NOW, level=3, address="198.18.1.4", where=place(None, flags=("vpn",))),
        *(sighting(NOW, level=3, address="198.18.1.2") for _ in range(3)),
    )


def addresses(ranked: Ranking) -> list[str]:
    return [f"{row.address}/{row.network}"[7:] for row in ranked.rows]


A, B, C = "1.1:6881/bittorrent", "1.2:6881/bittorrent", "1.3:6881/bittorrent"
D, E = "1.4:6881/ed2k", "1.4:6881/bittorrent"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), [D, A, B, C, E]),
        (Query(sort="recent"), [D, B, C, E, A]),
        (Query(sort="files"), [B, D, A, C, E]),
        (Query(sort="activity"), [B, D, A, C, E]),
        (Query(level="4"), [D, A]),
        (Query(verdict="inside"), [D, A, B]),
        (Query(verdict="undetermined"), [C, E]),
        (Query(country="BE"), [C]),
        (Query(country=NO_COUNTRY), [E]),
        (Query(asn="64498"), [C]),
        (Query(network="ed2k"), [D]),
        (Query(listed="1"), [C]),
        (Query(entry="b"), [B]),
        (Query(entry="never seen"), []),
        (Query(flag="vpn"), [E]),
        (Query(flag="shared_address"), [D, E]),
        (Query(window="hour"), [D, B, C, E]),
        (Query(level="3", country="FR"), [B]),
    ],
)
def test_peers_are_filtered_and_ranked(fold: Fold, query: Query, expected: list[str]) -> None:
    ranked = ranking(fold, query, now=NOW)
    assert addresses(ranked) == expected
    assert ranked.found == len(expected)


def test_the_order_is_by_level_then_by_time(fold: Fold) -> None:
    rows = ranking(fold, Query(), now=NOW).rows
    assert [row.level for row in rows] == [4, 4, 3, 3, 3]
    assert [row.rank for row in rows] == [1, 2, 3, 4, 5]
    assert rows[0].last_at > rows[1].last_at


def test_a_row_counts_files_and_those_of_which_a_piece_came(fold: Fold) -> None:
    row = ranking(fold, Query(sort="activity"), now=NOW).rows[0]
    assert (row.files, row.proved_files, row.sightings, row.shared) == (3, 0, 5, 1)


def test_the_map_stays_whole_when_a_country_is_chosen(fold: Fold) -> None:
    whole = ranking(fold, Query(), now=NOW)
    chosen = ranking(fold, Query(country="BE"), now=NOW)
    assert whole.countries == chosen.countries
    assert [(one.key, one.peers, one.delivered) for one in whole.countries] == [
        ("FR", 3, 2),
        ("BE", 1, 0),
        (NO_COUNTRY, 1, 0),
    ]
    assert [(one.name, one.peers) for one in chosen.operators] == [("Example Belgium", 1)]


def test_many_peers_come_a_page_at_a_time() -> None:
    fold = folded(*case(seed=3, peers=120, sightings=400))
    first = ranking(fold, Query(), now=NOW)
    assert first.pages == -(-first.found // ROWS)
    seen = [
        row.number
        for page in range(1, first.pages + 1)
        for row in ranking(fold, Query(page=page), now=NOW).rows
    ]
    assert len(seen) == len(set(seen)) == first.found == len(fold.peers)


def test_a_page_that_is_not_there_is_the_last_one(fold: Fold) -> None:
    assert ranking(fold, Query(page=99), now=NOW).query.page == 1
