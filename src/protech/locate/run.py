"""A run: targets are leased and looked for, what is seen is logged and signed, until it ends.

It ends when it is told to, when the authority does not cover it any more, or, where it is asked
for one round only, when nothing more is due. Whatever the end, what was seen is in the log, and
the log says why it ended.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

from protech.errors import AuthorityError, TrustError
from protech.evidence.log import Log
from protech.locate.adapter import Adapter, Level, Network
from protech.locate.approve import signatures_of
from protech.locate.build import commit_of_build
from protech.locate.case import Case
from protech.locate.clearance import Clearance
from protech.locate.documents import read_request
from protech.locate.filed import TIMESTAMP, content_of, request_files
from protech.locate.identify import Watch
from protech.locate.journal import Journal
from protech.locate.leave import Manners
from protech.locate.observe import Looked, Observer, Parts
from protech.locate.papers import Paper, ProofRequest
from protech.locate.place import Gazetteer
from protech.locate.records import Run, request_record, run_record, stop_record
from protech.locate.schedule import Lease, Result, Schedule
from protech.locate.shared import SharedAddresses

LOOKS = 8
"""Targets at once; conversations have a limit of their own."""

SIGN_S = 10.0
"""How long a record waits at most for the checkpoint that covers it."""
PAPERS_S = 20.0
"""How often the papers are read again: a newer timestamp, one more proof request."""
IDLE_S = 1.0

logger = logging.getLogger(__name__)

type OnLook = Callable[[int, Looked], None]
"""Told the number of a target and what a look for it gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outfit:
    """All that a run is made of; ``log`` is open for writing, and no other run has the case."""

    case: Case
    log: Log
    clearance: Clearance
    watch: Watch
    adapters: Mapping[Network, Adapter]
    schedule: Schedule
    manners: Manners
    gazetteer: Gazetteer
    source_addresses: Sequence[str] = field(default=(), repr=False)
    stamp: Callable[[], Awaitable[None]] | None = None
    """Has the newest checkpoint stamped."""


async def run(
    outfit: Outfit,
    stop: asyncio.Event,
    *,
    is_one_round: bool = False,
    on_look: OnLook = lambda _number, _looked: None,
) -> str:
    """Look for what is due until ``stop``, and return why it ended.

    Raises:
        ConfigError: The log or a store cannot be written.
        TrustError: A store was changed.
    """
    running = _Running(outfit, on_look)
    writing = asyncio.create_task(running.journal.running())
    sides = [asyncio.create_task(side) for side in (running.sign(), running.renew())]
    try:
        reason = await _first_of(
            writing, *sides, asyncio.create_task(running.look(stop, is_one_round=is_one_round))
        )
        await running.journal.write(stop_record(reason, outfit.clearance.reading()))
    finally:
        for side in sides:
            side.cancel()
        await asyncio.gather(*sides, return_exceptions=True)
        running.journal.close()
        await asyncio.wait([writing])
    writing.result()
    await running.sign_once()
    return reason


async def _first_of(*tasks: "asyncio.Task[None] | asyncio.Task[str]") -> str:
    """Return why the last of the tasks ended; raise what any other one raises first."""
    looking = tasks[-1]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    try:
        for task in tasks[:-1]:
            if task.done():
                task.result()
        return str(await looking)
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
        self._recorded: set[bytes] = set()
        self._signed = 0
        self._active: dict[asyncio.Task[Looked], Lease] = {}

    async def look(self, stop: asyncio.Event, *, is_one_round: bool) -> str:
        """Look for what is due, several targets at once; return why it ended."""
        observer = await self._begin()
        stopping = asyncio.create_task(stop.wait())
        schedule, now = self._outfit.schedule, self._now
        try:
            schedule.plan(now())
            while not stop.is_set():
                free = LOOKS - len(self._active)
                for lease in schedule.due(now(), most=free) if free else ():
                    target = self._outfit.watch.targets[lease.number]
                    self._active[asyncio.create_task(observer.look(target))] = lease
                if is_one_round and not self._active and self._is_round_over():
                    return "one round was asked for"
                timeout = None if len(self._active) == LOOKS else IDLE_S
                await asyncio.wait(
                    [*self._active, stopping],
                    timeout=timeout,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                self._settle()
        except AuthorityError as over:
            await self._let_finish()
            return str(over)
        finally:
            stopping.cancel()
            await self._abandon()
        return "it was told to stop"

    async def sign(self) -> None:
        """Sign the log as it grows."""
        while True:
            await asyncio.sleep(SIGN_S)
            await self.sign_once()

    async def sign_once(self) -> None:
        """Sign what the log holds, where that is more than was signed."""
        log = self._outfit.log
        size = log.size
        if size > self._signed:
            await asyncio.to_thread(log.checkpoint, self._now())
            self._signed = size
            logger.info("log signed records=%d", size)
            if self._outfit.stamp is not None:
                await self._outfit.stamp()

    async def renew(self) -> None:
        """Take in newer papers as they are put into their folder.

        What does not hold together is left alone: it may be half written. What ends the run is
        told by the gate at the next packet.
        """
        clearance, papers = self._outfit.clearance, self._outfit.case.papers
        while True:
            await asyncio.sleep(PAPERS_S)
            with _left_alone():
                clearance.renew(content_of(papers / TIMESTAMP))
            for path in request_files(papers):
                with _left_alone():
                    request = read_request(content_of(path))
                    if request.sha256 not in self._recorded:
                        clearance.add(request)
                        await self._record_request(request)

    async def _begin(self) -> Observer:
        """Record what the run stands on, and return who looks."""
        outfit = self._outfit
        gate = outfit.clearance.gate
        stands_on = Run(
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
            is_lab=outfit.clearance.is_lab,
            source_addresses=outfit.source_addresses,
            databases=[
                {"name": name, "date": day.isoformat(), "sha256": sha256.hex()}
                for name, day, sha256 in outfit.gazetteer.sources
            ],
            observers=[str(one) for one in outfit.clearance.anchors.observers],
        )
        place = await self.journal.write(run_record(stands_on, outfit.clearance.reading()))
        for request in outfit.clearance.requests:
            await self._record_request(request)
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

    async def _record_request(self, request: Paper[ProofRequest]) -> None:
        self._recorded.add(request.sha256)
        clearance = self._outfit.clearance
        signed = signatures_of(request, clearance.gate.authorisation.terms)
        told = request_record(request.text, request.sha256, signed, clearance.reading())
        await self.journal.write(told)

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
        return due_at is None or due_at > self._now()

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


@contextmanager
def _left_alone() -> Iterator[None]:
    """Go on where a paper does not hold, or does not hold together."""
    try:
        yield
    except (AuthorityError, TrustError) as refused:
        logger.warning("paper not taken error=%s", type(refused).__name__)
