"""The capacity model, and the simulation, against runs of the lab.

    python -m tests.bench.locate_model [SEED SEED...]

The first run gives the rates; each other one is set beside what model and simulation say, by
those rates, of as many targets. So nothing is compared with what it was made from.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from protech.locate.adapter import Adapter, Candidate, Encounter, Grant, Sighting, Target
from protech.locate.capacity import (
    HOUR_S,
    Measured,
    Rates,
    as_text,
    compare,
    measured_in,
    needs,
    observed,
    rates_of,
)
from protech.locate.courtesy import local_courtesy
from protech.locate.demo.show import set_up
from protech.locate.equipment import equipped
from protech.locate.lab.swarm import Lab
from protech.locate.leases import Shard, local_leases
from protech.locate.limits import Politeness
from protech.locate.observe import Looked
from protech.locate.run import run
from protech.locate.schedule import Schedule
from protech.locate.simulated_peers import Swarm
from protech.locate.simulation import Simulation, Vantage
from tests.bench.locate_scale import START, VAULT
from tests.unit.locate.targets import torrent

SEEDS = (1, 2, 3)
FRAME_BYTES = 32
"""What a record takes in a log beside its content, about."""


class Timed:
    """An adapter that takes down when look-ups begin and how long they take."""

    def __init__(self, adapter: Adapter) -> None:
        """Begin with nothing taken down."""
        self.network = adapter.network
        self.began: dict[int, float] = {}
        self.look_up_s = 0.0
        self._adapter = adapter

    async def discover(self, target: Target) -> AsyncGenerator[Candidate, None]:
        """Yield what the adapter does."""
        began = self.began[target.number] = time.monotonic()
        async with aclosing(self._adapter.discover(target)) as named:
            async for candidate in named:
                yield candidate
        self.look_up_s += time.monotonic() - began

    def probe(
        self, candidate: Candidate, target: Target
    ) -> AbstractAsyncContextManager[Encounter]:
        """Do as the adapter does."""
        return self._adapter.probe(candidate, target)

    async def prove(self, encounter: Encounter, target: Target, grant: Grant) -> Sighting:
        """Do as the adapter does."""
        return await self._adapter.prove(encounter, target, grant)


async def measure(seed: int, folder: Path) -> Measured:
    """Return what one round in a swarm of its own took."""
    async with Lab.start(folder / "swarm", seed=seed) as lab:
        case, order = set_up(folder, lab)
        async with equipped(case, order) as outfit:
            timed = {network: Timed(one) for network, one in outfit.adapters.items()}
            ended: dict[int, float] = {}

            def take_down(number: int, _: Looked) -> None:
                ended[number] = time.monotonic()

            began, before_s = time.monotonic(), time.process_time()
            await run(
                replace(outfit, adapters=timed),
                asyncio.Event(),
                is_one_round=True,
                on_look=take_down,
            )
            cpu_s = time.process_time() - before_s
            queries = outfit.sent()["datagrams"]
    with case.open_log() as log:
        records = [(json.loads(one.content), len(one.content)) for one in log.read()]
    (adapter,) = timed.values()
    return measured_in(
        ((one, size + FRAME_BYTES) for one, size in records),
        seconds=max(ended.values()) - began,
        queries=queries,
        cpu_s=cpu_s,
        look_up_s=adapter.look_up_s,
        held_s=sum(at - adapter.began[number] for number, at in ended.items()),
    )


def simulated(rates: Rates, targets: int, seconds: float, folder: Path) -> Measured:
    """Return what the simulation makes of as many targets in as long."""
    made = [torrent(i) for i in range(targets)]
    table = local_leases(folder / "leases.db")
    courtesy = local_courtesy(folder / "courtesy.db", vault=VAULT, politeness=Politeness())
    schedule = Schedule(leases=table, vault=VAULT, targets=made, shard=Shard())
    swarm = Swarm(rates=rates)
    alone = [Vantage(schedule, courtesy)]
    outlook = Simulation(targets=made, vantages=alone, swarm=swarm, start=START).run(
        timedelta(seconds=seconds)
    )
    table.close()
    courtesy.close()
    return outlook.measured


def main(seeds: list[int]) -> None:
    """Take the rates of the first seed, and compare with each other one."""
    rates = Rates()
    for number, seed in enumerate(seeds or SEEDS):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            measured = asyncio.run(measure(seed, Path(folder)))
        print(json.dumps({"seed": seed, **observed(measured).figures}), flush=True)
        if number == 0:
            rates = rates_of(measured, Rates())
            print(rates, flush=True)
            continue
        model = needs(measured.look_ups / measured.seconds * HOUR_S, rates)
        print("model, run\n" + as_text(compare(model, observed(measured))))
        with tempfile.TemporaryDirectory() as folder:
            made = simulated(rates, measured.look_ups, measured.seconds, Path(folder))
        print("simulation, run\n" + as_text(compare(observed(made), observed(measured))))


if __name__ == "__main__":
    main([int(one) for one in sys.argv[1:]])
