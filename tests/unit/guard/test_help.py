"""Help services: dated, sourced, and near the person first."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from protech.guard.help import SERVICES, VERIFY_MONTHS, Service, outdated, services

VERIFIED = date(2026, 1, 31)


def service(last_verified: date) -> Service:
    return Service(
        name="x",
        country=None,
        languages=("en",),
        phone=None,
        site="x.example",
        terms="Free.",
        source="https://x.example",
        last_verified=last_verified,
    )


def test_no_entry_is_older_than_it_may_be() -> None:
    old = outdated(SERVICES, today=datetime.now(UTC).date())
    assert not old, f"verify at the source and date anew: {[entry.name for entry in old]}"


@pytest.mark.parametrize(
    ("today", "is_outdated"),
    [
        (date(2026, 1, 30), True),
        (date(2026, 1, 31), False),
        (date(2027, 1, 30), False),
        (date(2027, 1, 31), True),
    ],
)
def test_an_entry_ages_by_whole_months(today: date, *, is_outdated: bool) -> None:
    assert VERIFY_MONTHS == 12
    assert bool(outdated((service(VERIFIED),), today=today)) == is_outdated


def test_every_entry_has_a_way_to_reach_it_its_terms_and_its_source() -> None:
    for entry in SERVICES:
        assert entry.site
        assert entry.terms.endswith(".")
        assert entry.source.startswith("https://")
        assert entry.languages


def test_the_own_country_comes_first_and_the_worldwide_one_is_always_there() -> None:
    found = services(country="fr", language="fr")
    assert found[0].country == "FR"
    assert len(found) == len(SERVICES)


def test_the_readme_gives_the_same_numbers() -> None:
    readme = (Path(__file__).resolve().parents[3] / "README.md").read_text()
    (lines,) = [part for part in readme.split("\n\n") if part.startswith("**Worried")]
    given = {number.strip() for number in re.findall(r"\+?\d[\d ]{8,}\d", lines)}
    assert given == {service.phone for service in SERVICES if service.phone}


def test_without_a_country_those_of_the_language_and_the_worldwide_come_first() -> None:
    assert services(language="nl")[0].country in ("NL", "BE")
    assert services()[0].country is None
