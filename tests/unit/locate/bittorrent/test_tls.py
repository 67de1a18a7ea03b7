"""TLS in memory: what is said arrives, a certificate must hold, and other talk is refused."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import pytest

from protech.locate.adapter import Endpoint
from protech.locate.bittorrent.tls import TlsStream
from tests.certified import contexts


class Pipe:
    """One end of two queues of bytes."""

    local = Endpoint(address=ip_address("127.0.0.1"), port=4000)

    def __init__(self, out: "asyncio.Queue[bytes]", into: "asyncio.Queue[bytes]") -> None:
        self._out, self._into = out, into
        self._held = b""
        self.is_closed = False

    async def send(self, data: bytes) -> None:
        self._out.put_nowait(data)

    async def receive_into(self, buffer: memoryview) -> int:
        self._held = self._held or await self._into.get()
        size = min(len(self._held), len(buffer))
        buffer[:size] = self._held[:size]
        self._held = self._held[size:]
        return size

    def close(self) -> None:
        self.is_closed = True
        self._out.put_nowait(b"")


@pytest.fixture(scope="module", name="contexts")
def _contexts(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return contexts("127.0.0.1", tmp_path_factory.mktemp("tls"))


async def serve(pipe: Pipe, context: ssl.SSLContext, answer: bytes) -> bytes:
    """Be the other end: read one line, send an answer and the end."""
    arrived, leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(arrived, leaving, server_side=True)
    buffer = memoryview(bytearray(4096))

    async def until_done(step: Callable[[], bytes | None]) -> bytes | None:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                await flush()
                size = await pipe.receive_into(buffer)
                if not size:
                    return None
                arrived.write(buffer[:size])
            else:
                await flush()
                return done

    async def flush() -> None:
        if data := leaving.read():
            await pipe.send(data)

    await until_done(tls.do_handshake)
    line = await until_done(tls.read)
    tls.write(answer)
    await flush()
    pipe.close()
    return line or b""


def run[T](
    talk: Callable[[Pipe], Awaitable[T]], other: Callable[[Pipe], Awaitable[object]]
) -> T:
    async def both() -> T:
        one, two = asyncio.Queue[bytes](), asyncio.Queue[bytes]()
        server = asyncio.ensure_future(other(Pipe(two, one)))
        try:
            return await talk(Pipe(one, two))
        finally:
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)

    return asyncio.run(both())


def test_what_is_said_in_tls_arrives(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, trust = contexts
    answer = bytes(range(256)) * 200

    async def talk(pipe: Pipe) -> bytes:
        stream = await TlsStream.over(pipe, host="127.0.0.1", trust=trust)
        await stream.send(b"hello")
        buffer = memoryview(bytearray(1 << 16))
        got = b""
        while size := await stream.receive_into(buffer):
            got += buffer[:size]
        stream.close()
        assert pipe.is_closed
        return got

    assert run(talk, lambda pipe: serve(pipe, server, answer)) == answer


@pytest.mark.parametrize("host", ["127.0.0.2", "other.example"])
def test_a_certificate_for_another_name_does_not_hold(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], host: str
) -> None:
    server, trust = contexts

    async def talk(pipe: Pipe) -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            await TlsStream.over(pipe, host=host, trust=trust)

    run(talk, lambda pipe: serve(pipe, server, b""))


def test_a_certificate_that_the_system_does_not_know_does_not_hold(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async def talk(pipe: Pipe) -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            await TlsStream.over(pipe, host="127.0.0.1")

    run(talk, lambda pipe: serve(pipe, contexts[0], b""))


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x01"])
def test_what_is_no_tls_is_refused(answer: bytes) -> None:
    async def other(pipe: Pipe) -> None:
        await pipe.send(answer)
        pipe.close()

    async def talk(pipe: Pipe) -> None:
        with pytest.raises(ssl.SSLError):
            await TlsStream.over(pipe, host="127.0.0.1")

    run(talk, other)
