"""Ours and libtorrent in one and the same hostile swarm: what each finds, and at what cost.

    with stage(seed=1, size="full") as swarm:
        truth = swarm.truth()
        ours = observed_by_us(swarm, truth)
        theirs = observed_by_libtorrent(swarm, truth, mode="normal")

Who observes is a process of its own: its CPU is what the kernel counts for it, from after its
imports until it has ended its work. Attempts are counted by tcpdump in the swarm's namespace,
for both alike (``tests.swarm.packets``).

libtorrent is as good as its settings make it: it comes back after a second and never gives up,
begins 500 connections a second, keeps those that are of no use to it, has room for all, and its
log is read, not its state. Without the third it would hang up on seeds before they say what
they have, and find a twentieth of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib.metadata import version
from operator import add
from typing import Any, Literal

from protech.locate.adapter import Level
from protech.locate.lab.plan import Kind
from protech.locate.lab.score import Score, Seen, Share, score
from protech.locate.lab.truth import Truth
from tests.bench.frame import Peer
from tests.swarm.inside import Stage, stage

__all__ = [
    "LIBTORRENT",
    "Observed",
    "Stage",
    "observed_by_libtorrent",
    "observed_by_us",
    "precision",
    "precision_of",
    "stage",
]

SECONDS = 60
"""The issue's window: recall of true holders in 60 s."""

UTP_ONLY = frozenset({Kind.UTP_ONLY})
ENCRYPTED_ONLY = frozenset({Kind.ENCRYPTED, Kind.TRANSMISSION_ENCRYPTED, Kind.ARIA2_ENCRYPTED})

LIBTORRENT = Peer(name="libtorrent, log-parsed, 1 s reconnect", version=version("libtorrent"))

type Mode = Literal["upload", "normal", "plaintext"]
type Holder = tuple[str, int, int]
"""Address, port and torrent; a hybrid torrent is one, as libtorrent has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What one observer found in one run, and what it took."""

    recall: Share
    """True holders that it saw claim pieces (ours: level 3) within the window."""
    utp_only: Share
    encrypted_only: Share
    attempts: int
    """TCP and uTP connections that it began."""
    cpu_s: float
    wall_s: float
    disk_bytes: int
    """Ours: all that the kernel wrote for it. libtorrent's: what its files hold."""
    t95_s: float
    """When it had found 95 % of those that it found."""
    score: Score | None = None
    """Ours alone has levels."""


def observed_by_us(
    swarm: Stage,
    truth: Truth,
    *,
    prove: bool = True,
    one_key: bool = False,
    seconds: float = SECONDS,
) -> Observed:
    """Let our adapter look once.

    Args:
        swarm: Where.
        truth: What is so there.
        prove: Whether each that claims is asked for one piece, which libtorrent cannot.
        one_key: Look for the second version of a hybrid torrent alone: libtorrent has it as
            one torrent, so that costs are compared for as many looks. (A libtorrent peer that
            an address once asked for the second answers that address for it ever after.)
        seconds: At the latest.
    """
    answer = swarm.ask("ours", prove=prove, one_key=one_key, seconds=seconds)
    torrents = _torrents(swarm)
    found = {
        (one["address"], one["port"], torrents[one["number"]]): one["claimed_s"]
        for one in answer["sightings"]
        if one["level"] >= Level.CLAIMS
    }
    return _observed(answer, found, truth, torrents, score(_seen(answer), truth))


def observed_by_libtorrent(
    swarm: Stage, truth: Truth, *, mode: Mode, seconds: float = SECONDS
) -> Observed:
    """Let libtorrent look: ``upload`` mode, ``normal`` download, or ``plaintext`` TCP alone."""
    answer = swarm.ask("libtorrent", mode=mode, seconds=seconds)
    torrents = _torrents(swarm)
    listening = _listening(truth, torrents)
    found: dict[Holder, float] = {}
    for host, port, torrent, at in answer["found"]:
        ports = listening.get((host, torrent), set())
        if port not in ports and len(ports) == 1:
            (port,) = ports  # noqa: PLW2901 - it called libtorrent, from another port
        found.setdefault((host, port, torrent), at)
    return _observed(answer, found, truth, torrents, None)


def precision(seeds: Iterable[int], *, size: str = "full", seconds: float = 30) -> Score:
    """Return the score of one look in a new swarm for each seed, added up.

    Who was not finished with in ``seconds`` counts as not found: give 60 for recall.
    """
    scores = [precision_of(seed, size=size, seconds=seconds) for seed in seeds]
    return reduce(add, scores)


def precision_of(seed: int, *, size: str = "full", seconds: float = 30) -> Score:
    """Return the score of one look in a new swarm.

    Raises:
        RuntimeError: Somebody held something else after it than before.
    """
    with stage(seed=seed, size=size) as swarm:
        before = swarm.ask("truth")
        found = observed_by_us(swarm, swarm.truth(), seconds=seconds).score
        if swarm.ask("truth") != before:
            raise RuntimeError(f"the swarm with seed {seed} did not stay as it was")
    assert found is not None
    return found


def _observed(
    answer: dict[str, Any],
    found: dict[Holder, float],
    truth: Truth,
    torrents: Sequence[int],
    scored: Score | None,
) -> Observed:
    holders = {
        (fact.address, fact.port, torrents[fact.number]): fact.kind
        for fact in truth.facts
        if fact.holds
    }

    def share(kinds: Iterable[Kind]) -> Share:
        there = {one for one, kind in holders.items() if kind in kinds}
        return Share(hits=len(there & set(found)), of=len(there))

    times = sorted(at for one, at in found.items() if one in holders)
    return Observed(
        recall=share(Kind),
        utp_only=share(UTP_ONLY),
        encrypted_only=share(ENCRYPTED_ONLY),
        attempts=answer["attempts"]["all"],
        cpu_s=answer["cpu_s"],
        wall_s=answer["wall_s"],
        disk_bytes=answer.get("disk_bytes", answer["written_bytes"]),
        t95_s=times[int(0.95 * (len(times) - 1))] if times else 0.0,
        score=scored,
    )


def _listening(truth: Truth, torrents: Sequence[int]) -> dict[tuple[str, int], set[int]]:
    """Return the ports at each address, for each torrent.

    A peer that calls libtorrent is found at the port that it calls from, and called back by
    nobody. Where no other peer is at that address, it is counted as found.
    """
    ports: dict[tuple[str, int], set[int]] = {}
    for fact in truth.facts:
        ports.setdefault((fact.address, torrents[fact.number]), set()).add(fact.port)
    return ports


def _torrents(swarm: Stage) -> list[int]:
    """Return for each key of the list which torrent it is of."""
    numbers: list[list[int]] = swarm.ask("numbers")["numbers"]
    return [torrent for torrent, keys in enumerate(numbers) for _ in keys]


def _seen(answer: dict[str, Any]) -> list[Seen]:
    return [
        Seen(
            address=one["address"],
            port=one["port"],
            number=one["number"],
            level=Level(one["level"]),
            transport=one["transport"],
            piece=one["piece"],
        )
        for one in answer["sightings"]
    ]
