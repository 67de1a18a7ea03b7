"""Peers that do not exist."""

from ipaddress import ip_network

import pytest

from protech.locate.capacity import Rates
from protech.locate.simulated_peers import Swarm

RATES = Rates(named_per_look_up=3)


def test_peers_of_a_target_are_the_same_at_every_look_up() -> None:
    swarm = Swarm(rates=RATES, live_share=0.5)
    peers = [swarm.peers(i) for i in range(400)]
    assert peers == [swarm.peers(i) for i in range(400)]
    named = sum(len(one) for one in peers) / 400
    assert named == pytest.approx(RATES.named_per_look_up, rel=0.2)
    assert 100 < sum(not one for one in peers) < 300
    nobody = Swarm(rates=Rates(named_per_look_up=0))
    assert nobody.peers(1) == []


def test_they_are_in_the_lab() -> None:
    swarm = Swarm(rates=RATES)
    lab = ip_network("198.18.0.0/15")
    assert all(peer.address in lab for i in range(200) for peer, _ in swarm.peers(i))
