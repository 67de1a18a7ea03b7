"""Measure hostile media in sandboxed workers: a crash, a hang or a bomb costs that one item.

Workers are started ahead, so that one is warm when another is lost. They are replaced after a
number of items, for what one item might leave behind for the next.
"""

import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from protech.errors import SandboxError
from protech.salus.cage import Cage, Lost
from protech.salus.sampling import Sampling
from protech.salus.sniff import MediaType
from protech.salus.wire import Operation
from protech.sandbox import LockState, capability
from protech.types import Kind, Limits, Measured, Media, Unscannable

WORKER = (sys.executable, "-P", "-m", "protech.salus.worker")
"""-P: the directory that the person stands in may be the seized disk, and Python would import
from it."""
ITEMS_PER_WORKER = 2000
"""A start costs about a second of one processor; spread over this many items it is not felt."""
START_S = 60.0
"""How long a worker may take to load and lock itself, on a slow and busy machine."""
START_ATTEMPTS = 3
BACKOFF_S = 0.2
"""Wait after the first failed start; it doubles with each further one."""

INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Workers are the parallelism; a thread pool in each would only fight for the processors."""


class Pool:
    """Workers behind one door; thread-safe, and as many items at once as ``workers``."""

    def __init__(
        self,
        *,
        workers: int,
        limits: Limits,
        models: Path | None,
        spare: int = 1,
        borders: bool = False,
        dihedral: bool = False,
        allow_unsandboxed: bool = False,
        worker: Sequence[str] = WORKER,
    ) -> None:
        """Start ``workers`` and ``spare`` processes and wait for the first to be ready.

        ``lock_state`` says which layers hold the workers.

        Args:
            workers: Items measured at once.
            limits: Bounds of one item.
            models: A directory of models and cards; None measures without scores.
            spare: Workers kept warm beyond these.
            borders: Hash forms without their uniform borders, too.
            dihedral: Hash every form turned and mirrored in all eight ways.
            allow_unsandboxed: Go on where the kernel cannot lock a worker; see ``lock_state``.
            worker: Program and first arguments of a worker.

        Raises:
            SandboxError: The kernel does not let a worker be locked down, or none can start.
            ModelError: A model or card cannot be used.
            ConfigError: A package that a worker needs is missing.
        """
        if workers < 1 or spare < 0:
            raise ValueError("a pool takes at least one worker and no negative spare")
        self._limits = limits
        self._command = _command(
            worker,
            limits,
            models,
            borders=borders,
            dihedral=dihedral,
            allow_unsandboxed=allow_unsandboxed,
        )
        self._environment = _environment()
        self._size = workers + spare
        self._slots = threading.BoundedSemaphore(workers)
        self._lock = threading.Lock()
        self._idle: deque[Cage] = deque()
        self._busy: set[Cage] = set()
        self._is_closed = False
        try:
            self._top_up()
            first = self._take()
            self._give_back(first)
        except BaseException:
            self.close()
            raise
        self.lock_state = _lock_state(first)

    def measure(
        self,
        media: Media,
        media_type: MediaType,
        *,
        sampling: Sampling = Sampling.PER_SECOND,
    ) -> Measured:
        """Return hashes and scores of every judged frame, or why there are none.

        A video may be larger and take longer than a picture; ``sampling`` says which of its
        frames are hashed. One that breaks off, or takes too long, gives what was measured of
        it, with the reason.

        Raises:
            SandboxError, ModelError, ConfigError: No worker can start any more.
        """
        return self._ask(Operation.MEASURE, media, media_type, sampling)

    def header(self, media: Media, media_type: MediaType) -> Measured:
        """Return the size that the header declares, without decoding.

        Raises:
            SandboxError, ModelError, ConfigError: No worker can start any more.
        """
        return self._ask(Operation.HEADER, media, media_type)

    def rehash(self, media: Media, media_type: MediaType) -> Measured:
        """Return hashes of all pixels of every judged frame, without scores.

        Raises:
            SandboxError, ModelError, ConfigError: No worker can start any more.
        """
        return self._ask(Operation.REHASH, media, media_type)

    @property
    def is_locked(self) -> bool:
        """Whether hostile media is parsed under the kernel's lock."""
        return self.lock_state.is_locked

    def close(self) -> None:
        """End every worker; an item that one of them is at is lost as crashed."""
        with self._lock:
            self._is_closed = True
            idle, busy = list(self._idle), list(self._busy)
            self._idle.clear()
        for cage in busy:
            cage.kill()
        for cage in idle:
            cage.end()

    def __enter__(self) -> Self:
        """Return the pool itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every worker."""
        self.close()

    def _ask(
        self,
        operation: Operation,
        media: Media,
        media_type: MediaType,
        sampling: Sampling = Sampling.PER_SECOND,
    ) -> Measured:
        limits = self._limits
        size_bytes, seconds = limits.size_bytes, limits.seconds
        if media_type.kind is Kind.VIDEO:
            size_bytes, seconds = limits.video_bytes, limits.video_seconds
        if media.size_bytes > size_bytes:
            return Measured(unscannable=Unscannable.TOO_LARGE)
        with self._slots:
            cage = self._take()
            try:
                measured = cage.ask(
                    operation, media, media_type, seconds=seconds, sampling=sampling
                )
            except Lost as lost:
                self._discard(cage)
                return Measured(unscannable=lost.reason)
            except BaseException:
                self._discard(cage)
                raise
            self._give_back(cage)
            return measured

    def _take(self) -> Cage:
        """Return a worker that is ready and silent; give it back or discard it."""
        failed = 0
        while failed < START_ATTEMPTS:
            cage = self._next()
            is_new = cage.ready is None
            try:
                cage.await_ready(seconds=START_S)
                if cage.is_silent():
                    return cage
                self._discard(cage)
            except Lost:
                self._discard(cage)
            except BaseException:
                self._discard(cage)
                raise
            if is_new:  # one that was ready and was killed since says nothing of a start
                failed += 1
                if failed < START_ATTEMPTS:
                    time.sleep(BACKOFF_S * 2 ** (failed - 1))
        raise SandboxError(
            "A worker that opens media ends before it is ready. Run `protech doctor` to see "
            "what is missing on this machine, and look whether memory has run out."
        )

    def _next(self) -> Cage:
        with self._lock:
            if self._is_closed:
                raise ValueError("the pool is closed")
            ready = (cage for cage in self._idle if cage.ready is not None)
            cage = next(ready, None) or (self._idle[0] if self._idle else self._start())
            if cage in self._idle:
                self._idle.remove(cage)
            self._busy.add(cage)
            return cage

    def _give_back(self, cage: Cage) -> None:
        if cage.items >= ITEMS_PER_WORKER:
            self._discard(cage)
            return
        with self._lock:
            self._busy.discard(cage)
            is_kept = not self._is_closed
            if is_kept:
                self._idle.appendleft(cage)
        if not is_kept:
            cage.end()

    def _discard(self, cage: Cage) -> None:
        with self._lock:
            self._busy.discard(cage)
        cage.end()
        self._top_up()

    def _top_up(self) -> None:
        # What cannot be started now is tried again, and told, when an item needs it.
        with self._lock, suppress(SandboxError):
            while not self._is_closed and len(self._idle) + len(self._busy) < self._size:
                self._idle.append(self._start())

    def _start(self) -> Cage:
        try:
            return Cage.start(self._command, self._environment)
        except OSError as refused:
            raise SandboxError(
                f"No process for opening media could be started: {refused.strerror}. "
                "Close other programs, or raise the limit of processes or memory."
            ) from refused


def _command(
    worker: Sequence[str], limits: Limits, models: Path | None, **switches: bool
) -> list[str]:
    command = [*worker, "--limits", json.dumps(asdict(limits))]
    if models is not None:
        command += ["--models", str(models.absolute())]
    return command + [f"--{name.replace('_', '-')}" for name, on in switches.items() if on]


def _environment() -> dict[str, str]:
    """Return what a worker needs of ours: no session address, no key, no proxy, no token."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # An empty entry would mean the directory that the person stands in.
    paths = [part for part in os.environ.get("PYTHONPATH", "").split(":") if part]
    if paths:
        kept["PYTHONPATH"] = ":".join(str(Path(part).absolute()) for part in paths)
    return kept | ONE_THREAD


def _lock_state(cage: Cage) -> LockState:
    ready = cage.await_ready(seconds=START_S)
    return LockState(
        has_seccomp=ready.has_seccomp,
        landlock_abi=ready.landlock_abi,
        has_namespaces=ready.has_namespaces,
        missing=() if ready.landlock_abi and ready.has_seccomp else capability().missing,
    )
