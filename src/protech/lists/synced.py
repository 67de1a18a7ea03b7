"""A synced list in use: opened by its name, and opened again once a newer version is here.

The version in use answers until the newer one is open; one that cannot be opened leaves it in
use, and stale as time goes on.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protech.errors import ProtechError
from protech.lists.clock import Clock, utc_now
from protech.lists.device import DeviceLists
from protech.lists.entries import ListHeader, Reading, Use
from protech.lists.index import RADIUS_BITS
from protech.lists.indexes import index_in_memory, index_of
from protech.lists.known_list import KnownList
from protech.lists.locked import lock_pages
from protech.lists.shelf import HeldList
from protech.types import Digests, ListRef, Match, MatchKind, PdqHash

LOOK_S = 60.0
"""How often, at most, whoever asks makes us look for a newer version."""

logger = logging.getLogger(__name__)


class SyncedList:
    """A list of an authority that this device has, always in its newest version here."""

    def __init__(
        self,
        name: str,
        *,
        use: str | None,
        device: DeviceLists | None = None,
        cache: Path | None = None,
        clock: Clock = utc_now,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the current version.

        Args:
            name: As `protech lists show` prints it.
            use: What it is to be used for; None only to look at it.
            device: Where lists are kept; None takes the user's own.
            cache: Where indexes live; None takes the user's cache directory.
            clock: Tells whether it is stale.
            ticks: Tells when to look for a newer version, in seconds.

        Raises:
            SourceError: There is no such list here.
            TrustError: It does not allow this use, or was damaged.
            ConfigError: Its memory cannot be locked, or its index not be written.
        """
        self._name = name
        self._use = None if use is None else Use(use)
        self._device = device or DeviceLists.of_user()
        self._cache = cache
        self._clock = clock
        self._ticks = ticks
        self._held, self._known = self._open()
        self._looked_at = ticks()
        self._looking = threading.Lock()

    @property
    def header(self) -> ListHeader:
        """What the version in use says of itself."""
        return self._known.header

    @property
    def reading(self) -> Reading:
        """What came of reading it."""
        return self._known.reading

    @property
    def ref(self) -> ListRef:
        """Name, version, and whether it is stale by now."""
        self._look()
        return self._known.ref

    def counts(self) -> dict[MatchKind, int]:
        """Return how many identifiers of each kind it has."""
        return self._known.counts()

    def exact(self, digests: Digests) -> list[Match]:
        """Return a match for each of the three digests that is listed."""
        return self._known.exact(digests)

    def near(self, hashes: Sequence[PdqHash], *, radius_bits: int = RADIUS_BITS) -> list[Match]:
        """Return the nearest entries, as ``KnownList.near`` does."""
        return self._known.near(hashes, radius_bits=radius_bits)

    def near_video(self, queries: NDArray[np.uint8]) -> list[Match]:
        """Return the entries most like a video, as ``KnownList.near_video`` does."""
        return self._known.near_video(queries)

    def _look(self) -> None:
        """Start to open a newer version where there is one; nobody waits for it."""
        if self._ticks() - self._looked_at < LOOK_S:
            return
        if not self._looking.acquire(blocking=False):
            return
        self._looked_at = self._ticks()
        threading.Thread(target=self._renew, name="list", daemon=True).start()

    def _renew(self) -> None:
        try:
            with suppress(ProtechError):
                if self._device.find(self._name, self._use) == self._held:
                    return
            held, known = self._open()
            self._held, self._known = held, known
            logger.info("list renewed name=%s version=%d", known.ref.name, known.ref.version)
        except ProtechError as refused:
            logger.warning("list not renewed error=%s", type(refused).__name__)
        finally:
            self._looking.release()

    def _open(self) -> tuple[HeldList, KnownList]:
        with self._device.opened(self._name, self._use) as (held, descriptor):
            if held.target.is_sealed:
                index = index_in_memory(descriptor, lock=lock_pages)
            else:
                index = index_of(descriptor, sha256=held.target.sha256, cache=self._cache)
        known = KnownList(index, clock=self._clock, fresh_until=held.fresh_until)
        with suppress(ProtechError):  # a reader of the device's lists may not be their owner
            self._device.settle(held)
        return held, known
