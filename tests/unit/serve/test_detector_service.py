"""The service over a real unix socket, with a small judge."""

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from protech.serve.detector_client import DetectorClient, DetectorUnavailable
from protech.serve.detector_io import receive
from protech.serve.detector_service import Detector, Judging
from protech.serve.detector_wire import (
    INLINE_BYTES,
    Answer,
    Operation,
    Request,
    pack_request,
)
from protech.types import Decision, Digests, Findings, Kind, ListRef, Media, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BLOCKED = b"blocked"
DIGESTS = Digests(md5=b"m", sha1=b"s", sha256=b"d")


def content_of(media: Media) -> bytes:
    if media.descriptor is not None:
        return os.pread(media.descriptor, media.size_bytes, 0)
    return bytes(media.content or b"")


@dataclass
class SmallJudge:
    """Blocks what starts with BLOCKED, waits on ``hold``, breaks on ``break``."""

    lists: tuple[ListRef, ...] = (ListRef(name="own", version=3, stale=True),)
    models: tuple[tuple[str, str], ...] = (("explicit", "e1"),)
    hold: threading.Event = field(default_factory=threading.Event)
    started: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    sizes_asked: int = 0
    claims: list[Kind | None] = field(default_factory=list)

    def inspect(self, source: Media) -> Verdict:
        content = content_of(source)
        self.claims.append(source.claims)
        if content == b"hold":
            self.started.release()
            self.hold.wait(10)
        if content == b"break":
            raise RuntimeError("secret of the media")
        is_blocked = content.startswith(BLOCKED)
        return Verdict(
            decision=Decision.BLOCK if is_blocked else Decision.ALLOW,
            reason=Reason.KNOWN if is_blocked else Reason.NONE,
            rule=1 if is_blocked else 8,
            policy="guard-1",
            findings=Findings(kind=Kind.IMAGE, digests=DIGESTS, lists=self.lists),
        )

    def dimensions(self, source: Media) -> tuple[int, int] | None:
        self.sizes_asked += 1
        return 640, 480


@asynccontextmanager
async def served(
    judge: SmallJudge, path: Path, *, threads: int = 2, queue: int = 4
) -> "AsyncIterator[Detector]":
    judging = Judging(judge, threads=threads)
    detector = Detector(judging, state=lambda: {"workers": 2}, queue=queue)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(os.fspath(path))
        listener.listen()
        serving = asyncio.create_task(detector.serve(listener))
        yield detector
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
    judge.hold.set()
    await asyncio.to_thread(judging.close)


def ask(
    judge: SmallJudge, path: Path, use: Callable[[DetectorClient], Awaitable[None]]
) -> None:
    async def run() -> None:
        async with served(judge, path), DetectorClient(path) as client:
            await use(client)

    asyncio.run(run())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "detector"


@pytest.mark.parametrize("size_bytes", [0, 9, INLINE_BYTES, INLINE_BYTES + 1, 5_000_000])
def test_small_and_large_bodies_are_judged_whole(path: Path, size_bytes: int) -> None:
    body = (BLOCKED + bytes(size_bytes))[:size_bytes]

    async def use(client: DetectorClient) -> None:
        answer = await client.inspect(body, deadline_s=5)
        assert (answer.decision is Decision.BLOCK) == body.startswith(BLOCKED)
        assert answer.is_stale
        assert answer.has_models

    ask(SmallJudge(), path, use)


def test_a_blocked_item_has_its_size_and_is_measured_once(path: Path) -> None:
    judge = SmallJudge()

    async def use(client: DetectorClient) -> None:
        for _ in range(3):
            answer = await client.inspect(BLOCKED, claims=Kind.IMAGE, deadline_s=5)
            assert answer == Answer(
                decision=Decision.BLOCK,
                reason=Reason.KNOWN,
                rule=1,
                kind=Kind.IMAGE,
                width_px=640,
                height_px=480,
                is_stale=True,
                has_models=True,
            )

    ask(judge, path, use)
    assert judge.sizes_asked == 1
    assert set(judge.claims) == {Kind.IMAGE}


def test_an_allowed_item_costs_no_second_look(path: Path) -> None:
    judge = SmallJudge()

    async def use(client: DetectorClient) -> None:
        assert (await client.inspect(b"fine", deadline_s=5)).width_px is None

    ask(judge, path, use)
    assert judge.sizes_asked == 0


def test_many_requests_at_once_each_get_their_own_answer(path: Path) -> None:
    async def use(client: DetectorClient) -> None:
        bodies = [BLOCKED + bytes([i]) if i % 3 else bytes([i]) for i in range(200)]
        answers = await asyncio.gather(
            *(client.inspect(body, surface="icap", deadline_s=20) for body in bodies)
        )
        for body, answer in zip(bodies, answers, strict=True):
            assert (answer.decision is Decision.BLOCK) == body.startswith(BLOCKED)
        assert (await client.state())["inspected"] == {"icap": 200}

    ask(SmallJudge(), path, use)


