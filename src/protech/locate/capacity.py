"""What a list of so many targets needs: source addresses, packets, log, processor; pure.

The figures a look-up and a conversation cost are *measured* where there is a run to measure
(``rates_of``), else assumed as said below. ``locate.simulation`` checks the arithmetic with the
schedule and the limits that a real run has; ``compare`` sets any two side by side.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from protech.locate.adapter import Level
from protech.locate.limits import Politeness

HOUR_S = 3600.0

LOAD = 0.85
"""How far a limit is used up: nearer to it, whoever waits for leave waits ever longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What one look-up and one conversation cost, and what a look-up finds.

    The defaults are assumptions of the research, save ``probes_per_s_core`` (measured there on
    two shared cores) and the times (the lab's swarm of 186 candidates).
    """

    queries_per_look_up: float = 80.0
    look_up_s: float = 10.0
    look_up_cpu_s: float = 0.002
    named_per_look_up: float = 5.0
    """Peers that a look-up names and that the jurisdiction lets be spoken to."""
    answering_share: float = 0.66
    """Of those that are named; the others cost every time-out there is."""
    answer_s: float = 0.3
    silence_s: float = 9.0
    held_s: float = 0.0
    """How long a target is held, to its slowest peer's end; 0: as the other times say."""
    probes_per_s_core: float = 4000.0
    record_bytes: float = 434.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What it takes: the means of an hour."""

    look_ups_per_h: float
    queries_per_s: float
    probes_per_s: float
    conversations: float
    """That go on at once, over all vantages."""
    targets: float
    """That are held at once, over all vantages: being looked up, or their peers spoken to."""
    log_bytes_per_s: float
    cores: float

    @property
    def figures(self) -> Mapping[str, float]:
        """All of it by name."""
        return {
            "look_ups_per_h": self.look_ups_per_h,
            "queries_per_s": self.queries_per_s,
            "probes_per_s": self.probes_per_s,
            "conversations": self.conversations,
            "targets": self.targets,
            "log_bytes_per_s": self.log_bytes_per_s,
            "cores": self.cores,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantages:
    """How many source addresses each limit asks for; the most of them is needed."""

    by_queries: int
    by_probes: int
    by_conversations: int
    by_targets: int

    @property
    def count(self) -> int:
        """The number that satisfies all limits."""
        limits = (self.by_queries, self.by_probes, self.by_conversations, self.by_targets)
        return max(*limits, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was counted in a run of ``seconds``: of the lab's swarm, or simulated."""

    seconds: float
    look_ups: int
    queries: int
    named: int
    probes: int
    answered: int
    probe_s: float
    """All conversations' durations together."""
    silent_s: float
    """Those of them in which nobody answered."""
    look_up_s: float
    """All look-ups' durations together, without their conversations; 0: not known."""
    held_s: float
    """All leases' durations together: look-ups and conversations."""
    log_bytes: int
    cpu_s: float


def needs(look_ups_per_h: float, rates: Rates, *, fresh_share: float = 1.0) -> Needs:
    """Return what so many look-ups an hour need.

    ``fresh_share`` of the peers that they name may be spoken to, the others were lately: 1 in
    the first hour of a case, which is the worst one.
    """
    per_s = look_ups_per_h / HOUR_S
    probes = per_s * rates.named_per_look_up * fresh_share
    answering = rates.answering_share
    probe_s = answering * rates.answer_s + (1 - answering) * rates.silence_s
    return Needs(
        look_ups_per_h=look_ups_per_h,
        queries_per_s=per_s * rates.queries_per_look_up,
        probes_per_s=probes,
        conversations=probes * probe_s,
        targets=per_s * (rates.look_up_s + _longest_s(rates) * fresh_share),
        log_bytes_per_s=probes * rates.record_bytes,
        cores=per_s * rates.look_up_cpu_s + probes / rates.probes_per_s_core,
    )


def _longest_s(rates: Rates) -> float:
    """Return how long a target is held beyond its look-up, in the mean.

    Where no run has shown it, as if all silences were of one length, and all answers.
    """
    if rates.held_s:
        return max(0.0, rates.held_s - rates.look_up_s)
    some_silent = 1 - math.pow(rates.answering_share, rates.named_per_look_up)
    return some_silent * rates.silence_s + (1 - some_silent) * rates.answer_s


def vantages(needed: Needs, politeness: Politeness) -> Vantages:
    """Return how many source addresses the limits ask for."""
    limits = {
        "by_queries": (needed.queries_per_s, politeness.dht_queries_per_s),
        "by_probes": (needed.probes_per_s, politeness.probes_per_s),
        "by_conversations": (needed.conversations, politeness.concurrent),
        "by_targets": (needed.targets, politeness.targets),
    }
    return Vantages(
        **{name: math.ceil(need / (most * LOAD)) for name, (need, most) in limits.items()}
    )


def measured_in(
    records: Iterable[tuple[Mapping[str, object], int]],
    *,
    seconds: float,
    queries: int,
    cpu_s: float,
    look_up_s: float = 0.0,
    held_s: float = 0.0,
) -> Measured:
    """Return what a run took, as its log tells it.

    Args:
        records: Of one run, each with the bytes that it takes in the log.
        seconds: How long the run lasted.
        queries: What was asked of the DHT and of trackers: the log does not say.
        cpu_s: What the run's process took.
        look_up_s: All look-ups' durations together, where somebody took them down.
        held_s: All leases' durations together, where somebody took them down.
    """
    counts: Counter[str] = Counter()
    probe_s = silent_s = 0.0
    for record, size_bytes in records:
        counts["bytes"] += size_bytes
        if record.get("kind") == "counts":
            told = record.get("counts")
            counts["looks"] += isinstance(told, Mapping) and "entry" in told
        elif record.get("kind") == "sighting":
            lasted_s, level = _lasted_s(record), record.get("level")
            has_answered = isinstance(level, int) and level >= Level.HANDSHAKE
            counts["probes"] += 1
            counts["answered"] += has_answered
            probe_s += lasted_s
            silent_s += 0.0 if has_answered else lasted_s
    return Measured(
        seconds=seconds,
        look_ups=counts["looks"],
        queries=queries,
        named=counts["probes"],
        probes=counts["probes"],
        answered=counts["answered"],
        probe_s=probe_s,
        silent_s=silent_s,
        look_up_s=look_up_s,
        held_s=held_s,
        log_bytes=counts["bytes"],
        cpu_s=cpu_s,
    )


def _lasted_s(sighting: Mapping[str, object]) -> float:
    """Return how long a conversation took."""
    began, over = (
        datetime.fromisoformat(str(sighting[key])) for key in ("started_at", "ended_at")
    )
    return (over - began).total_seconds()


def rates_of(measured: Measured, assumed: Rates) -> Rates:
    """Return the rates of a run; what it did not show is taken from ``assumed``."""
    probes = measured.probes
    if not measured.look_ups or not probes:
        return assumed
    answered, silent = measured.answered, probes - measured.answered
    answer_s = (measured.probe_s - measured.silent_s) / answered if answered else 0.0
    return Rates(
        queries_per_look_up=measured.queries / measured.look_ups,
        look_up_s=measured.look_up_s / measured.look_ups or assumed.look_up_s,
        look_up_cpu_s=assumed.look_up_cpu_s,
        named_per_look_up=measured.named / measured.look_ups,
        answering_share=measured.answered / probes,
        answer_s=answer_s,
        silence_s=measured.silent_s / silent if silent else assumed.silence_s,
        held_s=measured.held_s / measured.look_ups,
        probes_per_s_core=_probes_per_s_core(measured, assumed),
        record_bytes=measured.log_bytes / probes,
    )


def _probes_per_s_core(measured: Measured, assumed: Rates) -> float:
    """Return how many conversations a core had a second, with what look-ups took left out."""
    left_s = measured.cpu_s - measured.look_ups * assumed.look_up_cpu_s
    return measured.probes / left_s if left_s > 0 else assumed.probes_per_s_core


def observed(measured: Measured) -> Needs:
    """Return what a run took, in the terms of the model."""
    seconds = max(measured.seconds, 1e-9)
    return Needs(
        look_ups_per_h=measured.look_ups / seconds * HOUR_S,
        queries_per_s=measured.queries / seconds,
        probes_per_s=measured.probes / seconds,
        conversations=measured.probe_s / seconds,
        targets=measured.held_s / seconds,
        log_bytes_per_s=measured.log_bytes / seconds,
        cores=measured.cpu_s / seconds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One figure of the model beside that of a run."""

    name: str
    model: float
    run: float

    @property
    def ratio(self) -> float:
        """The run's share of the model's; 1 where both are nothing."""
        if not self.model:
            return 1.0 if not self.run else math.inf
        return self.run / self.model


def compare(model: Needs, run: Needs) -> list[Compared]:
    """Return each figure of the model beside that of a run."""
    return [
        Compared(name=name, model=value, run=run.figures[name])
        for name, value in model.figures.items()
    ]


def as_text(rows: list[Compared]) -> str:
    """Return a table for a terminal."""
    lines = [f"{'':18}{'model':>14}{'run':>14}{'run/model':>11}"]
    lines += [
        f"{row.name:18}{row.model:14,.2f}{row.run:14,.2f}{row.ratio:11.2f}" for row in rows
    ]
    return "\n".join(lines)
