"""The client when the service is away, comes back, or speaks nonsense."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from protech.serve.detector_client import DetectorClient, DetectorUnavailable
from protech.serve.detector_io import receive_head
from protech.serve.detector_wire import Answer, Status, pack_answer, pack_state
from protech.types import Decision, Kind, Reason

FINE = Answer(decision=Decision.ALLOW, reason=Reason.NONE, rule=8, kind=Kind.IMAGE)


@asynccontextmanager
async def speaking(path: Path, *, answer: bytes, times: int = 1000) -> AsyncIterator[list[int]]:
    """Answer every request with the same bytes, ``times`` a connection; count connections."""
    accepted = [0]
    loop = asyncio.get_running_loop()

    async def converse(connection: socket.socket) -> None:
        connection.settimeout(0)
        with connection, suppress(OSError):
            for _ in range(times):
                await receive_head(connection)
                await loop.sock_sendall(connection, answer)

    async def accept(listener: socket.socket) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                connection, _ = await loop.sock_accept(listener)
                accepted[0] += 1
                group.create_task(converse(connection))

    await asyncio.to_thread(path.unlink, missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(os.fspath(path))
        listener.listen()
        listener.settimeout(0)
        serving = asyncio.create_task(accept(listener))
        yield accepted
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "detector"


def test_no_service_is_said_at_once(path: Path) -> None:
    async def run() -> None:
        client = DetectorClient(path)
        with pytest.raises(DetectorUnavailable):
            await client.inspect(b"", deadline_s=30)
        with pytest.raises(DetectorUnavailable):
            await client.state()

    asyncio.run(run())


def test_a_restarted_service_is_met_again_with_the_next_request(path: Path) -> None:
    async def run() -> None:
        async with DetectorClient(path) as client:
            async with speaking(path, answer=pack_answer(Status.OK, FINE)):
                await asyncio.gather(*(client.inspect(b"", deadline_s=5) for _ in range(3)))
            with pytest.raises(DetectorUnavailable):
                await client.inspect(b"", deadline_s=5)
            async with speaking(path, answer=pack_answer(Status.OK, FINE)):
                assert await client.inspect(b"", deadline_s=5) == FINE

    asyncio.run(run())


def test_a_kept_connection_that_died_costs_no_request(path: Path) -> None:
    async def run() -> None:
        answer = pack_answer(Status.OK, FINE)
        async with DetectorClient(path) as client, speaking(path, answer=answer, times=1):
            for _ in range(4):
                assert await client.inspect(b"", deadline_s=5) == FINE

    asyncio.run(run())


def test_connections_are_kept_and_bounded(path: Path) -> None:
    async def run() -> int:
        async with (
            speaking(path, answer=pack_answer(Status.OK, FINE)) as accepted,
            DetectorClient(path, connections=3) as client,
        ):
            await asyncio.gather(*(client.inspect(b"", deadline_s=5) for _ in range(30)))
            return accepted[0]

    assert asyncio.run(run()) <= 3


def test_a_silent_service_is_late(path: Path) -> None:
    async def run() -> None:
        async with speaking(path, answer=b""), DetectorClient(path) as client:
            with pytest.raises(DetectorUnavailable, match="late"):
                await client.inspect(b"", deadline_s=0.05)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (pack_answer(Status.LATE), "late"),
        (pack_answer(Status.FAILED), "failed"),
        (b"HTTP/1.1 200 OK\r\n\r\n     ", "version"),
    ],
)
def test_anything_but_a_judgement_raises(path: Path, answer: bytes, match: str) -> None:
    async def run() -> None:
        async with speaking(path, answer=answer), DetectorClient(path) as client:
            with pytest.raises(DetectorUnavailable, match=match):
                await client.inspect(b"", deadline_s=5)

    asyncio.run(run())


@pytest.mark.parametrize(
    "answer", [b"nonsense" * 4, pack_state({})[:-2] + b"{{"], ids=["head", "text"]
)
def test_a_state_that_is_none_raises(path: Path, answer: bytes) -> None:
    async def run() -> None:
        async with speaking(path, answer=answer), DetectorClient(path) as client:
            with pytest.raises(DetectorUnavailable, match="version"):
                await client.state()

    asyncio.run(run())