def test_a_deadline_ends_the_request_and_not_the_service(path: Path) -> None:
    judge = SmallJudge()

    async def use(client: DetectorClient) -> None:
        with pytest.raises(DetectorUnavailable):
            await client.inspect(b"hold", deadline_s=0.05)
        assert (await client.inspect(b"fine", deadline_s=5)).decision is Decision.ALLOW

    ask(judge, path, use)


def test_the_service_says_itself_that_it_is_late(path: Path) -> None:
    async def run() -> None:
        async with served(SmallJudge(), path):
            with connected(path) as connection:
                await raw(connection, Request(operation=Operation.INSPECT, deadline_ms=20), b"")
                assert len(await receive(connection, 20)) == 20  # no wait for an empty body
                body = b"hold"
                request = Request(
                    operation=Operation.INSPECT, deadline_ms=20, size_bytes=len(body)
                )
                await raw(connection, request, body)
                assert (await receive(connection, 20))[4] == 1
                assert await asyncio.get_running_loop().sock_recv(connection, 1) == b""

    asyncio.run(run())


def test_a_full_queue_takes_nothing_in_until_there_is_room(path: Path) -> None:
    judge = SmallJudge()

    async def run() -> None:
        async with served(judge, path, threads=1, queue=1), DetectorClient(path) as client:
            held = [
                asyncio.create_task(client.inspect(b"hold", deadline_s=10)) for _ in range(2)
            ]
            await asyncio.to_thread(judge.started.acquire)
            with pytest.raises(DetectorUnavailable):
                await client.inspect(b"fine", deadline_s=0.2)
            judge.hold.set()
            await asyncio.gather(*held)
            assert (await client.inspect(b"fine", deadline_s=5)).decision is Decision.ALLOW

    asyncio.run(run())


def test_a_failing_judge_is_no_judgement(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def use(client: DetectorClient) -> None:
        with pytest.raises(DetectorUnavailable):
            await client.inspect(b"break", deadline_s=5)
        assert (await client.inspect(b"fine", deadline_s=5)).decision is Decision.ALLOW

    ask(SmallJudge(), path, use)
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


def test_the_state_names_lists_and_models(path: Path) -> None:
    async def use(client: DetectorClient) -> None:
        state = await client.state()
        assert state["lists"] == [{"name": "own", "version": 3, "stale": True}]
        assert state["models"] == {"explicit": "e1"}
        assert state["workers"] == 2

    ask(SmallJudge(), path, use)


@pytest.mark.parametrize(
    "broken",
    [
        b"GET / HTTP/1.1\r\n\r\n      ",
        pack_request(Request(operation=Operation.INSPECT, has_descriptor=True, size_bytes=1)),
        b"",
    ],
)
def test_other_speech_ends_the_connection_and_not_the_service(
    path: Path, broken: bytes
) -> None:
    async def run() -> None:
        async with served(SmallJudge(), path), DetectorClient(path) as client:
            with connected(path) as connection:
                connection.sendall(broken)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(0)
                loop = asyncio.get_running_loop()
                with suppress(ConnectionResetError):
                    assert await loop.sock_recv(connection, 1) == b""
            assert (await client.inspect(b"fine", deadline_s=5)).decision is Decision.ALLOW

    asyncio.run(run())


def test_a_descriptor_that_may_change_is_refused(path: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"fine")

    async def run() -> None:
        async with served(SmallJudge(), path):
            with connected(path) as connection, plain.open("rb") as file:
                head = pack_request(
                    Request(operation=Operation.INSPECT, has_descriptor=True, size_bytes=4)
                )
                socket.send_fds(connection, [head], [file.fileno()])
                connection.settimeout(0)
                assert await asyncio.get_running_loop().sock_recv(connection, 1) == b""

    asyncio.run(run())


def test_descriptors_do_not_pile_up(path: Path) -> None:
    async def use(client: DetectorClient) -> None:
        large = BLOCKED + bytes(INLINE_BYTES)
        await client.inspect(large, deadline_s=5)
        before = open_descriptors()
        for _ in range(20):
            await client.inspect(large, deadline_s=5)
        assert open_descriptors() == before

    ask(SmallJudge(), path, use)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def raw(connection: socket.socket, request: Request, body: bytes) -> None:
    connection.settimeout(0)
    await asyncio.get_running_loop().sock_sendall(connection, pack_request(request) + body)


@contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(os.fspath(path))
        yield connection
