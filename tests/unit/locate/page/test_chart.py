import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.page.chart import BAR, COLUMNS, STRIP, WIDTH, chart

COUNTS = st.lists(st.integers(0, 10**6), min_size=5, max_size=5)


def test_nothing_is_no_chart() -> None:
    assert chart({}) is None


@given(st.dictionaries(st.integers(28_000_000, 31_000_000), COUNTS, min_size=1))
def test_bars_stay_in_the_drawing_and_say_what_the_table_says(
    buckets: dict[int, list[int]],
) -> None:
    drawn = chart(buckets)
    assert drawn is not None
    for strip in drawn.strips:
        assert strip.total == sum(line.counts[strip.level] for line in drawn.lines)
        assert len(strip.bars) <= COLUMNS
        for bar in strip.bars:
            assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
            assert 0 < bar.height <= BAR
            assert bar.y + bar.height == pytest.approx(STRIP)


@given(st.dictionaries(st.integers(29_000_000, 29_500_000), COUNTS, min_size=1))
def test_a_year_is_drawn_whole(buckets: dict[int, list[int]]) -> None:
    drawn = chart(buckets)
    assert drawn is not None
    assert sum(strip.total for strip in drawn.strips) == sum(map(sum, buckets.values()))


@pytest.mark.parametrize(
    ("span_min", "step_min", "label"),
    [
        (0, 1, "clock"),
        (59, 1, "clock"),
        (60, 5, "clock"),
        (600, 15, "clock"),
        (1440 * 2, 60, "short"),
        (1440 * 40, 1440, "day"),
    ],
)
def test_the_step_grows_with_the_span(span_min: int, step_min: int, label: str) -> None:
    start = 1440 * 20_000
    drawn = chart({start: [1] * 5, start + span_min: [1] * 5})
    assert drawn is not None
    assert (drawn.step_min, drawn.label) == (step_min, label)
