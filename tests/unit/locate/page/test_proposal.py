from datetime import timedelta

import pytest

from protech.locate.page.proposal import Advice, advice
from tests.unit.locate.page.made import NOW, Made, place, sighting
from tests.unit.locate.page.test_fold import folded

DAY = timedelta(days=1)


def of(*records: Made, is_shared: bool = False) -> Advice:
    (peer,) = folded(*records).peers.values()
    return advice(peer, is_shared=is_shared)


def test_two_separated_deliveries_may_be_proposed() -> None:
    got = of(sighting(NOW, level=4), sighting(NOW + 2 * DAY, level=4))
    assert (got.is_possible, got.reasons, got.cautions) == (True, ("separated",), ())
    assert (got.hours, got.again_after) == (48, None)


@pytest.mark.parametrize(
    ("levels", "reason"),
    [([3, 3, 3], "no_delivery"), ([3, 4, 3], "one_delivery"), ([4, 4, 4], "not_separated")],
)
def test_less_may_not(levels: list[int], reason: str) -> None:
    got = of(*(sighting(NOW + DAY / 2 * i, level=level) for i, level in enumerate(levels)))
    assert (got.is_possible, got.reasons) == (False, (reason,))


def test_it_is_told_from_when_a_delivery_would_count() -> None:
    assert of(sighting(NOW, level=4)).again_after == NOW + 2 * DAY


def test_outside_the_jurisdiction_nothing_is_proposed() -> None:
    got = of(*(sighting(NOW + 2 * DAY * i, level=4, where=place("BE")) for i in range(2)))
    assert (got.is_possible, got.reasons) == (False, ("separated", "not_inside"))


def test_what_asks_for_care_is_named() -> None:
    where = place("FR", flags=("tor_exit", "cgnat", "shared_address"))
    got = of(*(sighting(NOW + 2 * DAY * i, level=4, where=where) for i in range(2)))
    assert got.cautions == ("tor_exit", "cgnat")
    assert "shared" in of(sighting(NOW, level=3), is_shared=True).cautions
