"""What was asked of whom is remembered."""

import asyncio
import signal
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from protech.errors import TrustError
from protech.locate.adapter import Endpoint, Outcome, Target
from protech.locate.courtesy import KEPT, TIDIES_EVERY, Courtesy, local_courtesy
from protech.locate.limits import Politeness, Reason
from protech.locate.vault import Vault
from tests.unit.locate.targets import ed2k, info_hash, torrent

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PEER = Endpoint(address=ip_address("192.0.2.77"), port=6881)
OTHER = Endpoint(address=ip_address("192.0.2.78"), port=6881)


def courtesy(path: Path, *, key: bytes = bytes(32)) -> Courtesy:
    vault = Vault(key, purpose="courtesy")
    return local_courtesy(path / "leases.db", vault=vault, politeness=Politeness())


def probe(
    one: Courtesy, target: Target, now: datetime, outcome: Outcome = Outcome.CLAIMED
) -> bool:
    with one.probing(PEER, target, now) as leave:
        if leave:
            one.end(PEER, target, outcome, now)
        return bool(leave)


def test_one_conversation_in_six_hours_with_a_peer_about_a_target(tmp_path: Path) -> None:
    target = torrent(0)
    with closing(courtesy(tmp_path)) as one:
        assert one.may_probe(PEER, target, NOON)
        assert probe(one, target, NOON)
        assert not probe(one, target, NOON + 5 * HOUR)
        assert one.may_probe(OTHER, target, NOON)
        assert one.may_probe(PEER, torrent(1), NOON)
        assert one.may_probe(PEER, ed2k(0), NOON)
    with closing(courtesy(tmp_path)) as again:
        left = again.may_probe(PEER, target, NOON + 5 * HOUR)
        assert (left.reason, left.again_at) == (Reason.TOO_SOON, NOON + 6 * HOUR)
        assert probe(again, target, NOON + 6 * HOUR)


def test_ipv4_inside_ipv6_is_the_same_peer(tmp_path: Path) -> None:
    with closing(courtesy(tmp_path)) as one:
        assert probe(one, torrent(0), NOON)
        inside = Endpoint(address=ip_address("::ffff:192.0.2.77"), port=6881)
        assert not one.may_probe(inside, torrent(0), NOON)


def test_a_kill_between_beginning_and_end_is_an_attempt(tmp_path: Path) -> None:
    with closing(courtesy(tmp_path)) as one, one.probing(PEER, torrent(0), NOON) as leave:
        assert leave
    with closing(courtesy(tmp_path)) as again:
        left = again.may_probe(PEER, torrent(0), NOON)
        assert left.again_at == NOON + timedelta(minutes=10)


PROBER = """
import sys
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from protech.locate.adapter import Endpoint
from tests.unit.locate.targets import torrent
from tests.unit.locate.test_courtesy import NOON, courtesy
one = courtesy(Path(sys.argv[1]))
for port in range(1, 65536):
    with one.probing(Endpoint(address=ip_address("192.0.2.77"), port=port), torrent(0), NOON):
        print(port, flush=True)
"""


def test_a_kill_at_any_moment_forgets_nobody_who_was_spoken_to(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROBER, str(tmp_path)]
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as prober:
        assert prober.stdout is not None
        for _ in range(40):
            prober.stdout.readline()
        prober.send_signal(signal.SIGKILL)
        last = int((prober.stdout.readlines() or [b"40"])[-1])
    with closing(courtesy(tmp_path)) as one:
        for port in range(1, last + 1):
            peer = Endpoint(address=PEER.address, port=port)
            assert not one.may_probe(peer, torrent(0), NOON)


def test_three_refusals_about_whatever_stop_all(tmp_path: Path) -> None:
    for i in range(3):
        with closing(courtesy(tmp_path)) as one:
            assert probe(one, torrent(i), NOON, Outcome.REFUSED)
    with closing(courtesy(tmp_path)) as one:
        years_later = NOON + timedelta(days=900)
        one.forget(years_later)
        assert one.may_probe(PEER, torrent(9), years_later).reason is Reason.STOPPED
        assert one.may_probe(OTHER, torrent(9), NOON)


def test_the_two_keys_of_one_file_share_its_pieces(tmp_path: Path) -> None:
    first = torrent(0)
    second = Target(
        entry="lab-entry-0", number=1, list_name=first.list_name, key=torrent(1).key
    )
    with closing(courtesy(tmp_path)) as one:
        assert one.begin_piece(PEER, first, NOON)
        assert not one.begin_piece(PEER, second, NOON + HOUR)
        assert one.begin_piece(PEER, second, NOON + timedelta(days=1)).reason is Reason.TOO_SOON
        assert one.begin_piece(PEER, second, NOON + timedelta(days=2))
        assert one.begin_piece(PEER, first, NOON + timedelta(days=4)).reason is Reason.SPENT
        assert one.begin_piece(PEER, torrent(7), NOON)


