"""A run: targets are leased and looked for, what is seen is logged and signed, until it ends.

It ends when it is told to, when the authority does not cover it any more, or, where it is asked
for one round only, when nothing more is due. Whatever the end, what was seen is in the log, and
the log says why it ended.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from protech.errors import AuthorityError
from protech.locate.adapter import Level
from protech.locate.build import code_of_build, commit_of_build
from protech.locate.journal import Journal
from protech.locate.observe import Looked, Observer, Parts
from protech.locate.outfit import Outfit
from protech.locate.records import Run, run_record, stop_record
from protech.locate.schedule import Lease, Result
from protech.locate.shared import SharedAddresses
from protech.locate.upkeep import Upkeep

RENEW_S = 60.0
"""How often leases are renewed: well before they end."""
ROUND_OVER = timedelta(minutes=1)
"""A round is over when nothing is due for so long: first look-ups are spread."""
IDLE_S = 1.0

type OnLook = Callable[[int, Looked], None]
"""Told the number of a target and what a look for it gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Why a run has ended, and whether the authority ended it."""

    reason: str
    is_by_authority: bool = False


async def run(
    outfit: Outfit,
    stop: asyncio.Event,
    *,
    is_one_round: bool = False,
    on_look: OnLook = lambda _number, _looked: None,
) -> Ended:
    """Look for what is due until ``stop``, and return why it ended.

    Raises:
        ConfigError: The log or a store cannot be written.
        TrustError: A store was changed.
    """
    running = _Running(outfit, on_look)
    writing = asyncio.create_task(running.journal.running())
    upkeep = running.upkeep
    beside = (*upkeep.tasks(), running.keep_leases())
    sides = [asyncio.create_task(side) for side in beside]
    try:
        ended = await _first_of(
            writing, *sides, asyncio.create_task(running.look(stop, is_one_round=is_one_round))
        )
        await upkeep.count_once()
        await running.journal.write(stop_record(ended.reason, outfit.clearance.reading()))
    finally:
        for side in sides:
            side.cancel()
        await asyncio.gather(*sides, return_exceptions=True)
        running.journal.close()
        await asyncio.wait([writing])
    writing.result()
    await upkeep.sign_once(is_last=True)
    return ended


async def _first_of(*tasks: "asyncio.Task[None] | asyncio.Task[Ended]") -> Ended:
    """Return why the last of the tasks ended; raise what any other one raises first."""
    looking = tasks[-1]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    try:
        for task in tasks[:-1]:
            if task.done():
                task.result()
        ended = await looking
        assert isinstance(ended, Ended)  # noqa: S101 - the last task is the one that looks
        return ended
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(looking, return_exceptions=True)


class _Running:
    """One run: its journal, and what goes on beside the looks."""

    def __init__(self, outfit: Outfit, on_look: OnLook) -> None:
        self.journal = Journal(outfit.log)
        self._outfit = outfit
        self._on_look = on_look
        self.upkeep = Upkeep(outfit, self.journal)
        self._active: dict[asyncio.Task[Looked], Lease] = {}

    async def look(self, stop: asyncio.Event, *, is_one_round: bool) -> Ended:
        """Look for what is due, several targets at once; return why it ended."""
        observer = await self._begin()
        stopping = asyncio.create_task(stop.wait())
        schedule, now = self._outfit.schedule, self._now
        try:
            schedule.plan(now())
            while not stop.is_set():
                self._outfit.clearance.require_open()  # also where nothing is due
                free = self._outfit.looks - len(self._active)
                for lease in schedule.due(now(), most=free) if free else ():
                    target = self._outfit.watch.targets[lease.number]
                    self._active[asyncio.create_task(observer.look(target))] = lease
                if is_one_round and not self._active and self._is_round_over():
                    return Ended(reason="one round was asked for")
                timeout = None if len(self._active) == self._outfit.looks else IDLE_S
                await asyncio.wait(
                    [*self._active, stopping],
                    timeout=timeout,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                self._settle()
        except AuthorityError as over:
            await self._let_finish()
            return Ended(reason=str(over), is_by_authority=True)
        finally:
            stopping.cancel()
            await self._abandon()
        return Ended(reason="it was told to stop")

    async def keep_leases(self) -> None:
        """Renew the leases of looks that take long, so that nobody else takes them over."""
        while True:
            await asyncio.sleep(RENEW_S)
            for task, lease in list(self._active.items()):
                renewed = self._outfit.schedule.renew(lease, self._now())
                if renewed is not None and task in self._active:
                    self._active[task] = renewed

    async def _begin(self) -> Observer:
        """Record what the run stands on, and return who looks."""
        outfit = self._outfit
        stands_on = _stands_on(outfit)
        place = await self.journal.write(run_record(stands_on, outfit.clearance.reading()))
        for request in outfit.clearance.requests:
            await self.upkeep.record_request(request)
        return Observer(
            Parts(
                adapters=outfit.adapters,
                mandate=outfit.clearance,
                manners=outfit.manners,
                gazetteer=outfit.gazetteer,
                shared=SharedAddresses(),
                journal=self.journal,
                watch=outfit.watch,
                clock=outfit.clearance.reading,
                case=outfit.case.name,
                run=place.start,
                pseudonym_key=outfit.case.pseudonym_key,
            )
        )

    def _settle(self) -> None:
        """Take what came of the looks that have ended.

        Raises:
            AuthorityError: One was ended by the authority.
        """
        for task in [one for one in self._active if one.done()]:
            lease = self._active[task]
            looked = task.result()
            del self._active[task]
            result = Result(
                named=looked.named,
                answered=looked.at_least(Level.HANDSHAKE),
                claimed=looked.at_least(Level.CLAIMS),
                delivered=looked.at_least(Level.DELIVERED),
            )
            self._outfit.schedule.done(lease, result, self._now())
            self._on_look(lease.number, looked)

    def _is_round_over(self) -> bool:
        due_at = self._outfit.schedule.first_due_at()
        return due_at is None or due_at > self._now() + ROUND_OVER

    async def _let_finish(self) -> None:
        """Let the other looks end by themselves: their next packet is refused, too."""
        if self._active:
            await asyncio.wait(self._active)

    async def _abandon(self) -> None:
        """End what is under way; what was recorded stays, and the targets are due again."""
        for task, lease in self._active.items():
            task.cancel()
            self._outfit.schedule.give_back(lease, self._now())
        await asyncio.gather(*self._active, return_exceptions=True)
        self._active.clear()

    def _now(self) -> datetime:
        return self._outfit.clearance.reading().at


def _stands_on(outfit: Outfit) -> Run:
    """Return what a run stands on, as its first record tells."""
    gate = outfit.clearance.gate
    return Run(
        case=outfit.case.name,
        authorisation=json.loads(gate.authorisation.text),
        authorisation_sha256=gate.authorisation.sha256,
        authorisation_signatures=[
            {"public_key": one.public.hex(), "signature": one.signature.hex()}
            for one in gate.authorisation.signatures
        ],
        timestamp_sha256=gate.timestamp.sha256,
        watch=outfit.watch,
        commit=commit_of_build(),
        code=code_of_build(),
        is_lab=outfit.clearance.is_lab,
        source_addresses=outfit.source_addresses,
        databases=[
            {"name": name, "date": day.isoformat(), "sha256": sha256.hex()}
            for name, day, sha256 in outfit.gazetteer.sources
        ],
        observers=[str(one) for one in outfit.clearance.anchors.observers],
    )
