"""From one place: the networks that are covered, through the one door, and nothing before."""

import asyncio
from ipaddress import ip_address
from typing import Any

import pytest

from protech.errors import AuthorityError
from protech.locate.adapter import Network
from protech.locate.vantage import Vantage, open_networks, written
from tests.authorised import authorisation, endpoint
from tests.unsent import cleared


def opened(**changes: Any) -> tuple[set[Network], dict[str, int]]:
    async def carry_out() -> tuple[set[Network], dict[str, int]]:
        clearance = cleared(paper=authorisation(**changes))
        async with open_networks(clearance, Vantage()) as networks:
            return set(networks.adapters), dict(networks.sent())

    return asyncio.run(carry_out())


@pytest.mark.parametrize(
    "covered", [{Network.BITTORRENT}, {Network.ED2K}, {Network.BITTORRENT, Network.ED2K}]
)
def test_only_networks_that_are_covered_are_there_and_nothing_was_sent(
    covered: set[Network],
) -> None:
    found, sent = opened(networks=frozenset(covered))
    assert found == covered
    assert set(sent.values()) == {0}


def test_all_packets_go_through_a_door_that_asks_the_clearance() -> None:
    async def carry_out() -> None:
        async with open_networks(cleared(), Vantage()) as networks:
            with pytest.raises(AuthorityError):
                networks.door.datagrams(endpoint("9.9.9.9")).send(b"beyond the lab")
            assert networks.sent()["datagrams"] == 0

    asyncio.run(carry_out())


def test_a_vantage_shows_no_address_when_it_is_printed() -> None:
    vantage = Vantage(
        source=ip_address("198.18.0.1"),
        dht_nodes=(endpoint("198.18.0.2"),),
        name_servers=(endpoint("198.18.0.3", 53),),
    )
    assert "198.18" not in repr(vantage)


def test_without_a_name_server_only_what_is_an_address_is_one() -> None:
    async def carry_out() -> None:
        assert await written("198.18.0.7") == (ip_address("198.18.0.7"),)
        assert await written("2001:2::7") == (ip_address("2001:2::7"),)
        assert await written("tracker.example") == ()

    asyncio.run(carry_out())
