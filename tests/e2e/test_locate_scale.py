"""Vantages that share one PostgreSQL server: leases and limits hold between processes.

The server is a fresh one, run by an account without rights, on a Unix socket alone.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Barrier, Thread

import pytest

from protech.db.postgres import SharedDatabase
from protech.errors import ConfigError
from protech.locate import courtesy, leases
from protech.locate.adapter import Endpoint, Outcome
from protech.locate.courtesy import Courtesy
from protech.locate.leases import GRACE, TERM, Leases, Planned, Shard
from protech.locate.limits import Politeness
from protech.locate.schedule import Result, Schedule
from protech.locate.sharing import shared_courtesy, shared_leases, shared_tally
from protech.locate.vault import Vault
from tests import postgres
from tests.unit.locate.targets import info_hash, torrent

pytestmark = pytest.mark.needs(postgres.PROGRAM)

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
ALL = Shard()
PEER = Endpoint(address=ip_address("198.18.7.7"), port=6881)


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as made:
        yield made


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return a schema of the test's own."""
    return f"case_{request.node.name[-50:].lower()}"


def shared(server: postgres.Server, name: str) -> Leases:
    store = SharedDatabase.open(
        server.where, name=name, schema=leases.POSTGRES_SCHEMA, version=leases.FORMAT_VERSION
    )
    return Leases(store, skips_locked=True)


def plan(table: Leases, count: int) -> None:
    table.plan(
        Planned(name=i.to_bytes(2), slot=i % 256, due_at=NOON, state=b"new")
        for i in range(count)
    )


WORKER = """
import sys
from datetime import datetime, timedelta
from protech.db.postgres import SharedDatabase
from protech.locate.leases import FORMAT_VERSION, POSTGRES_SCHEMA, Leases, Shard
where, name, now = sys.argv[1], sys.argv[2], datetime.fromisoformat(sys.argv[3])
store = SharedDatabase.open(where, name=name, schema=POSTGRES_SCHEMA, version=FORMAT_VERSION)
leases = Leases(store, skips_locked=True)
print("ready", flush=True)
sys.stdin.readline()
while held := leases.take(now, shard=Shard(), most=3):
    for one in held:
        print(one.name.hex(), flush=True)
        if len(sys.argv) == 4:
            leases.settle(one, due_at=now + timedelta(days=1), state=b"done")
"""


def vantage(server: postgres.Server, name: str, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WORKER, server.where, name, NOON.isoformat(), *more]
    made = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert made.stdout is not None
    assert made.stdout.readline() == "ready\n"
    return made


def test_no_target_is_leased_twice_at_once_by_processes(
    server: postgres.Server, name: str
) -> None:
    with closing(shared(server, name)) as table:
        plan(table, 400)
    vantages = [vantage(server, name, "keep") for _ in range(4)]
    for one in vantages:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    taken = [line for one in vantages for line in one.communicate()[0].split()]
    assert len(taken) == len(set(taken)) == 400


def test_a_vantage_that_is_killed_loses_no_target(server: postgres.Server, name: str) -> None:
    table = shared(server, name)
    plan(table, 300)
    for lines in (1, 7, 30):
        with vantage(server, name) as killed:
            assert killed.stdin is not None
            assert killed.stdout is not None
            killed.stdin.write("\n")
            killed.stdin.flush()
            for _ in range(lines):
                killed.stdout.readline()
            killed.send_signal(signal.SIGKILL)
    over = NOON + TERM + GRACE
    rest = table.take(over, shard=ALL, most=999)
    assert {one.state for one in rest} <= {b"new"}
    later = table.take(over + timedelta(days=2), shard=ALL, most=999)
    assert len({one.name for one in later}) == 300
    table.close()


def test_schedules_take_over_from_each_other(server: postgres.Server, name: str) -> None:
    vault = Vault(bytes(32), purpose="leases")
    one, other = (
        Schedule(leases=shared(server, name), vault=vault, targets=[torrent(0)], shard=Shard())
        for _ in range(2)
    )
    assert (one.plan(NOON), other.plan(NOON)) == (1, 0)
    [lease] = one.due(NOON)
    assert other.due(NOON + TERM) == []
    [taken] = other.due(NOON + TERM + GRACE)
    assert not one.done(lease, Result(), NOON + TERM + GRACE)
    assert other.done(taken, Result(), NOON + TERM + GRACE)
    for schedule in (one, other):
        schedule.close()


