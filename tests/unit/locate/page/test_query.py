import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.page.query import Query


@given(
    st.dictionaries(
        st.sampled_from(["level", "verdict", "asn", "listed", "window", "sort", "page", "x"]),
        st.text(max_size=90),
    )
)
def test_a_query_string_is_never_an_error(given_: dict[str, str]) -> None:
    query = Query.read(given_)
    assert query.page >= 1
    assert query.level in {"", "3", "4"}


@pytest.mark.parametrize(
    ("given_", "query"),
    [
        ({"level": "4", "country": "FR"}, Query(level="4", country="FR")),
        ({"level": "5", "sort": "name", "verdict": "guilty"}, Query()),
        ({"page": "0"}, Query()),
        ({"page": "3"}, Query(page=3)),
        ({"page": "9" * 10}, Query(page=1_000_000)),
        ({"page": "9" * 11}, Query()),
        ({"asn": "64496", "listed": "-1"}, Query(asn="64496")),
        ({"entry": "a" * 81}, Query()),
    ],
)
def test_what_makes_no_sense_means_all(given_: dict[str, str], query: Query) -> None:
    assert Query.read(given_) == query


def test_an_address_says_only_what_is_not_the_default() -> None:
    assert Query().url == "/"
    assert Query(level="4", page=2).url == "/?level=4&page=2"
    assert Query(entry="a&b").url == "/?entry=a%26b"


def test_a_changed_query_begins_at_its_first_page() -> None:
    query = Query(level="4", page=7)
    assert query.but(country="FR") == Query(level="4", country="FR")
    assert query.but(page=8) == Query(level="4", page=8)


def test_order_and_page_leave_nobody_out() -> None:
    assert not Query(sort="recent", page=2).is_narrowed
    assert Query(flag="vpn").is_narrowed
