"""The values that networks and the observer share."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from protech.locate.adapter import (
    Candidate,
    Endpoint,
    Level,
    Network,
    Outcome,
    Sighting,
    Source,
)
from tests.authorised import TARGET

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ENDPOINT = Endpoint(address=ip_address("198.18.0.7"), port=6881)


def sighting(level: Level) -> Sighting:
    return Sighting(
        entry="E-1",
        network=Network.BITTORRENT,
        level=level,
        outcome=Outcome.CLAIMED,
        peer=ENDPOINT,
        started_at=NOW,
        ended_at=NOW,
    )


def test_levels_rise_with_what_was_shown() -> None:
    assert sorted(Level) == [
        Level.MENTIONED, Level.ANSWERS, Level.HANDSHAKE, Level.CLAIMS, Level.DELIVERED,
    ]  # fmt: skip
    assert [level.value for level in sorted(Level)] == [0, 1, 2, 3, 4]


def test_a_target_is_looked_for_on_the_network_of_its_key() -> None:
    assert TARGET.network is Network.ED2K


@pytest.mark.parametrize(
    "value",
    [
        sighting(Level.DELIVERED),
        Candidate(endpoint=ENDPOINT, source=Source.TRACKER),
        TARGET,
    ],
)
def test_no_value_shows_an_address_or_a_key_when_it_is_printed(value: object) -> None:
    shown = f"{value!r} {value}"
    assert "198.18" not in shown
    assert "6881" not in shown
    assert "\\x00\\x00" not in shown
