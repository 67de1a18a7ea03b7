from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.lists import bands
from protech.lists.bands import (
    BANDS,
    HASH_BITS,
    MOST_BANDS,
    NOT_SEARCHED,
    SMALLEST,
    radii_for,
    widths_for,
)

MANY = 10**9
"""Of so many hashes all are never best compared, so that the bands' radii show."""


@pytest.mark.parametrize("count", [SMALLEST, *(up_to for up_to, _ in BANDS), 10**8])
def test_bands_cover_a_hash_once_the_widest_first(count: int) -> None:
    widths = widths_for(count)
    assert sum(widths) == HASH_BITS
    assert list(widths) == sorted(widths, reverse=True)
    assert max(widths) - min(widths) <= 1


def test_a_longer_list_has_fewer_bands() -> None:
    assert widths_for(SMALLEST - 1) == b""
    assert [len(widths_for(up_to)) for up_to, _ in BANDS] == [bands for _, bands in BANDS]
    assert [len(widths_for(up_to + 1)) for up_to, _ in BANDS] == [
        *(bands for _, bands in BANDS[1:]),
        MOST_BANDS,
    ]


def test_a_value_of_a_band_has_few_hashes_up_to_50_million() -> None:
    sizes = [SMALLEST, *(up_to for up_to, _ in BANDS), 50_000_000]
    for _, count in pairwise(sizes):
        assert count / 2 ** min(widths_for(count)) <= 2.5


@given(
    radius=st.integers(0, HASH_BITS),
    count=st.sampled_from([SMALLEST, *(up_to for up_to, _ in BANDS), MANY]),
)
def test_no_spread_of_bits_within_the_radius_escapes_every_band(
    radius: int, count: int
) -> None:
    widths = widths_for(count)
    radii = radii_for(MANY, widths, radius)
    if not radii:
        return  # all are compared
    # To differ in each band by one bit more than it is searched for takes more than the radius.
    escaping = sum(each + 1 for each in radii if each != NOT_SEARCHED)
    assert escaping > radius
    assert max(each for each in radii if each != NOT_SEARCHED) <= bands.MOST_FLIPS


def test_the_radius_of_pdq_in_the_bands_of_10_million() -> None:
    widths = widths_for(10_000_000)
    assert widths == bytes([24] * 3 + [23] * 8)
    assert radii_for(10_000_000, widths, 31) == bytes([2] * 10 + [1])
    assert radii_for(10_000_000, widths, 4) == bytes([0] * 5 + [NOT_SEARCHED] * 6)


def test_where_bands_do_not_pay_all_are_compared() -> None:
    assert radii_for(100, b"", 31) == b""
    assert radii_for(SMALLEST, widths_for(SMALLEST), 60) == b""
    assert radii_for(MANY, widths_for(MANY), 100) == b""
