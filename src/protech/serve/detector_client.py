"""The client of the detector service; it judges or raises, it never guesses."""

import asyncio
import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from protech.serve.detector_io import receive, sealed, send_head
from protech.serve.detector_wire import (
    ANSWER,
    DEADLINE_MS,
    INLINE_BYTES,
    STATE_HEAD,
    Answer,
    Operation,
    Request,
    Status,
    Surface,
    WireError,
    pack_request,
    unpack_answer,
    unpack_state_head,
)
from protech.types import Kind

CONNECTIONS = 32
"""Requests under way at once; the next ones wait for a connection within their deadline."""

STATE_DEADLINE_S = 2.0


class DetectorUnavailable(Exception):
    """No judgement is to be had in time; the caller holds the item back."""


class DetectorClient:
    """Asks the detector over a small pool of connections; one event loop, no retry loop.

    A service that was restarted is met again with the next request: every request whose
    kept connection turns out dead tries one new one.
    """

    def __init__(self, path: Path, *, connections: int = CONNECTIONS) -> None:
        """Take the service's socket path; nothing is opened yet."""
        self._path = path
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[socket.socket] = []

    async def inspect(
        self,
        content: bytes | memoryview,
        *,
        claims: Kind | None = None,
        surface: Surface | str = Surface.PROXY,
        deadline_s: float,
    ) -> Answer:
        """Return what was decided about ``content``.

        Args:
            content: The whole item.
            claims: What the item says or is used as, see ``Media.claims``.
            surface: Where it was met.
            deadline_s: Seconds for everything, waiting for a connection included.

        Raises:
            DetectorUnavailable: There is no service, or it did not answer in time.
        """
        size_bytes = memoryview(content).nbytes
        request = Request(
            operation=Operation.INSPECT,
            claims=claims,
            surface=Surface(surface),
            has_descriptor=size_bytes > INLINE_BYTES,
            deadline_ms=max(1, min(int(deadline_s * 1000), DEADLINE_MS)),
            size_bytes=size_bytes,
        )
        data = await self._exchange(request, content, ANSWER.size, deadline_s)
        try:
            status, answer = unpack_answer(bytes(data))
        except WireError as broken:
            raise DetectorUnavailable("the detector speaks another version") from broken
        if answer is None:
            late = status is Status.LATE
            raise DetectorUnavailable(
                "the detector was late" if late else "the detector failed"
            )
        return answer

    async def state(self, *, deadline_s: float = STATE_DEADLINE_S) -> dict[str, Any]:
        """Return lists, models, workers, sandbox, uptime and counts of the service.

        Raises:
            DetectorUnavailable: There is no service, or it did not answer in time.
        """
        request = Request(operation=Operation.STATE)
        text = await self._exchange(request, b"", STATE_HEAD.size, deadline_s)
        try:
            state: dict[str, Any] = json.loads(bytes(text))
        except ValueError as broken:
            raise DetectorUnavailable("the detector speaks another version") from broken
        return state

    def close(self) -> None:
        """Close every kept connection."""
        while self._idle:
            self._idle.pop().close()

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every kept connection."""
        self.close()

    async def _exchange(
        self, request: Request, body: bytes | memoryview, answer_bytes: int, deadline_s: float
    ) -> bytearray:
        try:
            async with asyncio.timeout(deadline_s), self._slots:
                if self._idle:
                    try:
                        return await self._ask(self._idle.pop(), request, body, answer_bytes)
                    except OSError:
                        # The service went away since; whatever else is kept is dead as well.
                        self.close()
                return await self._ask(await self._connect(), request, body, answer_bytes)
        except TimeoutError as late:
            raise DetectorUnavailable("the detector was late") from late
        except OSError as broken:
            raise DetectorUnavailable("the detector is not there") from broken
        except WireError as broken:
            raise DetectorUnavailable("the detector speaks another version") from broken

    async def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(0)
            await asyncio.get_running_loop().sock_connect(connection, os.fspath(self._path))
        except BaseException:
            connection.close()
            raise
        return connection

    async def _ask(
        self,
        connection: socket.socket,
        request: Request,
        body: bytes | memoryview,
        answer_bytes: int,
    ) -> bytearray:
        """Return the answer to one request and keep the connection; close it on any failure."""
        try:
            await _send(connection, request, body)
            answer = await receive(connection, answer_bytes)
            if request.operation is Operation.STATE:
                answer = await receive(connection, unpack_state_head(bytes(answer)))
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer


async def _send(connection: socket.socket, request: Request, body: bytes | memoryview) -> None:
    head = pack_request(request)
    if not request.has_descriptor:
        await asyncio.get_running_loop().sock_sendall(connection, head + bytes(body))
        return
    descriptor = await asyncio.to_thread(sealed, body)
    try:
        await send_head(connection, head, descriptor=descriptor)
    finally:
        os.close(descriptor)
