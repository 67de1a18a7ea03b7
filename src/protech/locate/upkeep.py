"""What goes on beside the looks of a run: signing, newer papers, the archive, counts."""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from protech.errors import AuthorityError, TrustError
from protech.locate.approve import signatures_of
from protech.locate.documents import read_request
from protech.locate.filed import TIMESTAMP, content_of, request_files
from protech.locate.journal import Journal
from protech.locate.outfit import Outfit
from protech.locate.papers import Paper, ProofRequest
from protech.locate.records import counts_record, request_record

SIGN_S = 10.0
"""How long a record waits at most for the checkpoint that covers it."""
PAPERS_S = 20.0
"""How often the papers are read again: a newer timestamp, one more proof request."""
ARCHIVE_S = 300.0
"""How often sightings go into the archive, if they are enough for a file."""
COUNT_S = 60.0
"""How often the packets that were sent are counted into the log."""

logger = logging.getLogger(__name__)


class Upkeep:
    """The log, the papers and the archive of a run, while it goes on."""

    def __init__(self, outfit: Outfit, journal: Journal) -> None:
        """Take what the run is made of, and its journal."""
        self._outfit = outfit
        self._journal = journal
        self._recorded: set[bytes] = set()
        self._signed = 0
        self._sent: Counter[str] = Counter()

    def tasks(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return what is to be done beside the looks; none of it ends by itself."""
        return self.sign(), self.renew(), self.archive(), self.count()

    async def sign(self) -> None:
        """Sign the log as it grows."""
        while True:
            await asyncio.sleep(SIGN_S)
            await self.sign_once()

    async def sign_once(self, *, is_last: bool = False) -> None:
        """Sign what the log holds, where that is more than was signed."""
        log = self._outfit.log
        size = log.size
        if size > self._signed:
            note = await asyncio.to_thread(log.checkpoint, self._now())
            self._signed = size
            logger.info("log signed records=%d", size)
            if self._outfit.stamp is not None:
                await self._outfit.stamp(note, is_last=is_last)

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
            paths: list[Path] = []
            with _left_alone():
                paths = request_files(papers)
            for path in paths:
                with _left_alone():
                    request = read_request(content_of(path))
                    if request.sha256 not in self._recorded:
                        clearance.add(request)
                        await self.record_request(request)

    async def archive(self) -> None:
        """Put sightings into the archive as the log grows."""
        while True:
            await asyncio.sleep(ARCHIVE_S)
            if self._outfit.archive is not None:
                await asyncio.to_thread(self._outfit.archive.follow, self._outfit.log)

    async def count(self) -> None:
        """Count the packets that were sent into the log."""
        while True:
            await asyncio.sleep(COUNT_S)
            await self.count_once()

    async def count_once(self) -> None:
        """Record how many packets were sent since the last time, where any were."""
        sent = Counter(self._outfit.sent())
        new = sent - self._sent
        if new:
            self._sent = sent
            reading = self._outfit.clearance.reading()
            await self._journal.write(counts_record({"packets": dict(new)}, reading))

    async def record_request(self, request: Paper[ProofRequest]) -> None:
        """Record a proof request, with who signed it."""
        self._recorded.add(request.sha256)
        clearance = self._outfit.clearance
        signed = signatures_of(request, clearance.gate.authorisation.terms)
        told = request_record(request.text, request.sha256, signed, clearance.reading())
        await self._journal.write(told)

    def _now(self) -> datetime:
        return self._outfit.clearance.reading().at


@contextmanager
def _left_alone() -> Iterator[None]:
    """Go on where a paper does not hold, or does not hold together."""
    try:
        yield
    except (AuthorityError, TrustError) as refused:
        logger.warning("paper not taken error=%s", type(refused).__name__)
