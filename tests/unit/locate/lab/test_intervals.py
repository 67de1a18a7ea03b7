"""Intervals of shares, against published values."""

import pytest

from protech.locate.lab.intervals import clopper_pearson, upper_bound, wilson


def test_wilson_gives_newcombes_examples() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_clopper_pearson_gives_newcombes_examples() -> None:
    # As above, method 5.
    assert clopper_pearson(81, 263) == pytest.approx((0.2527, 0.3676), abs=5e-5)
    assert clopper_pearson(15, 148) == pytest.approx((0.0578, 0.1617), abs=5e-5)
    assert clopper_pearson(0, 20) == pytest.approx((0.0, 0.1684), abs=5e-5)
    assert clopper_pearson(1, 29) == pytest.approx((0.0009, 0.1776), abs=5e-5)


def test_without_an_error_the_bound_is_the_closed_form() -> None:
    for tries in (1, 10, 3000, 100_000):
        assert upper_bound(0, tries) == pytest.approx(1 - 0.05 ** (1 / tries), rel=1e-9)


def test_three_thousand_proofs_without_an_error_bound_it_by_a_thousandth() -> None:
    assert upper_bound(0, 3000) < 0.001 < upper_bound(0, 2900)


def test_all_of_all_has_no_bound_below_one() -> None:
    assert upper_bound(7, 7) == 1.0
    assert clopper_pearson(7, 7)[1] == 1.0


@pytest.mark.parametrize(("hits", "of"), [(2, 1), (-1, 1), (0, 0)])
def test_impossible_counts_are_a_callers_fault(hits: int, of: int) -> None:
    with pytest.raises(ValueError, match="tries"):
        wilson(hits, of)
    with pytest.raises(ValueError, match="tries"):
        upper_bound(hits, of)
