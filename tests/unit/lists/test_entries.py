"""What lists are made of."""

from datetime import UTC, datetime

import pytest

from protech.lists.entries import OWN_USES, Category, ListHeader, Use

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("category", Category)
def test_only_a_list_of_harmless_files_is_known_good(category: Category) -> None:
    header = ListHeader(name="a", version=1, category=category, uses=OWN_USES, created_at=NOW)
    assert header.is_known_good is (category == "known_good")


def test_an_unsigned_list_is_never_for_other_peoples_traffic() -> None:
    assert set(Use) - OWN_USES == {Use.LOCATE}
