"""What the detector service does with a connection: take requests, have them judged, answer."""

import asyncio
import logging
import os
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Lock
from typing import Any, Protocol

from protech.serve.detector_io import is_own, is_sealed, receive, receive_head
from protech.serve.detector_wire import (
    Answer,
    Operation,
    Request,
    Status,
    WireError,
    pack_answer,
    pack_state,
    unpack_request,
)
from protech.types import Decision, Kind, ListRef, Media, Verdict

log = logging.getLogger(__name__)

QUEUE = 64
"""Requests taken in beyond those being judged; the rest wait unread in their sockets."""

CONNECTIONS = 256
SIZES = 4096
"""Sizes of blocked items that are remembered; a page asks for the same picture again."""


class Judge(Protocol):
    """What decides; ``salus.engine.Engine`` is one."""

    @property
    def lists(self) -> tuple[ListRef, ...]:
        """The known lists in use."""

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """Pairs of task and model id."""

    def inspect(self, source: Media) -> Verdict:
        """Judge one item."""

    def dimensions(self, source: Media) -> tuple[int, int] | None:
        """Return the displayed size without decoding."""


class Judging:
    """Judges in a bounded number of threads and words the answers."""

    def __init__(self, judge: Judge, *, threads: int) -> None:
        """Judge at most ``threads`` items at once."""
        self.judge = judge
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="judge")
        self._sizes: OrderedDict[bytes, tuple[int, int] | None] = OrderedDict()
        self._lock = Lock()

    def submit(self, media: Media) -> Future[Answer | None]:
        """Start judging ``media``, which must stay as it is until the future is done.

        None means that no judgement could be made; the client holds the item back.
        """
        return self._pool.submit(self._answer, media)

    def close(self) -> None:
        """Wait for what is being judged and end the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _answer(self, media: Media) -> Answer | None:
        try:
            return self._judged(media)
        except Exception as error:  # noqa: BLE001 - the process boundary: one item fails, held back
            log.error("judging failed error=%s", type(error).__name__)
            return None

    def _judged(self, media: Media) -> Answer:
        verdict = self.judge.inspect(media)
        width_px, height_px = self._size(verdict, media) or (None, None)
        return Answer(
            decision=verdict.decision,
            reason=verdict.reason,
            rule=verdict.rule,
            kind=verdict.findings.kind,
            width_px=width_px,
            height_px=height_px,
            is_stale=verdict.is_stale,
            has_models=bool(self.judge.models),
        )

    def _size(self, verdict: Verdict, media: Media) -> tuple[int, int] | None:
        """Return the displayed size; a placeholder needs it also where nothing was decoded."""
        found = verdict.findings
        if found.width_px is not None and found.height_px is not None:
            return found.width_px, found.height_px
        if verdict.decision is Decision.ALLOW or found.kind is not Kind.IMAGE:
            return None
        key = found.digests.sha256 if found.digests else b""
        with self._lock:
            if key in self._sizes:
                return self._sizes[key]
        size = self.judge.dimensions(media)
        with self._lock:
            if key:
                self._sizes[key] = size
            while len(self._sizes) > SIZES:
                self._sizes.popitem(last=False)
        return size


class Detector:
    """Serves connections of this user, each one request after another."""

    def __init__(
        self,
        judging: Judging,
        *,
        state: Callable[[], dict[str, Any]] = dict,
        queue: int = QUEUE,
    ) -> None:
        """Take what judges; ``state`` adds what only the caller knows to the state answer."""
        self._judging = judging
        self._state = state
        self._slots = asyncio.Semaphore(judging.threads + queue)
        self._started = time.monotonic()
        self._inspected: Counter[str] = Counter()
        self._conversations: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Accept connections until cancelled, then end them all."""
        loop = asyncio.get_running_loop()
        listener.settimeout(0)
        try:
            while True:
                connection, _ = await loop.sock_accept(listener)
                if not is_own(connection) or len(self._conversations) >= CONNECTIONS:
                    log.warning("connection refused")
                    connection.close()
                    continue
                conversation = asyncio.create_task(self._converse(connection))
                self._conversations.add(conversation)
                conversation.add_done_callback(self._conversations.discard)
        finally:
            for conversation in self._conversations:
                conversation.cancel()

    def state(self) -> dict[str, Any]:
        """Return what the page and ``protech guard status`` show."""
        judge = self._judging.judge
        return {
            "lists": [
                {"name": ref.name, "version": ref.version, "stale": ref.stale}
                for ref in judge.lists
            ],
            "models": dict(judge.models),
            "uptime_s": round(time.monotonic() - self._started, 1),
            "inspected": dict(self._inspected),
            **self._state(),
        }

    async def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        loop = asyncio.get_running_loop()
        with connection:
            try:
                while True:
                    answer, is_last = await self._next(connection)
                    await loop.sock_sendall(connection, answer)
                    if is_last:
                        return
            except (OSError, WireError):
                # The client went away or speaks something else; it finds the connection closed.
                return

    async def _next(self, connection: socket.socket) -> tuple[bytes, bool]:
        """Return the answer to the next request, and whether the connection ends with it."""
        head, descriptor = await receive_head(connection)
        with ExitStack() as held:
            if descriptor is not None:
                held.callback(os.close, descriptor)
            request = unpack_request(head)
            if request.has_descriptor != (descriptor is not None):
                raise WireError("a descriptor where none belongs, or none where one does")
            if request.operation is Operation.STATE:
                return pack_state(self.state()), False
            self._inspected[request.surface] += 1
            try:
                async with asyncio.timeout(request.deadline_ms / 1000):
                    answer = await self._judge(connection, request, descriptor, held)
            except TimeoutError:
                # What is left unread of a body could not be told from a next request.
                return pack_answer(Status.LATE), True
            return pack_answer(Status.OK if answer else Status.FAILED, answer), False

    async def _judge(
        self,
        connection: socket.socket,
        request: Request,
        descriptor: int | None,
        held: ExitStack,
    ) -> Answer | None:
        await self._slots.acquire()
        held.callback(self._slots.release)
        media = await _media(connection, request, descriptor)
        judged = asyncio.wrap_future(self._judging.submit(media))
        # A thread cannot be stopped: slot and descriptor stay its own until it is done, also
        # when the request's deadline has passed.
        rest = held.pop_all()
        judged.add_done_callback(lambda _: rest.close())
        return await asyncio.shield(judged)


async def _media(connection: socket.socket, request: Request, descriptor: int | None) -> Media:
    if descriptor is None:
        content = memoryview(await receive(connection, request.size_bytes)).toreadonly()
        return Media(content=content, size_bytes=request.size_bytes, claims=request.claims)
    if not is_sealed(descriptor, size_bytes=request.size_bytes):
        raise WireError("a descriptor whose content may change")
    return Media(descriptor=descriptor, size_bytes=request.size_bytes, claims=request.claims)
