"""Connections that mitmproxy alone would treat otherwise: streams, cuts, errors and tunnels."""

import base64
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from protech.guard import gate
from protech.guard.proxy.placeholder import placeholder
from tests.proxied import JudgeBySha, Proxied, Sent, Way, picture, proxied, sockets, way

GOOD = picture(1)
BAD = picture(2)
GREY = placeholder(64, 48)
FILM = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(200_000)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    judge = JudgeBySha()
    judge.block(BAD)
    with way(tmp_path_factory.mktemp("way"), judge=judge) as opened:
        yield opened


def open_stream(
    site: Way, path: str
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    client = site.proxy.connection("photos.test", 443, is_tls=True)
    client.request("GET", path)
    return client, client.getresponse()


def test_an_event_stream_arrives_while_it_is_sent(site: Way) -> None:
    go_on = threading.Event()

    def route(handler: BaseHTTPRequestHandler) -> Sent:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(b"data: one\n\n")
        handler.wfile.flush()
        go_on.wait(10)
        handler.wfile.write(b"data: two\n\n")
        raise ConnectionAbortedError

    site.routes["/events"] = route
    client, answer = open_stream(site, "/events")
    assert answer.read(11) == b"data: one\n\n"
    go_on.set()
    assert answer.read() == b"data: two\n\n"
    client.close()


def test_an_event_stream_is_cut_where_a_picture_begins(site: Way) -> None:
    line = b'data: {"a": "' + base64.b64encode(GOOD) + b'"}\n\n'
    pieces = (b"data: words\n\n", line, b"data: more\n\n")
    kind = {"Content-Type": "text/event-stream"}
    site.routes["/events"] = Sent(headers=kind, pieces=pieces, is_chunked=True, pause_s=0.2)
    client, answer = open_stream(site, "/events")
    with pytest.raises(http.client.IncompleteRead) as cut:
        answer.read()
    assert cut.value.partial == b"data: words\n\n"
    client.close()


def test_slow_text_is_not_held_for_ever(site: Way) -> None:
    pieces = tuple(b'{"line": %d, "text": "some words"}\n' % i for i in range(8))
    kind = {"Content-Type": "application/x-ndjson"}
    site.routes["/lines"] = Sent(headers=kind, pieces=pieces, is_chunked=True, pause_s=0.6)
    client, answer = open_stream(site, "/lines")
    began = time.monotonic()
    assert answer.read(10) == pieces[0][:10]
    assert time.monotonic() - began < 4
    assert pieces[0][:10] + answer.read() == b"".join(pieces)
    client.close()


def test_a_slow_picture_is_held_until_it_is_whole(site: Way) -> None:
    pieces = tuple(BAD[i : i + 1500] for i in range(0, len(BAD), 1500))
    site.routes["/slow"] = Sent(pieces=pieces, is_chunked=True, pause_s=0.9)
    assert site.get("/slow")[::2] == (200, GREY)


def test_a_large_download_streams_through_without_being_held(site: Way) -> None:
    body = b"PK\x03\x04\x00\x01" + bytes(1024) * 1024 * 8
    pieces = tuple(body[i : i + 1024 * 1024] for i in range(0, len(body), 1024 * 1024))
    headers = {"Content-Length": str(len(body)), "Content-Type": "application/zip"}
    site.routes["/zip"] = Sent(headers=headers, pieces=pieces, pause_s=0.05)
    client, answer = open_stream(site, "/zip")
    began = time.monotonic()
    first = answer.read(1024)
    waited_s = time.monotonic() - began
    assert first + answer.read() == body
    assert waited_s < 0.5 * (time.monotonic() - began)
    client.close()


def test_a_film_is_refused_with_its_first_bytes_and_the_rest_not_fetched(site: Way) -> None:
    done = threading.Event()

    def route(handler: BaseHTTPRequestHandler) -> Sent:
        try:
            handler.send_response(200)
            handler.send_header("Content-Length", str(1 << 40))
            handler.end_headers()
            for _ in range(2000):
                handler.wfile.write(FILM)
        finally:
            done.set()
        raise ConnectionAbortedError

    site.routes["/film"] = route
    assert site.get("/film")[::2] == (502, b"")
    assert done.wait(5)


def test_an_image_longer_than_may_be_held_is_hidden(
    site: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protech.guard.proxy.stream.HOLD_BYTES", 10_000)
    monkeypatch.setattr(gate, "HOLD_BYTES", 10_000)
    large = GOOD + bytes(10_000)
    site.routes["/large"] = Sent(large)
    assert site.get("/large")[::2] == (502, b"")
    site.routes["/large"] = Sent(pieces=(large[:6000], large[6000:]), is_chunked=True)
    assert site.get("/large")[::2] == (502, b"")
    site.routes["/large"] = Sent(GOOD)
    assert site.get("/large")[2] == GOOD


def test_text_longer_than_may_be_held_is_streamed_and_cut_at_a_picture(
    site: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protech.guard.proxy.stream.TEXT_BYTES", 20_000)
    words = b"<p>some words</p>\n" * 2000
    site.routes["/long"] = Sent(pieces=(words[:18_000], words[18_000:]), is_chunked=True)
    assert site.get("/long")[2] == words
    picture_text = b"'data:image/jpeg;base64," + base64.b64encode(GOOD) + b"'"
    pieces = (words[:18_000], words[18_000:], picture_text)
    site.routes["/long"] = Sent(pieces=pieces, is_chunked=True, pause_s=0.2)
    with pytest.raises(http.client.IncompleteRead) as cut:
        site.get("/long")
    assert cut.value.partial == words


def test_one_connection_serves_refusals_and_answers_in_turn(site: Way) -> None:
    site.routes["/film"] = Sent(FILM)
    site.routes["/bad"] = Sent(BAD)
    site.routes["/good"] = Sent(GOOD)
    client = site.proxy.connection("photos.test", 443, is_tls=True)
    for path, status, body in [
        ("/film", 502, b""),
        ("/good", 200, GOOD),
        ("/bad", 200, GREY),
        ("/film", 502, b""),
        ("/good", 200, GOOD),
    ]:
        client.request("GET", path)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (status, body)
    client.close()


def tunnel(proxy: Proxied, host: str, port: int, first: bytes) -> bytes:
    """Open a tunnel, send bytes, return all that comes back."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
        client.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        answer = client.recv(65536)
        if b" 200 " not in answer:
            return answer
        client.sendall(first)
        received = b""
        with suppress(ConnectionResetError):
            while data := client.recv(65536):
                received += data
        return received


@pytest.mark.parametrize(
    "first", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x01\x02binary", b"EHLO\r\n", b"\x13BitTorrent"]
)
def test_a_tunnel_that_carries_no_http_is_closed_and_nothing_reaches_the_server(
    tmp_path: Path, first: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        overrides = {"raw.test": server.getsockname()[:2]}
        with proxied(tmp_path, overrides) as proxy:
            received = tunnel(proxy, "raw.test", 22, first)
            assert b"mitmproxy" not in received
            assert b"SSH" not in received
            with pytest.raises(TimeoutError):
                server.accept()


def test_tls_to_a_private_address_is_refused(tmp_path: Path) -> None:
    hello = bytes.fromhex("16030100050100000100")
    with proxied(tmp_path, {}) as proxy:
        assert b"403" in tunnel(proxy, "192.168.1.1", 443, hello)
        assert tunnel(proxy, "192.168.1.1", 80, hello) == b""


def test_an_upgrade_to_something_else_than_a_websocket_is_refused(site: Way) -> None:
    def route(handler: BaseHTTPRequestHandler) -> Sent:
        handler.wfile.write(
            b"HTTP/1.1 101 Switching\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\n" + BAD
        )
        handler.wfile.flush()
        raise ConnectionAbortedError

    site.routes["/raw"] = route
    headers = {"Upgrade": "raw", "Connection": "Upgrade"}
    with pytest.raises((http.client.HTTPException, OSError)):
        site.proxy.get("https://photos.test/raw", headers)


@pytest.fixture
def socket_site(tmp_path: Path) -> Iterator[tuple[Proxied, socket.socket]]:
    judge = JudgeBySha()
    judge.block(BAD)
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = {"socket.test": server.getsockname()[:2]}
        with proxied(tmp_path, where, judge=judge) as proxy:
            yield proxy, server


def test_pictures_in_websocket_messages_are_judged(
    socket_site: tuple[Proxied, socket.socket],
) -> None:
    proxy, server = socket_site
    words = '{{"picture": "data:image/jpeg;base64,{}"}}'
    with sockets(proxy, "socket.test", server) as (client, side):
        side.send(GOOD)
        assert client.message() == GOOD
        side.send(BAD)
        assert client.message() == GREY
        side.send(BAD[:100], BAD[100:3000], BAD[3000:])
        assert client.message() == GREY
        side.send(words.format(base64.b64encode(BAD).decode()))
        assert client.message() == words.format(base64.b64encode(GREY).decode())
        side.send("plain words é")
        assert client.message() == "plain words é"
        client.send(BAD)  # what the person sends is theirs
        assert side.message() == BAD


def test_without_a_judgement_no_message_with_a_picture_passes(
    socket_site: tuple[Proxied, socket.socket],
) -> None:
    proxy, server = socket_site
    proxy.judge.is_down = True
    with sockets(proxy, "socket.test", server) as (client, side):
        side.send(GOOD)
        assert client.message() == placeholder(None, None)
        proxy.judge.is_down = False
        proxy.judge.error = RuntimeError("boom")
        side.send(GOOD)
        side.send("after")
        assert client.message() == "after"


def test_a_fault_while_a_message_waits_drops_it(tmp_path: Path) -> None:
    faults = [False]

    def paused() -> bool:
        if faults[0]:
            raise RuntimeError("boom")
        return False

    with socket.create_server(("127.0.0.1", 0)) as server:
        where = {"socket.test": server.getsockname()[:2]}
        with (
            proxied(tmp_path, where, paused=paused) as proxy,
            sockets(proxy, "socket.test", server) as (client, side),
        ):
            faults[0] = True
            side.send(GOOD)
            side.close()
            assert client.message() is None