def test_of_vantages_that_ask_about_one_peer_at_once_one_is_given_leave(
    server: postgres.Server, name: str
) -> None:
    given: list[bool] = []
    courteous(server, name).close()
    together = Barrier(5)

    def ask() -> None:
        with closing(courteous(server, name)) as one:
            together.wait()
            with one.probing(PEER, torrent(0), NOON) as leave:
                given.append(bool(leave))

    threads = [Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == [False] * 4 + [True]


def courteous(server: postgres.Server, name: str) -> Courtesy:
    store = SharedDatabase.open(
        server.where,
        name=name,
        schema=courtesy.POSTGRES_SCHEMA,
        version=courtesy.FORMAT_VERSION,
    )
    vault = Vault(bytes(32), purpose="courtesy")
    return Courtesy(store=store, vault=vault, politeness=Politeness())


def test_the_server_and_its_log_see_no_key_and_no_address(
    server: postgres.Server, name: str
) -> None:
    with closing(courteous(server, name)) as one, one.probing(PEER, torrent(3), NOON) as leave:
        assert leave
        one.end(PEER, torrent(3), Outcome.REFUSED, NOON)
        one._store.change("CHECKPOINT")
    files = [path for path in server.directory.rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files if path.name != "postmaster.pid")
    assert name.encode() in kept
    address = PEER.address.packed + PEER.port.to_bytes(2)
    for clear in (info_hash(3), info_hash(3).hex().encode(), b"198.18.7.7", address):
        assert clear not in kept


def test_a_server_that_was_restarted_is_found_again(server: postgres.Server, name: str) -> None:
    with closing(shared(server, name)) as table:
        plan(table, 2)
        server.stop("immediate")
        with pytest.raises(ConfigError, match="cannot be used"):
            table.take(NOON, shard=ALL)
        server.start()
        assert len(table.take(NOON, shard=ALL, most=9)) == 2


def test_all_that_vantages_share_is_in_one_server_under_keyed_names(
    server: postgres.Server,
) -> None:
    vault = Vault(os.urandom(32), purpose="shared")
    for _ in range(2):  # the second one finds what the first one made
        with (
            closing(shared_leases(server.where, vault=vault)) as table,
            closing(
                shared_courtesy(server.where, vault=vault, politeness=Politeness())
            ) as courteous,
        ):
            plan(table, 1)
            with courteous.probing(PEER, torrent(0), NOON):
                pass
            assert not courteous.may_probe(PEER, torrent(0), NOON)
            assert len(table.names()) == 1
        tally = shared_tally(server.where, vault=vault)
        assert tally.take(bytes(32), limit=2)
        tally._store.close()
    other = Vault(os.urandom(32), purpose="shared")
    with closing(shared_leases(server.where, vault=other)) as table:
        assert table.names() == set()


def test_tables_of_another_version_are_refused(server: postgres.Server, name: str) -> None:
    shared(server, name).close()
    with pytest.raises(ConfigError, match="another version"):
        SharedDatabase.open(server.where, name=name, schema=(), version=7)


def test_a_write_is_whole_or_not_at_all(server: postgres.Server, name: str) -> None:
    with SharedDatabase.open(
        server.where, name=name, schema=("CREATE TABLE t (n integer PRIMARY KEY)",), version=1
    ) as database:
        database.write("INSERT INTO t VALUES (?)", [(1,)])
        with pytest.raises(ConfigError, match="23505"):
            database.write("INSERT INTO t VALUES (?)", [(2,), (1,)])
        assert database.read("SELECT n FROM t WHERE n % 2 = ?", (1,)) == [(1,)]
        assert database.read("SELECT n FROM t") == [(1,)]


def test_the_server_of_these_tests_has_no_rights(server: postgres.Server) -> None:
    pid = int((server.data / "postmaster.pid").read_text().splitlines()[0])
    uid = Path(f"/proc/{pid}").stat().st_uid
    assert uid != 0
    assert os.geteuid() in {0, uid}
