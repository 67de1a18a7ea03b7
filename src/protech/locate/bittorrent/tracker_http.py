"""HTTP trackers, over plain streams or TLS: one request, one bounded answer, then the end.

Redirects are not followed: where they lead is not in the signed list. Nothing but what BEP 3
asks for is sent. Sources: BEP 3, BEP 7, BEP 23; RFC 9112 (HTTP/1.1).
"""

import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import quote

from protech.locate.adapter import Address, Endpoint
from protech.locate.bittorrent.tls import Carrier, TlsStream
from protech.locate.bittorrent.tracker import (
    ANSWER_BYTES,
    Announce,
    Answer,
    BadTracker,
    Event,
    Said,
    Tracker,
    parse_peers,
)
from protech.locate.loss import Lost

HEAD_BYTES = 8 * 1024
CHUNK_LINE_BYTES = 256
READ_BYTES = 16 * 1024

STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;.*)?")
LENGTH = re.compile(rb"\d{1,10}")


Connect = Callable[[Endpoint], Awaitable[Carrier]]
"""Opens a permitted stream; raises ``Lost`` where nobody is there."""


class HttpTalk:
    """What is said with one tracker, a connection for each event."""

    def __init__(
        self,
        connect: Connect,
        tracker: Tracker,
        address: Address,
        *,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """Begin with nothing said.

        Args:
            connect: Opens a stream.
            tracker: Whom to ask.
            address: What its name leads to.
            trust: Whom to trust in TLS; the system's store by default.
        """
        self._connect = connect
        self._tracker = tracker
        self._place = Endpoint(address=address, port=tracker.port)
        self._trust = trust
        self.told = False

    async def ask(self, announce: Announce, event: Event) -> Answer:
        """Tell the tracker of an event, and return what it answers; never raises for it."""
        try:
            stream = await self._connect(self._place)
            try:
                return await self._exchange(stream, announce, event)
            finally:
                stream.close()
        except ssl.SSLCertVerificationError:
            return Answer(said=Said.UNTRUSTED)
        except (BadTracker, ssl.SSLError):
            return Answer(said=Said.MALFORMED)
        except _Elsewhere:
            return Answer(said=Said.FAILURE)
        except Lost:
            return Answer(said=Said.UNREACHABLE)

    async def _exchange(self, stream: Carrier, announce: Announce, event: Event) -> Answer:
        if self._tracker.scheme == "https":
            stream = await TlsStream.over(stream, host=self._tracker.host, trust=self._trust)
        self.told = True
        await stream.send(request(self._tracker, announce, event))
        answer = parse_peers(await _body(_Reader(stream)))
        return replace(answer, ourselves=answer.ourselves or stream.local.address)

    def close(self) -> None:
        """Nothing is left open between events."""


def request(tracker: Tracker, announce: Announce, event: Event) -> bytes:
    """Return the request; ``compact`` and ``no_peer_id`` because we need no names."""
    wanted = announce.wanted if event is Event.STARTED else 0
    fields = {
        "info_hash": quote(announce.info_hash, safe=""),
        "peer_id": quote(announce.peer_id, safe=""),
        "port": announce.port,
        "uploaded": 0,
        "downloaded": 0,
        "left": announce.left_bytes,
        "compact": 1,
        "no_peer_id": 1,
        "numwant": wanted,
        "key": announce.key.hex(),
        "event": event.value,
    }
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    host = f"[{tracker.host}]" if ":" in tracker.host else tracker.host
    joint = "&" if "?" in tracker.path else "?"
    lines = (
        f"GET {tracker.path}{joint}{query} HTTP/1.1",
        f"Host: {host}:{tracker.port}",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


class _Elsewhere(Exception):
    """The status is no success."""


async def _body(reader: "_Reader") -> bytes:
    """Return the body of an answer, whichever way it is framed (RFC 9112, section 6.3)."""
    status, *lines = (await reader.until(b"\r\n\r\n", HEAD_BYTES)).split(b"\r\n")
    if not (found := STATUS.fullmatch(status)):
        raise BadTracker("it is no answer in HTTP/1")
    if found[1] != b"200":
        raise _Elsewhere
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in lines)
    }
    if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        return await _chunks(reader)
    if (length := fields.get(b"content-length")) is None:
        return await reader.rest(ANSWER_BYTES)
    if not LENGTH.fullmatch(length):
        raise BadTracker("its length is no number")
    return await reader.exactly(int(length))


async def _chunks(reader: "_Reader") -> bytes:
    body = bytearray()
    while True:
        line = CHUNK_SIZE.fullmatch(await reader.until(b"\r\n", CHUNK_LINE_BYTES))
        if line is None:
            raise BadTracker("a chunk has no size")
        if not (size := int(line[1], 16)):
            return bytes(body)
        if len(body) + size > ANSWER_BYTES:
            raise BadTracker(f"it is longer than {ANSWER_BYTES} bytes")
        body += await reader.exactly(size)
        if await reader.exactly(2) != b"\r\n":
            raise BadTracker("a chunk has no end")


class _Reader:
    """Bytes of a stream as they are asked for; never more than asked, plus one read."""

    def __init__(self, stream: Carrier) -> None:
        self._stream = stream
        self._held = bytearray()
        self._buffer = memoryview(bytearray(READ_BYTES))

    async def until(self, mark: bytes, limit_bytes: int) -> bytes:
        """Return what comes before a mark, which is taken, too."""
        start = 0
        while (at := self._held.find(mark, start)) < 0 or at > limit_bytes:
            if len(self._held) > limit_bytes:
                raise BadTracker(f"a part of it is longer than {limit_bytes} bytes")
            start = max(0, len(self._held) - len(mark) + 1)
            await self._more()
        found = bytes(self._held[:at])
        del self._held[: at + len(mark)]
        return found

    async def exactly(self, size_bytes: int) -> bytes:
        """Return so many bytes."""
        if size_bytes > ANSWER_BYTES:
            raise BadTracker(f"it is longer than {ANSWER_BYTES} bytes")
        while len(self._held) < size_bytes:
            await self._more()
        found = bytes(self._held[:size_bytes])
        del self._held[:size_bytes]
        return found

    async def rest(self, limit_bytes: int) -> bytes:
        """Return what comes before the end."""
        while await self._read():
            if len(self._held) > limit_bytes:
                raise BadTracker(f"it is longer than {limit_bytes} bytes")
        return bytes(self._held)

    async def _more(self) -> None:
        if not await self._read():
            raise BadTracker("it ends too early")

    async def _read(self) -> int:
        size = await self._stream.receive_into(self._buffer)
        self._held += self._buffer[:size]
        return size
