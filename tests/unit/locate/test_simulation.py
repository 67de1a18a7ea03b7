"""A run without a network keeps to the limits and agrees with the arithmetic."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protech.locate.capacity import Rates, compare, needs, observed, rates_of
from protech.locate.courtesy import local_courtesy
from protech.locate.leases import Shard, local_leases
from protech.locate.limits import Politeness, Reason
from protech.locate.schedule import DEAD, Schedule
from protech.locate.simulated_peers import Swarm
from protech.locate.simulation import Simulation, Vantage
from protech.locate.vault import Vault
from tests.unit.locate.targets import torrent

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RATES = Rates(named_per_look_up=3)


class Made:
    """Makes simulations over files that are closed at the end."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack

    def __call__(
        self,
        targets: int,
        *,
        vantages: int = 1,
        swarm: Swarm | None = None,
        politeness: Politeness | None = None,
        dies_at: Mapping[int, datetime] | None = None,
    ) -> Simulation:
        vault = Vault(bytes(32), purpose="simulated")
        listed = [torrent(i) for i in range(targets)]
        made = []
        for index in range(vantages):
            leases = local_leases(self._path / "leases.db")
            courtesy = local_courtesy(
                self._path / "courtesy.db",
                vault=vault,
                politeness=politeness or Politeness(),
            )
            self._stack.enter_context(closing(leases))
            self._stack.enter_context(closing(courtesy))
            shard = Shard(index=index, count=vantages)
            schedule = Schedule(leases=leases, vault=vault, targets=listed, shard=shard)
            made.append(Vantage(schedule, courtesy))
        return Simulation(
            targets=listed,
            vantages=made,
            swarm=swarm or Swarm(rates=RATES),
            start=NOON,
            dies_at=dies_at,
        )


@pytest.fixture
def simulation(tmp_path: Path) -> Iterator[Made]:
    with ExitStack() as stack:
        yield Made(tmp_path, stack)


def test_an_hour_is_what_the_model_says(simulation: Made) -> None:
    made = simulation(100, vantages=2)
    first = made.run(HOUR)
    assert len(first.looked_up) == 100
    outlook = made.run(5 * HOUR)
    measured = outlook.measured
    fresh_share = measured.probes / measured.named
    model = needs(measured.look_ups / 5, rates_of(measured, RATES), fresh_share=fresh_share)
    for row in compare(model, observed(measured)):
        tolerance = 0.5 if row.name == "targets" else 0.01
        assert row.ratio == pytest.approx(1, rel=tolerance), row.name
    swarm = Swarm(rates=RATES)
    live = sum(any(answers for _, answers in swarm.peers(i)) for i in range(100))
    assert 0.95 * live <= measured.look_ups / 5 <= 100
    assert outlook.late_s[-1] < 5
    assert outlook.lost_leases == 0


def test_an_answering_peer_is_spoken_to_once_in_six_hours(simulation: Made) -> None:
    made = simulation(20, swarm=Swarm(rates=Rates(named_per_look_up=3, answering_share=1)))
    first = made.run(5 * HOUR)
    assert first.measured.probes == first.measured.named - first.refused[Reason.TOO_SOON]
    assert first.measured.named > 4 * first.measured.probes
    second = made.run(5 * HOUR)
    assert 0 < second.measured.probes <= first.measured.probes


def test_no_vantage_asks_more_queries_or_has_more_conversations_than_it_may(
    simulation: Made,
) -> None:
    polite = Politeness(dht_queries_per_s=40, concurrent=3, targets=8)
    outlook = simulation(60, politeness=polite).run(HOUR)
    assert outlook.measured.held_s <= 8 * outlook.measured.seconds
    assert outlook.queries_peak <= 2 * 40
    assert outlook.measured.queries <= 40 * outlook.measured.seconds
    assert outlook.conversations_peak <= 3
    assert len(outlook.looked_up) == 60


def test_a_vantage_that_dies_is_replaced_by_the_others(simulation: Made) -> None:
    dies = NOON + timedelta(minutes=20)
    made = simulation(60, vantages=2, dies_at={0: dies})
    made.run(2 * HOUR)
    after = made.run(2 * HOUR)
    assert len(after.looked_up) == 60
    assert min(after.looked_up.values()) >= 1
    assert after.lost_leases == 0


def test_a_dead_target_is_looked_for_once_a_day_in_the_end(simulation: Made) -> None:
    made = simulation(20, swarm=Swarm(rates=RATES, live_share=0))
    made.run(2 * DEAD)
    day = made.run(DEAD)
    assert day.measured.probes == 0
    assert 15 <= day.measured.look_ups <= 25
    assert max(day.late_s) < 60
