"""How far one vantage carries, and how many a long list needs.

    python -m tests.bench.locate_scale [TARGETS [HOURS]]

Prints one JSON object: places a second, lease operations a second in SQLite and in a PostgreSQL
server of its own, beginnings of conversations a second, bytes of a sighting in sealed Parquet
and the time of a query over a million; then a simulated run of the whole list (100,000 targets
for one hour unless said) beside the model.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from protech.db.postgres import SharedDatabase
from protech.locate import leases
from protech.locate.adapter import Endpoint, Outcome
from protech.locate.analysis import by, top_peers
from protech.locate.archive import Archive
from protech.locate.capacity import Rates, as_text, compare, needs, observed, vantages
from protech.locate.courtesy import Courtesy, local_courtesy
from protech.locate.leases import Leases, Shard, local_leases
from protech.locate.limits import Politeness
from protech.locate.mmdb import parse_mmdb
from protech.locate.place import Gazetteer
from protech.locate.schedule import Result, Schedule
from protech.locate.simulated_peers import Swarm
from protech.locate.simulation import Simulation, Vantage
from protech.locate.vault import Vault
from tests import postgres
from tests.unit.locate.sightings import records
from tests.unit.locate.targets import torrent

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
VAULT = Vault(bytes(32), purpose="bench")
POLITE = Politeness()
SIGHTINGS = 200_000


def rate(act: Callable[[int], object], count: int) -> float:
    """Return how often a second an act can be done, one after the other."""
    begin = time.perf_counter()
    for i in range(count):
        act(i)
    return round(count / (time.perf_counter() - begin))


def places() -> float:
    """Return look-ups a second in two MMDB files."""
    from mmdb_writer import IPSet, MMDBWriter  # type: ignore[attr-defined] # its own argument

    files = []
    with tempfile.TemporaryDirectory() as directory:
        for name in ("a", "b"):
            writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type=name)
            for i in range(0, 256, 2):
                writer.insert_network(IPSet([f"198.18.{i}.0/24"]), {"country_code": "XA"})
            path = Path(directory) / name
            writer.to_db_file(str(path))
            files.append(parse_mmdb(path.read_bytes(), name=name))
    gazetteer = Gazetteer(jurisdiction=frozenset({"XA"}), databases=files)
    first = int(IPv4Address("198.18.0.0"))
    return rate(lambda i: gazetteer.place(IPv4Address(first + i * 7)), 5000)


def lease_operations(table: Leases) -> float:
    """Return leases a second: taken, and given back with a result."""
    targets = [torrent(i) for i in range(2000)]
    schedule = Schedule(leases=table, vault=VAULT, targets=targets, shard=Shard())
    schedule.plan(START)
    now = START + timedelta(hours=1)

    def once(_: int) -> None:
        [lease] = schedule.due(now)
        schedule.done(lease, Result(answered=1), now)

    return rate(once, 1000)


def beginnings(courtesy: Courtesy) -> float:
    """Return conversations a second for which leave is asked and whose end is noted."""
    target = torrent(0)
    now = START

    def once(i: int) -> None:
        address = IPv4Address(int(IPv4Address("198.18.0.0")) + i)
        peer = Endpoint(address=address, port=6881)
        with courtesy.probing(peer, target, now) as leave:
            if leave:
                courtesy.end(peer, target, Outcome.CLAIMED, now)

    return rate(once, 1500)


def archive(directory: Path) -> dict[str, float]:
    """Return the bytes of a sighting in sealed Parquet, and how long queries take."""
    kept = Archive(directory / "sightings", vault=VAULT)
    made = records(SIGHTINGS)
    size = sum(kept.add(i * SIGHTINGS, (i + 1) * SIGHTINGS, made) for i in range(5))
    begin = time.perf_counter()
    with kept.table() as table:
        opened = time.perf_counter()
        top_peers(table, most=20)
        ranked = time.perf_counter()
        by("operator", table)
        grouped = time.perf_counter()
    return {
        "parquet_bytes_per_row": round(size / (5 * SIGHTINGS), 1),
        "open_1m_s": round(opened - begin, 3),
        "top_peers_1m_s": round(ranked - opened, 3),
        "by_operator_1m_s": round(grouped - ranked, 3),
    }


def figures(directory: Path) -> dict[str, object]:
    """Return every figure but the simulation's."""
    found: dict[str, object] = {"places_per_s": places()}
    found["lease_sqlite_per_s"] = lease_operations(local_leases(directory / "leases.db"))
    courtesy = local_courtesy(directory / "courtesy.db", vault=VAULT, politeness=POLITE)
    found["begin_end_sqlite_per_s"] = beginnings(courtesy)
    if shutil.which(postgres.PROGRAM):
        with postgres.running() as server:
            store = SharedDatabase.open(
                server.where, name="bench", schema=leases.POSTGRES_SCHEMA, version=1
            )
            found["lease_postgres_per_s"] = lease_operations(Leases(store, skips_locked=True))
            store.close()
    return found | archive(directory)


def simulate(directory: Path, count: int, hours: int) -> None:
    """Print a simulated run beside the model, hour by hour."""
    rates, model = Rates(), needs(count, Rates())
    needed = vantages(model, POLITE)
    print(json.dumps({"vantages": asdict(needed), "targets": count}), flush=True)
    targets = [torrent(i) for i in range(count)]
    with ExitStack() as stack:
        made = []
        for index in range(needed.count):
            table = local_leases(directory / "simulated.db")
            courtesy = local_courtesy(directory / "s.db", vault=VAULT, politeness=POLITE)
            stack.callback(table.close)
            stack.callback(courtesy.close)
            shard = Shard(index=index, count=needed.count)
            schedule = Schedule(leases=table, vault=VAULT, targets=targets, shard=shard)
            made.append(Vantage(schedule, courtesy))
        swarm = Swarm(rates=rates)
        run = Simulation(targets=targets, vantages=made, swarm=swarm, start=START)
        for hour in range(hours):
            begin = time.process_time()
            outlook = run.run(timedelta(hours=1))
            late = outlook.late_s[int(len(outlook.late_s) * 0.95)] if outlook.late_s else 0
            print(
                f"hour {hour}: looked up {len(outlook.looked_up)}, late p95 {late:.1f} s,"
                f" most queries in a second {outlook.queries_peak}, most conversations"
                f" {outlook.conversations_peak}, lost leases {outlook.lost_leases},"
                f" took {time.process_time() - begin:.0f} s of processor"
            )
            print(as_text(compare(model, observed(outlook.measured))), flush=True)


def main(arguments: list[str]) -> None:
    """Measure, then simulate."""
    count, hours = ([int(one) for one in arguments] + [100_000, 1][len(arguments) :])[:2]
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(figures(Path(directory))), flush=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        simulate(Path(directory), count, hours)


if __name__ == "__main__":
    main(sys.argv[1:])
