"""Asking for judgements, and what stands in place of what may not be shown."""

import asyncio
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime
from typing import Protocol

from protech.guard.gate import media_type_of
from protech.guard.proxy import inline
from protech.guard.proxy.placeholder import placeholder
from protech.salus.sniff import SNIFF_BYTES
from protech.serve.detector_client import DetectorUnavailable
from protech.types import Decision, Kind, Reason

logger = logging.getLogger(__name__)

SURFACE = "proxy"

DEADLINE_S = 20.0
"""How long a picture is held for its judgement; browsers wait longer than that for a server."""

GRACE_S = 1.0
"""After its own deadline the detector's client gets this long to say so."""


class Judgement(Protocol):
    """What a judge says of one picture."""

    @property
    def decision(self) -> Decision: ...  # noqa: D102 - the class says it
    @property
    def reason(self) -> Reason: ...  # noqa: D102 - the class says it
    @property
    def width_px(self) -> int | None: ...  # noqa: D102 - the class says it
    @property
    def height_px(self) -> int | None: ...  # noqa: D102 - the class says it


class Judge(Protocol):
    """Who judges pictures: the client of the detector service."""

    async def inspect(
        self,
        content: bytes | memoryview,
        *,
        claims: Kind | None,
        surface: str,
        deadline_s: float,
    ) -> Judgement:
        """Return what is decided; raise DetectorUnavailable where nothing is."""
        ...


class Counter(Protocol):
    """Where hidden pictures are counted."""

    def count(self, *, day: date, surface: str, reason: Reason) -> None:
        """Add one."""
        ...


class Unjudged(Exception):
    """No judgement was to be had for a picture."""


class Judging:
    """Judges pictures, alone or inside text and messages, and counts what it hides."""

    def __init__(
        self, judge: Judge, counter: Counter, *, deadline_s: float = DEADLINE_S
    ) -> None:
        """Take the parts; nothing is opened."""
        self._judge = judge
        self._counter = counter
        self._deadline_s = deadline_s
        self._counting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="count")

    def close(self) -> None:
        """Write the last counts."""
        self._counting.shutdown()

    async def stand_in(self, content: bytes, claims: Kind | None) -> bytes | None:
        """Return what stands in place of a picture, None where it may be shown.

        Raises:
            Unjudged: There is no judgement.
        """
        deadline_s = self._deadline_s
        try:
            async with asyncio.timeout(deadline_s + GRACE_S):
                judgement = await self._judge.inspect(
                    content, claims=claims, surface=SURFACE, deadline_s=deadline_s
                )
        except (DetectorUnavailable, TimeoutError) as absent:
            raise Unjudged from absent
        if judgement.decision is Decision.ALLOW:
            return None
        self.count(judgement.reason)
        return placeholder(judgement.width_px, judgement.height_px)

    async def rewrite(self, body: bytes) -> tuple[bytes | None, bool]:
        """Return the text as it may be shown, None if as it is, and whether that will last."""
        is_lasting = True

        async def replace(content: bytes, claims: Kind | None) -> bytes | None:
            nonlocal is_lasting
            try:
                return await self.stand_in(content, claims)
            except Unjudged:
                is_lasting = False
                self.count(Reason.UNSCANNABLE)
                return placeholder(None, None)

        return await inline.rewrite(body, replace), is_lasting

    async def message(self, content: bytes, *, is_text: bool) -> bytes:
        """Return a WebSocket message as it may be shown."""
        if is_text:
            changed, _ = await self.rewrite(content)
            return content if changed is None else changed
        start = inline.picture_start(content)
        kind = media_type_of(content[start : start + SNIFF_BYTES]).kind
        if kind is Kind.VIDEO:
            self.count(Reason.UNSCANNABLE)
            return content[:start] + bytes(len(content) - start)
        if kind is not Kind.IMAGE:
            # Text sent as binary, such as JSON: frameworks do that.
            changed, _ = await self.rewrite(content)
            return content if changed is None else changed
        try:
            stand_in = await self.stand_in(content[start:], None)
        except Unjudged:
            self.count(Reason.UNSCANNABLE)
            stand_in = placeholder(None, None)
        if stand_in is None:
            return content
        # Inside a frame of the page's own making lengths count: blank it and keep the length.
        return stand_in if start == 0 else content[:start] + bytes(len(content) - start)

    def count(self, reason: Reason) -> None:
        """Count something hidden, beside the event loop: a count is a disk write."""
        day = datetime.now().astimezone().date()  # the person's own calendar day
        counted = self._counting.submit(
            self._counter.count, day=day, surface=SURFACE, reason=reason
        )
        counted.add_done_callback(_note_lost)


def _note_lost(counted: Future[None]) -> None:
    error = counted.exception()
    if error is not None:
        logger.warning("count lost error=%s", type(error).__name__)
