"""Hostile swarms of real clients in a network namespace: what is seen is so, and all is found.

The full one is slow. Seeds are printed; a seed gives the same peers again.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from protech.locate.adapter import Level
from protech.locate.lab.plan import HOLDERS, Kind
from protech.locate.lab.score import Score
from protech.locate.lab.truth import Truth
from tests.bench.locate_swarm import Observed, observed_by_us
from tests.swarm.big import FULL, THIN
from tests.swarm.inside import ROOT, Stage, stage

PROGRAMS = ("unshare", "ip", "tcpdump", "opentracker", "transmission-daemon", "aria2c")

pytestmark = [
    *(pytest.mark.needs(one) for one in (*PROGRAMS, "qbittorrent-nox")),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a namespace of its own"),
]

PROVED_S = 30

HOLDER = """
import time
from tests.swarm.inside import stage
with stage(seed=5, size='thin') as running:
    print(running.process.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def thin() -> Iterator[Stage]:
    with stage(seed=20261128, size="thin") as running:
        yield running


@pytest.fixture(scope="module")
def truth(thin: Stage) -> Truth:
    return thin.truth()


@pytest.fixture(scope="module")
def seen(thin: Stage, truth: Truth) -> Observed:
    return observed_by_us(thin, truth, seconds=PROVED_S)


@pytest.fixture(scope="module")
def score(seen: Observed) -> Score:
    assert seen.score is not None
    return seen.score


@pytest.mark.slow
def test_every_proof_is_of_a_piece_that_came_from_there(score: Score) -> None:
    assert score.proofs.of > 25
    assert score.proofs.hits == score.proofs.of
    assert not [key for key in score.mistakes if key.startswith("4/")]


def test_every_holder_is_found_and_proved_whatever_it_speaks(score: Score) -> None:
    missed = {
        key: share.of - share.hits
        for key, share in score.recall.items()
        if key[0] in "34" and share.hits < share.of
    }
    # A busy program may keep one of us waiting; no kind is lost as a whole.
    assert sum(count for key, count in missed.items() if key in "34") <= 4
    assert all(score.recall[f"3/{kind}"].hits for kind in HOLDERS)


def test_only_those_who_lie_about_pieces_are_listed_as_claiming(score: Score) -> None:
    liars = {Kind.LIAR, Kind.MUTE, Kind.SWAPPER, Kind.REJECTER, Kind.RELAY, Kind.WEAK_ONLY}
    claimed = {key.partition("/")[2] for key in score.mistakes if key.startswith("3/")}
    assert claimed <= {kind.value for kind in liars}


def test_a_printer_that_others_name_never_goes_beyond_answering(score: Score) -> None:
    assert score.mistakes["0/printer"] > 0
    assert not {"2/printer", "2/unknown"} & set(score.mistakes)


def test_a_relay_delivers_and_is_counted_as_a_relay(score: Score, truth: Truth) -> None:
    relays = [fact for fact in truth.facts if fact.kind is Kind.RELAY]
    assert 0 < score.relayed <= len(relays)


def test_holders_hold_after_the_run_what_they_held_before(thin: Stage, truth: Truth) -> None:
    held = thin.ask("truth")["held"]
    planned = [len(part) for one in held for part in one.values()]
    partial = {fact.place[:2] for fact in truth.facts if fact.kind is Kind.PARTIAL}
    assert sum(any(len(part) for part in one.values()) for one in held) == len(held)
    assert len(partial) == THIN[Kind.PARTIAL]
    assert all(planned)


@pytest.mark.needs("strace")
def test_pieces_are_proved_without_a_file_that_is_opened_to_write(thin: Stage) -> None:
    looked = thin.ask("ours", prove=True, seconds=12, strace=True)
    assert sum(one["level"] == Level.DELIVERED for one in looked["sightings"]) > 20
    assert [line for line in looked["opened_to_write"] if "/dev/null" not in line] == []
    assert looked["written_bytes"] == 0


def test_nothing_of_the_swarm_outlives_whoever_holds_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        inside = descendants(pid)
        assert len(inside) > 5
        holder.kill()
    gone_by = time.monotonic() + 10
    while time.monotonic() < gone_by and any(is_running(one) for one in inside):
        time.sleep(0.1)
    assert not [one for one in inside if is_running(one)]


def descendants(pid: int) -> list[int]:
    """Return a process and all below it."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid="], capture_output=True, check=True, text=True
    ).stdout
    pairs = [line.split() for line in listed.splitlines()]
    found = [pid]
    for one in found:
        found += [int(child) for child, parent in pairs if int(parent) == one]
    return found


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_full_swarm_is_seen_as_it_is() -> None:
    assert sum(count for kind, count in FULL.items() if kind in HOLDERS) >= 120
    assert sum(count for kind, count in FULL.items() if kind not in HOLDERS) >= 50
    with stage(seed=1, size="full") as running:
        seen = observed_by_us(running, running.truth())
    assert seen.score is not None
    assert seen.score.proofs.hits == seen.score.proofs.of > 250
    recall, precision = seen.score.recall["4"].value, seen.score.precision["3"].value
    assert recall is not None
    assert precision is not None
    assert recall >= 0.98
    assert precision >= 0.85
    assert seen.utp_only.hits == seen.utp_only.of
    assert seen.encrypted_only.hits == seen.encrypted_only.of