def test_a_piece_that_did_not_come_may_be_asked_for_again(tmp_path: Path) -> None:
    with closing(courtesy(tmp_path)) as one:
        for _ in range(5):
            assert one.begin_piece(PEER, torrent(0), NOON)
            one.give_back_piece(PEER, torrent(0), NOON)
        assert one.begin_piece(PEER, torrent(0), NOON)
        assert not one.begin_piece(PEER, torrent(0), NOON)


def test_of_many_that_ask_at_once_one_is_given_leave(tmp_path: Path) -> None:
    given: list[bool] = []
    courtesy(tmp_path).close()
    together = threading.Barrier(6)

    def ask() -> None:
        with closing(courtesy(tmp_path)) as one:
            together.wait()
            with one.probing(PEER, torrent(0), NOON) as leave:
                given.append(bool(leave))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == [False] * 5 + [True]


def test_no_more_conversations_at_once_than_there_are_places(tmp_path: Path) -> None:
    polite = Politeness(concurrent_per_address=1)
    vault = Vault(bytes(32), purpose="courtesy")
    made = local_courtesy(tmp_path / "a", vault=vault, politeness=polite)
    with closing(made) as one, one.probing(PEER, torrent(0), NOON) as leave:
        assert leave
        with one.probing(PEER, torrent(1), NOON) as second:
            assert second.reason is Reason.FULL
        assert one.may_probe(PEER, torrent(1), NOON).reason is Reason.FULL
        one.end(PEER, torrent(0), Outcome.CLAIMED, NOON)
    assert one._places.taken == 0


def test_what_limits_nothing_any_more_is_forgotten(tmp_path: Path) -> None:
    with closing(courtesy(tmp_path)) as one:
        probe(one, torrent(0), NOON)
        one.begin_piece(PEER, torrent(0), NOON)
        assert one.forget(NOON + 6 * HOUR + KEPT) == 0
        assert one.forget(NOON + 7 * HOUR + KEPT) == 1
        assert not one.begin_piece(PEER, torrent(0), NOON)


def test_marks_do_not_grow_for_ever(tmp_path: Path) -> None:
    with closing(courtesy(tmp_path)) as one:
        now = NOON
        for port in range(1, 3 * TIDIES_EVERY):
            peer = Endpoint(address=PEER.address, port=port)
            now += timedelta(minutes=30)
            with one.probing(peer, torrent(0), now):
                one.end(peer, torrent(0), Outcome.CLAIMED, now)
        [(kept,)] = one._store.read("SELECT count(*) FROM marks")
    assert isinstance(kept, int)
    assert kept < 2 * TIDIES_EVERY


def test_the_file_shows_no_address_and_no_key(tmp_path: Path) -> None:
    with closing(courtesy(tmp_path)) as one:
        probe(one, torrent(0), NOON, Outcome.REFUSED)
        one.begin_piece(PEER, torrent(0), NOON)
        kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for clear in (b"192.0.2.77", PEER.address.packed + b"\x1a\xe1", info_hash(0), b"attempts"):
        assert clear not in kept


def test_another_cases_marks_are_not_seen_and_changed_ones_refused(tmp_path: Path) -> None:
    with closing(courtesy(tmp_path)) as one:
        probe(one, torrent(0), NOON)
        with closing(courtesy(tmp_path, key=bytes(31) + b"\1")) as other:
            assert other.may_probe(PEER, torrent(0), NOON)
        one._store.change("UPDATE marks SET state = ?", (bytes(60),))
        with pytest.raises(TrustError):
            one.may_probe(PEER, torrent(0), NOON)


def test_conversations_begin_no_faster_than_a_source_address_may(tmp_path: Path) -> None:
    async def begin_three(one: Courtesy) -> timedelta:
        start = datetime.now(UTC)
        for _ in range(3):
            await one.turn(lambda: datetime.now(UTC))
        return datetime.now(UTC) - start

    polite = Politeness(probes_per_s=200)
    vault = Vault(bytes(32), purpose="courtesy")
    made = local_courtesy(tmp_path / "a", vault=vault, politeness=polite)
    with closing(made) as one:
        assert asyncio.run(begin_three(one)) >= timedelta(seconds=3 / 200)


def test_its_rates_are_those_of_politeness(tmp_path: Path) -> None:
    with closing(courtesy(tmp_path)) as one:
        assert one.dht.take(NOON) == timedelta(seconds=1 / 250)
        assert one.probes.take(NOON) == timedelta(seconds=1 / 50)
