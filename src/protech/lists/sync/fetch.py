"""Bytes of a repository, from a web server or a directory; the only network door of ``lists``.

Every device sends the same request for a file: GET with Host, Accept-Encoding and Connection,
no cookie, no identifier, no User-Agent, no condition, nothing that an answer could have left
behind. Redirects are not followed: an answer comes from the address that the person gave.
"""

import http.client
import os
import socket
import ssl
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import (
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)
from tuf.ngclient.fetcher import FetcherInterface

SILENCE_S = 30.0
"""How long a server may say nothing, and how long it has before its rate counts."""

BYTES_PER_S = 2048
"""The least rate on the average: half of what GPRS gave. A server that drips is given up."""

LOOK_EVERY_S = 0.5
CHUNK_BYTES = 256 * 1024

NOT_FOUND = 404


class Redirected(DownloadError):
    """The server sends us to another address."""


class Broken(DownloadError):
    """The connection ended, or never began."""


class Fetcher(FetcherInterface):
    """Fetches whole files below one address, each with a bound on its size and its time.

    ``folder`` takes what is being downloaded. ``silence_s`` and ``bytes_per_s`` are the bounds
    on a slow server. ``on_bytes`` is told how much has come so far, of all files.
    """

    def __init__(
        self,
        folder: Path,
        *,
        silence_s: float = SILENCE_S,
        bytes_per_s: int = BYTES_PER_S,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        """Take where downloads stand while they come in, and what is too slow."""
        self._folder = folder
        self._on_bytes = on_bytes
        self._received = 0
        self._silence_s = silence_s
        self._bytes_per_s = bytes_per_s

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """Give a file of at most ``max_length`` bytes, as python-tuf asks for it.

        Raises:
            DownloadError: It cannot be had, is too long, or comes too slowly.
        """
        with tempfile.TemporaryFile(dir=self._folder) as file:
            received = 0
            with closing(self._fetch(url)) as chunks:
                for chunk in chunks:
                    received += len(chunk)
                    if received > max_length:
                        raise DownloadLengthMismatchError(f"more than {max_length} bytes")
                    file.write(chunk)
                    self._tell(len(chunk))
            file.seek(0)
            yield file

    def _tell(self, size_bytes: int) -> None:
        self._received += size_bytes
        if self._on_bytes is not None:
            self._on_bytes(self._received)

    def _fetch(self, url: str) -> Generator[bytes]:
        """Yield the content of ``url``; the messages of its errors do not name it."""
        if urlsplit(url).scheme == "file":
            return _content(Path(unquote(urlsplit(url).path)))
        return self._downloaded(url)

    def _downloaded(self, url: str) -> Generator[bytes]:
        with _Watch(silence_s=self._silence_s, bytes_per_s=self._bytes_per_s) as watch:
            try:
                opener = _opener(watch, urlsplit(url).scheme)
                with opener.open(_request(url), timeout=self._silence_s) as answer:
                    while chunk := answer.read1(CHUNK_BYTES):
                        watch.received += len(chunk)
                        yield chunk
                    if answer.length and not watch.is_over:
                        raise Broken("the connection ended before the file did")
            except HTTPError as refused:
                refused.close()
                raise _refusal(refused.code) from None
            except TimeoutError:
                raise SlowRetrievalError("the server was silent") from None
            except (OSError, http.client.HTTPException, ValueError):
                # The reason may name the host, as that of a wrong certificate does.
                if watch.is_over:
                    raise SlowRetrievalError("the server was too slow") from None
                raise Broken("the server cannot be reached, or hung up") from None
            if watch.is_over:
                raise SlowRetrievalError("the server was too slow")


def _content(path: Path) -> Generator[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a pipe must not hold us
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Broken("what should be a file of the repository is none")
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except FileNotFoundError:
        raise DownloadHTTPError("no such file", NOT_FOUND) from None
    except OSError:
        raise Broken("a file of the repository cannot be read") from None


def _request(url: str) -> Request:
    # The two that http.client adds by itself are Host and Accept-Encoding: identity.
    return Request(url, headers={}, method="GET")  # noqa: S310 - address_of lets only these in


def _refusal(status: int) -> DownloadError:
    if 300 <= status < 400:
        return Redirected("the server sends us to another address")
    return DownloadHTTPError(f"the server answered {status}", status)


class _Refusing(HTTPErrorProcessor):
    """Takes 200 and nothing else: a redirect, or part of a file, is not what was asked for."""

    def http_response(self, request: Request, response: Any) -> Any:  # noqa: ANN401, ARG002 - urllib's
        if response.status != http.client.OK:
            raise HTTPError("", response.status, "", response.headers, response)
        return response

    https_response = http_response


class _Plain(HTTPHandler):
    def __init__(self, watch: "_Watch") -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_Connection, self._watch), req)


class _Secure(HTTPSHandler):
    def __init__(self, watch: "_Watch") -> None:
        self._tls = _tls()
        super().__init__(context=self._tls)
        self._watch = watch

    def https_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_SecureConnection, self._watch, context=self._tls), req)


@cache
def _tls() -> ssl.SSLContext:
    """Return what checks the server's certificate; reading the system's takes 15 ms."""
    return ssl.create_default_context()


def _opener(watch: "_Watch", scheme: str) -> OpenerDirector:
    """Return what opens an address of this scheme, by the system's proxy, and nothing else."""
    opener = OpenerDirector()
    opener.addheaders = []  # else a User-Agent that tells the version of Python
    transport = _Secure(watch) if scheme == "https" else _Plain(watch)
    for handler in (ProxyHandler(), transport, _Refusing()):
        opener.add_handler(handler)
    return opener


class _Watch:
    """Ends a connection that is slower on the average than it may be, wherever it hangs.

    A timeout of the socket does not: a byte now and then, in an endless header, resets it.
    """

    def __init__(self, *, silence_s: float, bytes_per_s: int) -> None:
        self.received = 0
        self.is_over = False
        self._silence_s = silence_s
        self._bytes_per_s = bytes_per_s
        self._connection: socket.socket | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._started_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        if self._connection is not None:
            self._connection.close()

    def hold(self, connection: socket.socket) -> None:
        """Watch this socket; a duplicate, so that nobody closes it under us."""
        self._connection = socket.socket(fileno=socket.dup(connection.fileno()))

    def _look(self) -> None:
        every_s = min(LOOK_EVERY_S, self._silence_s)
        while not self._done.wait(every_s):
            allowed_s = self._silence_s + self.received / self._bytes_per_s
            if time.monotonic() - self._started_s > allowed_s:
                self.is_over = True
                if self._connection is not None:
                    with suppress(OSError):
                        self._connection.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    def __init__(self, watch: _Watch, host: str, *, timeout: float) -> None:
        super().__init__(host, timeout=timeout)
        self._create_connection = partial(_watched, watch)


class _SecureConnection(http.client.HTTPSConnection):
    def __init__(
        self, watch: _Watch, host: str, *, timeout: float, context: ssl.SSLContext
    ) -> None:
        super().__init__(host, timeout=timeout, context=context)
        self._create_connection = partial(_watched, watch)


def _watched(
    watch: _Watch, address: tuple[str, int], timeout: float, source: None
) -> socket.socket:
    connection = socket.create_connection(address, timeout, source)
    watch.hold(connection)
    return connection
