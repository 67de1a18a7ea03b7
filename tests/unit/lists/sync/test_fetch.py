"""Files of a repository from servers that are slow, gone, or send one elsewhere."""

import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)

from protech.lists.device import DeviceLists
from protech.lists.keys import make_device_key
from protech.lists.sync.address import address_of
from protech.lists.sync.fetch import Broken, Fetcher, Redirected, _tls
from protech.lists.sync.flow import sync
from protech.lists.sync.taking import State
from tests.e2e.matrix import certificates
from tests.repository import Server, answer, served
from tests.unit.lists.sync.conftest import Stage

CONTENT = b"0123456789" * 1000
SILENCE_S = 0.4


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "file").write_bytes(CONTENT)
    with served(folder) as server:
        yield server


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path)


@pytest.fixture
def hasty(tmp_path: Path) -> Fetcher:
    """Return one that gives up soon; a busy machine may seem slow to it."""
    return Fetcher(tmp_path, silence_s=SILENCE_S, bytes_per_s=1000)


def fetch(fetcher: Fetcher, server: Server, *, most: int = len(CONTENT)) -> bytes:
    return fetcher.download_bytes(f"{server.address}file", most)


def test_a_file_comes_whole_and_leaves_nothing_behind(
    fetcher: Fetcher, server: Server, tmp_path: Path
) -> None:
    assert fetch(fetcher, server) == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_one_byte_more_than_allowed_is_refused(fetcher: Fetcher, server: Server) -> None:
    with pytest.raises(DownloadLengthMismatchError):
        fetch(fetcher, server, most=len(CONTENT) - 1)


