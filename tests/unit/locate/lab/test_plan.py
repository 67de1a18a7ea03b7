"""Plans of swarms: drawn from a seed, and each peer with what its kind has."""

from ipaddress import ip_address
from itertools import islice
from random import Random

import pytest

from protech.locate.lab.content import LabTorrent, make_content
from protech.locate.lab.plan import HOLDERS, SMALL, Kind, Peer, draw_plan, loopback


@pytest.fixture(scope="module")
def torrents(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabTorrent, ...]:
    return make_content(tmp_path_factory.mktemp("content"), Random(1))


@pytest.fixture
def peers(torrents: tuple[LabTorrent, ...]) -> tuple[Peer, ...]:
    counts = dict.fromkeys(Kind, 3)
    random = Random(2)
    return draw_plan(random, torrents, counts, loopback(random))


def test_the_shipped_swarm_has_twelve_holders_and_twelve_others() -> None:
    assert sum(count for kind, count in SMALL.items() if kind in HOLDERS) == 12
    assert sum(count for kind, count in SMALL.items() if kind not in HOLDERS) == 12


def test_the_same_seed_gives_the_same_plan(torrents: tuple[LabTorrent, ...]) -> None:
    plans = [draw_plan(Random(5), torrents, SMALL, loopback(Random(6))) for _ in range(2)]
    assert plans[0] == plans[1]


def test_every_holder_has_a_telling_piece(
    peers: tuple[Peer, ...], torrents: tuple[LabTorrent, ...]
) -> None:
    by_name = {one.name: one for one in torrents}
    for peer in peers:
        if peer.kind in HOLDERS:
            assert all(by_name[part.torrent].telling & set(part.pieces) for part in peer.parts)


def test_who_holds_neighbours_or_weak_pieces_has_no_telling_one(
    peers: tuple[Peer, ...], torrents: tuple[LabTorrent, ...]
) -> None:
    by_name = {one.name: one for one in torrents}
    for peer in peers:
        if peer.kind in {Kind.NEIGHBOUR, Kind.WEAK_ONLY}:
            assert all(part.pieces for part in peer.parts)
            assert all(not by_name[p.torrent].telling & set(p.pieces) for p in peer.parts)


def test_a_partial_holder_lacks_something(
    peers: tuple[Peer, ...], torrents: tuple[LabTorrent, ...]
) -> None:
    by_name = {one.name: one for one in torrents}
    parts = [part for peer in peers if peer.kind is Kind.PARTIAL for part in peer.parts]
    assert all(len(part.pieces) < by_name[part.torrent].have for part in parts)


def test_addresses_are_loopback_and_some_come_twice() -> None:
    drawn = list(islice(loopback(Random(1)), 300))
    assert all(ip_address(one).is_loopback for one in drawn)
    assert 5 < len(drawn) - len(set(drawn)) < 80
