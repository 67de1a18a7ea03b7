"""A lean HTTP/2 client behind a proxy, for measuring: one connection, many requests."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes

WINDOW_BYTES = 16 * 1024 * 1024
READ_BYTES = 256 * 1024
HEADERS = (
    (":method", "GET"),
    (":scheme", "https"),
    ("accept", "image/avif,image/webp,image/*,*/*;q=0.8"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("sec-fetch-dest", "image"),
    ("sec-fetch-mode", "no-cors"),
    ("sec-fetch-site", "same-origin"),
)


@dataclass(slots=True)
class Fetched:
    """One answer: its status, its length, and seconds from request to last byte."""

    status: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)


class H2Client:
    """One connection to ``host`` through the proxy."""

    def __init__(self, host: str, *, proxy_port: int, authority: Path) -> None:
        self._host = host
        self._proxy_port = proxy_port
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._tls.set_alpn_protocols(["h2"])
        self._state = H2Connection(H2Configuration(client_side=True))
        self._waiting: dict[int, Fetched] = {}

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._proxy_port
        )
        self._writer.write(
            f"CONNECT {self._host}:443 HTTP/1.1\r\nHost: {self._host}:443\r\n\r\n".encode()
        )
        answer = await self._reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in answer.splitlines()[0]:
            raise ConnectionError(answer.decode())
        await self._writer.start_tls(self._tls, server_hostname=self._host)
        self._state.initiate_connection()
        self._state.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES})
        self._state.increment_flow_control_window(WINDOW_BYTES)
        self._writer.write(self._state.data_to_send())
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        self._writer.close()

    async def fetch_all(self, paths: Sequence[str], *, at_once: int) -> list[Fetched]:
        """Return the answers to ``paths``, ``at_once`` of them under way at any time."""
        todo = list(reversed(paths))
        fetched: list[Fetched] = []

        async def lane() -> None:
            while todo:
                fetched.append(await self.fetch(todo.pop()))

        await asyncio.gather(*(lane() for _ in range(at_once)))
        return fetched

    async def fetch(self, path: str) -> Fetched:
        """Return the answer to one path."""
        fetched = Fetched()
        number = self._state.get_next_available_stream_id()
        self._waiting[number] = fetched
        started = time.perf_counter()
        headers = [*HEADERS[:2], (":authority", self._host), (":path", path), *HEADERS[2:]]
        self._state.send_headers(number, headers, end_stream=True)
        self._writer.write(self._state.data_to_send())
        await fetched.done.wait()
        fetched.seconds = time.perf_counter() - started
        return fetched

    async def _read(self) -> None:
        while data := await self._reader.read(READ_BYTES):
            for event in self._state.receive_data(data):
                self._take(event)
            self._writer.write(self._state.data_to_send())
        for fetched in self._waiting.values():
            fetched.done.set()

    def _take(self, event: Event) -> None:
        match event:
            case ResponseReceived():
                status = dict(event.headers or ())[b":status"]
                self._waiting[event.stream_id].status = int(status)
            case DataReceived():
                self._waiting[event.stream_id].size_bytes += len(event.data)
                self._state.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
            case StreamEnded() | StreamReset():
                self._waiting.pop(event.stream_id).done.set()
            case _:
                pass
