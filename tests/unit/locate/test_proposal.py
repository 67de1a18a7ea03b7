"""When a subscriber request is proposed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from protech.locate.proposal import SEPARATION, propose

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    level: int
    started_at: datetime


def seen(*at: timedelta, level: int = 4) -> list[Seen]:
    return [Seen(level=level, started_at=NOON + one) for one in at]


def test_two_deliveries_two_days_apart_carry_a_request() -> None:
    proposal = propose(seen(SEPARATION, timedelta()))
    assert (proposal.is_proposed, proposal.sightings) == (True, (1, 0))
    assert proposal.again_after is None


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_claims_carry_none(level: int) -> None:
    proposal = propose(seen(timedelta(), SEPARATION, level=level))
    assert (proposal.is_proposed, proposal.sightings) == (False, ())


def test_two_deliveries_a_moment_too_near_carry_none_and_say_when_one_would() -> None:
    proposal = propose(seen(timedelta(), SEPARATION - MOMENT))
    assert (proposal.is_proposed, proposal.sightings) == (False, (0,))
    assert proposal.again_after == NOON + SEPARATION
    assert "1 of 2" in proposal.reason


def test_many_deliveries_of_one_evening_are_one() -> None:
    evening = seen(*(timedelta(minutes=one) for one in range(300)))
    assert not propose(evening).is_proposed
    later = propose(evening + seen(timedelta(days=3)))
    assert (later.is_proposed, later.sightings) == (True, (0, 300))
