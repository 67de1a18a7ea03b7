"""Several peers behind one address."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from protech.locate.adapter import Endpoint, Level, Network, Outcome, Sighting
from protech.locate.shared import PEERS, Crowd, SharedAddresses

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def sighting(
    port: int = 1,
    *,
    address: str = "192.0.2.1",
    hours: float = 0,
    level: Level = Level.HANDSHAKE,
    client_id: bytes | None = None,
    entry: str = "e",
) -> Sighting:
    at = NOON + timedelta(hours=hours)
    return Sighting(
        entry=entry,
        network=Network.BITTORRENT,
        level=level,
        outcome=Outcome.CLAIMED,
        peer=Endpoint(address=ip_address(address), port=port),
        started_at=at,
        ended_at=at,
        client_id=client_id,
    )


def test_one_peer_seen_often_is_one() -> None:
    shared = SharedAddresses()
    for hours in range(5):
        crowd = shared.note(sighting(hours=hours, client_id=b"a"))
        assert crowd == Crowd(ports=1, client_ids=1)
        assert not crowd.is_shared


def test_two_ports_or_two_names_make_an_address_shared() -> None:
    shared = SharedAddresses()
    shared.note(sighting(1))
    assert shared.note(sighting(2)).is_shared
    shared.note(sighting(1, address="192.0.2.2", client_id=b"a"))
    assert shared.note(sighting(1, address="192.0.2.2", client_id=b"b")).is_shared


def test_a_client_with_another_name_for_each_file_is_one() -> None:
    shared = SharedAddresses()
    shared.note(sighting(entry="a", client_id=b"a"))
    crowd = shared.note(sighting(entry="b", client_id=b"b"))
    assert crowd == Crowd(ports=1, client_ids=1)
    assert not crowd.is_shared


def test_ipv4_inside_ipv6_is_the_same_address() -> None:
    shared = SharedAddresses()
    shared.note(sighting(1))
    assert shared.note(sighting(2, address="::ffff:192.0.2.1")).is_shared


def test_a_peer_that_was_only_named_makes_nothing_shared() -> None:
    shared = SharedAddresses()
    shared.note(sighting(1))
    assert not shared.note(sighting(2, level=Level.ANSWERS)).is_shared
    assert shared.crowd(ip_address("192.0.2.9"), NOON) == Crowd(ports=0, client_ids=0)


def test_what_was_more_than_a_day_ago_is_forgotten() -> None:
    shared = SharedAddresses()
    shared.note(sighting(1))
    assert shared.note(sighting(2, hours=24)).is_shared
    assert not shared.note(sighting(3, hours=48.1)).is_shared


def test_memory_is_bounded_in_addresses_and_in_peers_of_one() -> None:
    shared = SharedAddresses(addresses=2)
    for port in range(1000):
        shared.note(sighting(port, client_id=port.to_bytes(2)))
    crowd = shared.crowd(ip_address("192.0.2.1"), NOON)
    assert crowd.ports + crowd.client_ids == 2 * PEERS
    shared.note(sighting(1, address="192.0.2.2"))
    shared.note(sighting(1, address="192.0.2.3"))
    assert shared.crowd(ip_address("192.0.2.1"), NOON).ports == 0
    assert shared.crowd(ip_address("192.0.2.3"), NOON).ports == 1
