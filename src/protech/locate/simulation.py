"""A run without a network: the real schedule and limits, a made-up clock and made-up peers.

Events are in the order of their times; a vantage wakes a few times a second, leases what is
due, asks leave for its queries and conversations, and hears of their ends. So what is counted
is what the product's own code lets happen, kills and take-overs included.
"""

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from protech.locate.adapter import Endpoint, Outcome, Target
from protech.locate.capacity import Measured
from protech.locate.courtesy import Courtesy
from protech.locate.limits import Reason
from protech.locate.schedule import JITTER, Lease, Result, Schedule
from protech.locate.simulated_peers import Swarm

WAKES_EVERY = timedelta(seconds=0.5)
RENEWED_BEFORE = timedelta(minutes=2)
SLEEPS_AT_MOST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a simulated run came to.

    ``late_s`` are the seconds by which look-ups of a target that had been looked for before
    began later than its pause asks, the least first; ``queries_peak`` is the most queries of
    one vantage within one second of the clock.
    """

    measured: Measured
    late_s: Sequence[float] = field(repr=False)
    queries_peak: int
    conversations_peak: int
    looked_up: Counter[int] = field(repr=False)
    refused: Counter[Reason]
    lost_leases: int


class _Job:
    """A target that is being looked for."""

    __slots__ = ("answered", "began_at", "lease", "open")

    def __init__(self, lease: Lease, began_at: datetime) -> None:
        self.lease = lease
        self.began_at = began_at
        self.open = 0
        self.answered = 0


class Vantage:
    """One source address: its part in the schedule, its limits, and what it is about."""

    def __init__(self, schedule: Schedule, courtesy: Courtesy) -> None:
        """Take what a real vantage has."""
        self.schedule = schedule
        self.courtesy = courtesy
        self.jobs: set[_Job] = set()
        self.unasked: deque[_Job] = deque()
        self.waiting: deque[tuple[_Job, Endpoint, bool]] = deque()
        self.seconds: Counter[int] = Counter()
        self.going_on = 0
        self.held_up: set[str] = set()


def _next_wake(vantage: Vantage, now: datetime) -> datetime:
    """Return when a vantage looks again: soon, or if it is idle when something is due."""
    soon = now + WAKES_EVERY
    if vantage.jobs:
        return soon
    due_at = vantage.schedule.first_due_at()
    return max(soon, min(due_at or now + SLEEPS_AT_MOST, now + SLEEPS_AT_MOST))


class Simulation:
    """A run of vantages over a list, by a clock of its own."""

    def __init__(
        self,
        *,
        targets: Sequence[Target],
        vantages: Sequence[Vantage],
        swarm: Swarm,
        start: datetime,
        dies_at: Mapping[int, datetime] | None = None,
    ) -> None:
        """Take the parts; ``dies_at`` says when which vantage falls silent for good."""
        self._targets = {one.number: one for one in targets}
        self._vantages = vantages
        self._swarm = swarm
        self._start = start
        self._dies_at = dies_at or {}
        self._events: list[tuple[datetime, int, int, Callable[[datetime], None]]] = []
        self._order = itertools.count()
        self._counts: Counter[str] = Counter()
        self._probe_s = self._silent_s = self._look_up_s = self._held_s = 0.0
        self._late_s: list[float] = []
        self._done_at: dict[int, datetime] = {}
        self._peak = 0
        self._looked_up: Counter[int] = Counter()
        self._refused: Counter[Reason] = Counter()

    def run(self, lasting: timedelta) -> Outlook:
        """Let the clock go on for so long and return what happened meanwhile."""
        self._counts.clear()
        self._probe_s = self._silent_s = self._look_up_s = self._held_s = 0.0
        self._looked_up, self._refused = Counter(), Counter()
        self._late_s.clear()
        if not self._events:
            for index, vantage in enumerate(self._vantages):
                vantage.schedule.plan(self._start)
                self._at(self._start, index, self._waker(index, vantage))
        end = self._start + lasting
        while self._events and self._events[0][0] < end:
            at, _, index, act = heapq.heappop(self._events)
            if at < self._dies_at.get(index, end):
                act(at)
        self._start = end
        return self._outlook(lasting)

    def _outlook(self, lasting: timedelta) -> Outlook:
        rates, counts = self._swarm.rates, self._counts
        cpu_s = counts["look_ups"] * rates.look_up_cpu_s
        return Outlook(
            measured=Measured(
                seconds=lasting.total_seconds(),
                look_ups=counts["look_ups"],
                queries=counts["queries"],
                named=counts["named"],
                probes=counts["probes"],
                answered=counts["answered"],
                probe_s=self._probe_s,
                silent_s=self._silent_s,
                look_up_s=self._look_up_s,
                held_s=self._held_s,
                log_bytes=round(counts["probes"] * rates.record_bytes),
                cpu_s=cpu_s + counts["probes"] / rates.probes_per_s_core,
            ),
            late_s=sorted(self._late_s),
            queries_peak=max(
                (max(one.seconds.values(), default=0) for one in self._vantages), default=0
            ),
            conversations_peak=self._peak,
            looked_up=self._looked_up,
            refused=self._refused,
            lost_leases=counts["lost"],
        )

    def _at(self, when: datetime, index: int, act: Callable[[datetime], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), index, act))

    def _waker(self, index: int, vantage: Vantage) -> Callable[[datetime], None]:
        def wake(now: datetime) -> None:
            free = vantage.courtesy.politeness.targets - len(vantage.jobs)
            for lease in vantage.schedule.due(now, most=free) if free else ():
                self._note_late(lease, now)
                job = _Job(lease, now)
                vantage.jobs.add(job)
                vantage.unasked.append(job)
            self._look_up(index, vantage, now)
            self._probe(index, vantage, now)
            self._renew(vantage, now)
            self._at(_next_wake(vantage, now), index, wake)

        return wake

    def _look_up(self, index: int, vantage: Vantage, now: datetime) -> None:
        queries = round(self._swarm.rates.queries_per_look_up)
        lasts = timedelta(seconds=self._swarm.rates.look_up_s)
        while vantage.unasked and "look up" not in vantage.held_up:
            if wait := vantage.courtesy.dht.take(now, queries):
                self._again(index, vantage, "look up", now + wait)
                return
            job = vantage.unasked.popleft()
            self._counts["queries"] += queries
            self._spread(vantage, now, queries)

            def heard(at: datetime, job: _Job = job) -> None:
                self._named(index, vantage, job, at)

            self._at(now + lasts, index, heard)

    def _again(self, index: int, vantage: Vantage, what: str, when: datetime) -> None:
        """Go on where a rate holds a vantage up, once it lets go."""
        act = self._look_up if what == "look up" else self._probe
        vantage.held_up.add(what)

        def go_on(at: datetime) -> None:
            vantage.held_up.discard(what)
            act(index, vantage, at)

        self._at(when, index, go_on)

    def _spread(self, vantage: Vantage, now: datetime, queries: int) -> None:
        """Count a look-up's queries in the seconds over which it asks them."""
        seconds = max(1, round(self._swarm.rates.look_up_s))
        first = int(now.timestamp())
        for i in range(seconds):
            vantage.seconds[first + i] += queries * (i + 1) // seconds - queries * i // seconds

    def _named(self, index: int, vantage: Vantage, job: _Job, now: datetime) -> None:
        self._counts["look_ups"] += 1
        self._looked_up[job.lease.number] += 1
        self._look_up_s += self._swarm.rates.look_up_s
        target = self._targets[job.lease.number]
        for peer, answers in self._swarm.peers(target.number):
            self._counts["named"] += 1
            leave = vantage.courtesy.may_probe(peer, target, now)
            if leave or leave.reason is Reason.FULL:
                job.open += 1
                vantage.waiting.append((job, peer, answers))
            else:
                self._refused[leave.reason] += 1
                job.answered += answers  # as of the last time
        self._settle(vantage, job, now)
        self._probe(index, vantage, now)

    def _probe(self, index: int, vantage: Vantage, now: datetime) -> None:
        for _ in range(len(vantage.waiting)):
            if "probe" in vantage.held_up:
                return
            job, peer, answers = vantage.waiting.popleft()
            target = self._targets[job.lease.number]
            leave = vantage.courtesy.may_probe(peer, target, now)
            if leave.reason is Reason.FULL:
                vantage.waiting.append((job, peer, answers))
                break
            if wait := vantage.courtesy.probes.take(now):
                vantage.waiting.appendleft((job, peer, answers))
                self._again(index, vantage, "probe", now + wait)
                return
            self._converse(index, vantage, (job, peer, answers), now)

    def _converse(
        self, index: int, vantage: Vantage, what: tuple[_Job, Endpoint, bool], now: datetime
    ) -> None:
        job, peer, answers = what
        target = self._targets[job.lease.number]
        place = ExitStack()
        if not place.enter_context(vantage.courtesy.probing(peer, target, now)):
            job.open -= 1
            self._settle(vantage, job, now)
            return
        rates = self._swarm.rates
        lasts_s = rates.answer_s if answers else rates.silence_s
        self._counts["probes"] += 1
        self._counts["answered"] += answers
        self._probe_s += lasts_s
        self._silent_s += 0.0 if answers else lasts_s
        vantage.going_on += 1
        self._peak = max(self._peak, vantage.going_on)

        def over(at: datetime) -> None:
            outcome = Outcome.CLAIMED if answers else Outcome.UNREACHABLE
            vantage.courtesy.end(peer, target, outcome, at)
            place.close()
            vantage.going_on -= 1
            job.open -= 1
            job.answered += answers
            self._settle(vantage, job, at)
            self._probe(index, vantage, at)

        self._at(now + timedelta(seconds=lasts_s), index, over)

    def _settle(self, vantage: Vantage, job: _Job, now: datetime) -> None:
        if job.open == 0 and job in vantage.jobs:
            vantage.jobs.discard(job)
            result = Result(answered=job.answered, named=job.answered)
            self._counts["lost"] += not vantage.schedule.done(job.lease, result, now)
            self._done_at[job.lease.number] = now
            self._held_s += (now - job.began_at).total_seconds()

    def _note_late(self, lease: Lease, now: datetime) -> None:
        if (done_at := self._done_at.get(lease.number)) is not None:
            late = now - done_at - lease.pace.pause * (1 + JITTER)
            self._late_s.append(max(0.0, late.total_seconds()))

    def _renew(self, vantage: Vantage, now: datetime) -> None:
        for job in vantage.jobs:
            if job.lease.until - now < RENEWED_BEFORE:
                job.lease = vantage.schedule.renew(job.lease, now) or job.lease
