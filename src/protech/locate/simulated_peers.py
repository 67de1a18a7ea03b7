"""Peers that do not exist, for a run without a network (``locate.simulation``)."""

import random
from dataclasses import dataclass
from ipaddress import IPv4Address

from protech.locate.adapter import Endpoint
from protech.locate.capacity import Rates

LAB_FIRST = int(IPv4Address("198.18.0.0"))
LAB_BITS = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Swarm:
    """Made-up peers: the same ones for a target at every look-up.

    A share of the targets is live and has ``rates.named_per_look_up`` peers in the mean.
    """

    rates: Rates
    live_share: float = 1.0
    seed: int = 1

    def peers(self, number: int) -> list[tuple[Endpoint, bool]]:
        """Return the peers that a target has, and whether each answers."""
        chance = random.Random(f"{self.seed} {number}")  # noqa: S311 - a simulation
        if chance.random() >= self.live_share:
            return []
        mean = self.rates.named_per_look_up / self.live_share
        count = min(_poisson(mean, chance), 1000)
        return [
            (
                Endpoint(
                    address=IPv4Address(LAB_FIRST + chance.getrandbits(LAB_BITS)),
                    port=chance.randrange(1024, 65536),
                ),
                chance.random() < self.rates.answering_share,
            )
            for _ in range(count)
        ]


def _poisson(mean: float, chance: random.Random) -> int:
    """Return how many of events that come by chance fall into one unit of time."""
    count, at = 0, chance.expovariate(mean) if mean > 0 else 2.0
    while at < 1:
        count += 1
        at += chance.expovariate(mean)
    return count
