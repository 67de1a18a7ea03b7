"""The site of the browser matrix: HTTPS with HTTP/2, HTTPS with HTTP/1.1 only, and plain HTTP.

Run as ``python -m tests.e2e.matrix.origin ALBUM CERTIFICATES H2_PORT H1_PORT PLAIN_PORT``; it
prints READY and serves until it is ended. ALBUM holds one directory of pictures for each set.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from tests.e2e.matrix import pages, sockets
from tests.e2e.matrix.pictures import Picture, read
from tests.e2e.matrix.transports import TRANSPORTS, Reply, Wanted

LOOPBACK = "127.0.0.1"
Album = dict[str, dict[str, Picture]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

SEEN: list[dict[str, Any]] = []
"""What reached the origin, for tests that ask what the guard sends upstream."""


def load(directory: Path) -> Album:
    """Return every set of pictures under ``directory``."""
    return {path.name: read(path) for path in sorted(directory.iterdir())}


async def application(
    album: Album, scope: dict[str, Any], receive: Receive, send: Send
) -> None:
    """Serve one ASGI connection."""
    match scope["type"]:
        case "http":
            reply = _answer(album, scope)
            await _send(reply, send)
        case "websocket":
            await sockets.talk(album, scope["path"], receive, send)
        case _:
            raise NotImplementedError(scope["type"])


def _answer(album: Album, scope: dict[str, Any]) -> Reply:
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    query = dict(parse_qsl(scope["query_string"].decode()))
    path = scope["path"]
    if path == "/seen":
        return Reply(pieces=(json.dumps(SEEN).encode(),))
    SEEN.append(
        {
            "path": path,
            "http": scope["http_version"],
            "range": headers.get("range"),
            "accept_encoding": headers.get("accept-encoding"),
        }
    )
    parts = path.strip("/").split("/")
    if parts[0] == "m" and parts[1] in TRANSPORTS:
        wanted = Wanted(picture=album[parts[2]][parts[3]], headers=headers, query=query)
        return TRANSPORTS[parts[1]](wanted)
    return pages.answer(album, path, query, headers)


async def _send(reply: Reply, send: Send) -> None:
    headers = [*reply.headers, ("access-control-allow-origin", "*")]
    if len(reply.pieces) == 1 and reply.status != 304:
        headers.append(("content-length", str(len(reply.pieces[0]))))
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        }
    )
    async for piece in reply.body():
        is_last = len(reply.pieces) == 1
        await send({"type": "http.response.body", "body": piece, "more_body": not is_last})
    if len(reply.pieces) != 1:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def serve(album: Path, certificates: Path, ports: tuple[int, int, int]) -> None:
    """Serve until SIGTERM, which ends the process at once: granian would panic on a stop."""
    target = partial(application, load(album))
    tls = {"cert": certificates / "chain.pem", "key": certificates / "key.pem"}
    modes: tuple[tuple[HTTPModes, dict[str, Path]], ...]
    modes = ((HTTPModes.auto, tls), (HTTPModes.http1, tls), (HTTPModes.http1, {}))
    servers = [
        Server(
            target,
            address=LOOPBACK,
            port=port,
            interface=Interfaces.ASGINL,
            http=mode,
            log_enabled=False,
            ssl_cert=files.get("cert"),
            ssl_key=files.get("key"),
        )
        for port, (mode, files) in zip(ports, modes, strict=True)
    ]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    running = asyncio.gather(*(server.serve() for server in servers))
    await asyncio.sleep(0)
    print("READY", flush=True)  # read by whoever started this process
    await running


if __name__ == "__main__":
    h2, h1, clear = (int(argument) for argument in sys.argv[3:6])
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2]), (h2, h1, clear)))