def test_every_request_is_the_same_whoever_asks_and_whatever_was_answered(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        monkeypatch.setenv("USER", f"user {number}")
        folder = tmp_path / str(number)
        folder.mkdir()
        fetch(Fetcher(folder), server)
    host = server.address.removeprefix("http://").rstrip("/")
    headers = (("Accept-Encoding", "identity"), ("Host", host), ("Connection", "close"))
    assert server.requests == [("GET", "/file", headers)] * 3


def test_a_redirect_is_not_followed(fetcher: Fetcher, server: Server, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_bytes(CONTENT)
    with served(tmp_path / "other") as other:
        for status in (301, 302, 303, 307, 308):
            to = f"{other.address}file"
            server.answers["file"] = answer(b"", status=status, Location=to)
            with pytest.raises(Redirected):
                fetch(fetcher, server)
        assert other.requests == []


@pytest.mark.parametrize("status", [206, 304, 403, 404, 500])
def test_another_answer_than_the_file_is_refused(
    fetcher: Fetcher, server: Server, status: int
) -> None:
    server.answers["file"] = answer(b"", status=status)
    with pytest.raises(DownloadError):
        fetch(fetcher, server)


def test_the_status_is_told_to_tuf(fetcher: Fetcher, server: Server) -> None:
    (server.folder / "file").unlink()
    with pytest.raises(DownloadHTTPError) as missing:
        fetch(fetcher, server)
    assert missing.value.status_code == 404


def silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(4 * SILENCE_S)


def dripping_headers(handler: BaseHTTPRequestHandler) -> None:
    drip(handler, b"HTTP/1.1 200 OK\r\n", b"X-Header: x\r\n")


def dripping_content(handler: BaseHTTPRequestHandler) -> None:
    drip(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", b"01234")


def dripping_chunks(handler: BaseHTTPRequestHandler) -> None:
    drip(handler, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n0\r\n")


def drip(handler: BaseHTTPRequestHandler, first: bytes, again: bytes) -> None:
    """Send a little often enough that no timeout of a socket is ever reached."""
    handler.wfile.write(first)
    with suppress(OSError):
        for _ in range(60):
            handler.wfile.write(again)
            handler.wfile.flush()
            time.sleep(SILENCE_S / 4)


@pytest.mark.parametrize("slow", [silent, dripping_headers, dripping_content, dripping_chunks])
def test_a_slow_server_is_given_up(
    hasty: Fetcher, server: Server, slow: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    server.answers["file"] = slow
    with pytest.raises(SlowRetrievalError):
        fetch(hasty, server)


def test_an_endless_file_is_ended_at_its_bound(fetcher: Fetcher, server: Server) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError):
            while True:
                handler.wfile.write(CONTENT)

    server.answers["file"] = endless
    with pytest.raises(DownloadLengthMismatchError):
        fetch(fetcher, server)


def test_a_server_that_hangs_up_midway_is_not_a_whole_file(
    fetcher: Fetcher, server: Server
) -> None:
    def half(handler: BaseHTTPRequestHandler) -> None:
        length = f"Content-Length: {len(CONTENT)}\r\n\r\n".encode()
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + length + CONTENT[:5000])
        handler.close_connection = True

    server.answers["file"] = half
    with pytest.raises(Broken):
        fetch(fetcher, server)


def test_nonsense_is_not_an_answer(fetcher: Fetcher, server: Server) -> None:
    def nonsense(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\0" * 100 + b"\r\n\r\n")

    server.answers["file"] = nonsense
    with pytest.raises(Broken):
        fetch(fetcher, server)


def test_a_server_that_is_gone_is_said_to_be(fetcher: Fetcher, tmp_path: Path) -> None:
    with served(tmp_path) as server:
        address = server.address
    with pytest.raises(Broken) as gone:
        fetcher.download_bytes(f"{address}file", 10)
    assert "127.0.0.1" not in str(gone.value)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    fetcher: Fetcher, server: Server
) -> None:
    with pytest.raises(Broken):
        fetcher.download_bytes(f"https{server.address[4:]}file", 10)


@pytest.fixture
def secure(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve over TLS with a certificate that the system trusts; give the address."""
    made = certificates.make(tmp_path, ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.chain, made.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    _tls.cache_clear()
    yield f"https://localhost:{server.server_address[1]}/"
    _tls.cache_clear()


def test_a_file_comes_over_tls_from_the_server_that_was_named(
    fetcher: Fetcher, secure: str
) -> None:
    assert fetcher.download_bytes(f"{secure}file", len(CONTENT)) == CONTENT
    with pytest.raises(Broken):
        fetcher.download_bytes(f"{secure.replace('localhost', '127.0.0.1')}file", 10)


@pytest.mark.parametrize("slow", [silent, dripping_headers, dripping_content])
def test_a_slow_server_is_given_up_over_tls(
    hasty: Fetcher,
    server: Server,
    secure: str,
    slow: Callable[[BaseHTTPRequestHandler], None],
) -> None:
    server.answers["file"] = slow
    with pytest.raises(SlowRetrievalError):
        hasty.download_bytes(f"{secure}file", len(CONTENT))


def test_a_proxy_of_the_system_is_used_and_told_nothing_more(
    fetcher: Fetcher, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.delenv("no_proxy", raising=False)
    server.answers["file"] = answer(CONTENT)
    url = "http://lists.example.org/file"
    assert fetcher.download_bytes(url, len(CONTENT)) == CONTENT
    ((_, asked, headers),) = server.requests
    assert (asked, {name for name, _ in headers}) == (
        url,
        {"Host", "Accept-Encoding", "Connection"},
    )


def test_how_much_came_is_told(tmp_path: Path, server: Server) -> None:
    told: list[int] = []
    fetcher = Fetcher(tmp_path, on_bytes=told.append)
    for _ in range(2):
        fetch(fetcher, server)
    assert told[-1] == 2 * len(CONTENT)


def test_a_directory_is_read_like_a_server(
    fetcher: Fetcher, server: Server, tmp_path: Path
) -> None:
    address = address_of(str(server.folder))
    assert address_of(address) == address
    assert fetcher.download_bytes(f"{address}file", len(CONTENT)) == CONTENT
    with pytest.raises(DownloadHTTPError):
        fetcher.download_bytes(f"{address}nothing", 10)
    os.mkfifo(server.folder / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(Broken):
            fetcher.download_bytes(f"{address}{name}", 10)
    assert server.requests == []


def test_a_sync_tells_no_device_from_another(stage: Stage, tmp_path: Path) -> None:
    stage.synced()
    first = list(stage.server.requests)
    stage.forget_requests()
    other = DeviceLists(tmp_path / "other")
    make_device_key(other.key)
    done = sync(other, stage.server.address, root=stage.repository.first_root)
    assert [one.state for one in done.outcomes] == [State.NOT_FOR_DEVICE]
    assert stage.server.requests == first
