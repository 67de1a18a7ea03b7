"""Has checkpoints of a case stamped (RFC 3161) while a run goes on; what fails waits.

A stamp proves that the records it covers were there then, to who does not trust our clock. It
is asked for while the authority covers packets, and queued otherwise.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from protech.errors import AuthorityError, ConfigError, TrustError
from protech.evidence.stamp import Stamps, sender
from protech.locate.papers import StampAuthority

PAUSE_S = 600.0
"""Between two stamps: each covers every record before it."""

logger = logging.getLogger(__name__)


class Stamper:
    """Queues checkpoints, and has them stamped by the first authority that answers."""

    def __init__(
        self,
        stamps: Stamps,
        authorities: Sequence[StampAuthority],
        *,
        require_open: Callable[[], None],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what stands in the authority's package.

        Args:
            stamps: Those of the case, and what waits.
            authorities: Those with an address are asked.
            require_open: Raises ``AuthorityError`` where no packet may go any more.
            ticks: Tells when the next one is due, in seconds.
        """
        self._stamps = stamps
        self._authorities = [one for one in authorities if one.url is not None]
        self._require_open = require_open
        self._ticks = ticks
        self._due = ticks()

    async def __call__(self, checkpoint: bytes, *, is_last: bool = False) -> None:
        """Queue a checkpoint where one is due, and ask for the stamps of all that wait.

        Raises:
            ConfigError: The queue cannot be written.
        """
        if not self._authorities or (self._ticks() < self._due and not is_last):
            return
        self._due = self._ticks() + PAUSE_S
        self._stamps.queue(checkpoint)
        for authority in self._authorities:
            try:
                self._require_open()
                count = await asyncio.to_thread(self._ask, authority)
            except (AuthorityError, ConfigError, TrustError) as refused:
                logger.warning("checkpoint not stamped error=%s", type(refused).__name__)
                continue
            logger.info("checkpoints stamped count=%d", count)
            return

    def _ask(self, authority: StampAuthority) -> int:
        send = sender(authority.url or "")

        def send_if_open(content: bytes) -> bytes:
            self._require_open()  # what waits is many requests, and the run may end between two
            return send(content)

        return self._stamps.stamp(send_if_open, authority.certificate)
