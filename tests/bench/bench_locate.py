"""Figures of ``locate``: against libtorrent in one hostile swarm, and its parts by themselves.

    python -m tests.bench.bench_locate [METRIC...]

Precision is over 26 swarms, one after the other: three quarters of an hour. What is compared
with libtorrent is measured in three swarms, in each of which ours and its modes take turns.
"""

import sys
from collections.abc import Callable, Iterator
from functools import cache

from protech.locate.lab.score import Score, Share
from tests.bench.frame import NO_PEER, Peer, Row, main, row, share
from tests.bench.locate_log import log_append, log_verify_1m
from tests.bench.locate_probe import probes_per_s_core as probe_ceiling
from tests.bench.locate_swarm import (
    LIBTORRENT,
    Mode,
    Observed,
    observed_by_libtorrent,
    observed_by_us,
    precision,
    stage,
)

BENCH = "locate"

PRECISION_SEEDS = range(1, 27)
COMPARED_SEEDS = (101, 102, 103)
MODES: tuple[Mode, ...] = ("normal", "upload", "plaintext")
ROUNDS = 5

LISTED = Peer(name="tracker and DHT list", version="opentracker, libtorrent's DHT")
PLAINTEXT = Peer(name="libtorrent, plaintext TCP alone", version=LIBTORRENT.version)


@cache
def _score() -> Score:
    return precision(PRECISION_SEEDS)


@cache
def _compared() -> dict[str, list[Observed]]:
    """Ours and each mode of libtorrent, by turns in each swarm, each going first in turn."""
    found: dict[str, list[Observed]] = {"ours": [], **{mode: [] for mode in MODES}}
    for number, seed in enumerate(COMPARED_SEEDS):
        with stage(seed=seed, size="full") as swarm:
            truth = swarm.truth()
            turns: list[str] = ["ours", *MODES]
            for name in turns[number:] + turns[:number]:
                if name == "ours":
                    found[name].append(observed_by_us(swarm, truth, one_key=True))
                else:
                    mode = next(one for one in MODES if one == name)
                    found[name].append(observed_by_libtorrent(swarm, truth, mode=mode))
    return found


def _precision(metric: str, level: str) -> Row:
    said, listed = _score().precision[level], _score().precision["0"]
    return share(BENCH, metric, hits=said.hits, of=said.of, theirs=listed.value, peer=LISTED)


def precision_l4() -> Row:
    """Proofs that are right, against all who were named."""
    return _precision("precision_l4", "4")


def precision_l3() -> Row:
    """Claims that are right, against all who were named."""
    return _precision("precision_l3", "3")


def _added(name: str, of: Callable[[Observed], Share]) -> Share:
    return sum((of(one) for one in _compared()[name]), Share())


def _found(metric: str, theirs: Mode, peer: Peer, of: Callable[[Observed], Share]) -> Row:
    ours, other = _added("ours", of), _added(theirs, of)
    return share(BENCH, metric, hits=ours.hits, of=ours.of, theirs=other.value, peer=peer)


def recall_60s() -> Row:
    """True holders that claim within a minute."""
    return _found("recall_60s", "normal", LIBTORRENT, lambda one: one.recall)


def utp_only_found() -> Row:
    """Those who speak uTP alone."""
    return _found("utp_only_found", "plaintext", PLAINTEXT, lambda one: one.utp_only)


def mse_only_found() -> Row:
    """Those who speak only with encryption."""
    return _found("mse_only_found", "plaintext", PLAINTEXT, lambda one: one.encrypted_only)


def _numbers(name: str, of: Callable[[Observed], float]) -> list[float]:
    return [of(one) for one in _compared()[name]]


def _cost(metric: str, unit: str, theirs: Mode, of: Callable[[Observed], float]) -> Row:
    return row(
        BENCH,
        metric,
        unit=unit,
        ours=_numbers("ours", of),
        theirs=_numbers(theirs, of),
        peer=Peer(name=f"{LIBTORRENT.name}, {theirs} mode", version=LIBTORRENT.version),
    )


def connects_normal() -> Row:
    """Connections begun, against a download."""
    return _cost("connects_normal", "count", "normal", lambda one: float(one.attempts))


def connects_upload() -> Row:
    """Connections begun, against libtorrent that downloads nothing."""
    return _cost("connects_upload", "count", "upload", lambda one: float(one.attempts))


def cpu() -> Row:
    """Seconds of a core."""
    return _cost("cpu", "s", "normal", lambda one: one.cpu_s)


def content_bytes_on_disk() -> Row:
    """What is on the disk afterwards."""
    return _cost("content_bytes_on_disk", "bytes", "normal", lambda one: float(one.disk_bytes))


def _ceilings() -> Iterator[float]:
    for _ in range(ROUNDS):
        yield probe_ceiling()["per_core"]


def probes_per_s_core() -> Row:
    """Handshakes with what is claimed, a second of our own CPU."""
    return row(
        BENCH,
        "probes_per_s_core",
        unit="probes/s",
        ours=list(_ceilings()),
        peer=NO_PEER,
        is_less_better=False,
    )


METRICS = {
    metric.__name__: metric
    for metric in (
        precision_l4,
        precision_l3,
        recall_60s,
        connects_normal,
        connects_upload,
        cpu,
        utp_only_found,
        mse_only_found,
        content_bytes_on_disk,
        probes_per_s_core,
        log_append,
        log_verify_1m,
    )
}

if __name__ == "__main__":
    sys.exit(main(METRICS))
