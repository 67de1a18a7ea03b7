"""The door of local pages, through real sockets: rebinding, other sites, other accounts."""

import asyncio
import base64
import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path

import pytest
from fastapi import APIRouter, Request, WebSocket

from protech.errors import ConfigError
from protech.serve.tokens import OneTimeTokens
from protech.serve.web import (
    ANSWER_HEADERS,
    COOKIE,
    FORM_BYTES,
    Place,
    checked_form,
    create_app,
    csrf_token,
    entry_url,
    serve,
)

OTHER_UID = 65534


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/")
    def home(request: Request) -> dict[str, str]:
        return {"csrf": csrf_token(request)}

    @router.post("/act")
    async def act(request: Request) -> dict[str, str]:
        return dict(await checked_form(request))

    @router.websocket("/live")
    async def live(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("on")
        await websocket.close()

    return router


class Page:
    """A page under test and a small client that can lie in every header."""

    def __init__(self, directory: Path) -> None:
        self.place = Place.fresh(port=free_port())
        self.tokens = OneTimeTokens(directory)
        self.app = create_app(place=self.place, tokens=self.tokens, routes=routes())

    def ask(
        self, path: str = "/", *, method: str = "GET", body: str = "", **headers: str | None
    ) -> tuple[int, dict[str, str], str]:
        asked: dict[str, str | None] = {"Host": self.place.host, **headers}
        plain = http.client.HTTPConnection("127.0.0.1", self.place.port, timeout=10)
        with closing(plain) as connection:
            connection.putrequest(method, path, skip_host=True)
            for name, value in asked.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body.encode())
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()

    def enter(self) -> str:
        status, headers, _ = self.ask(f"/enter?token={self.tokens.mint()}")
        assert status == HTTPStatus.OK
        lowered = {name.lower(): value for name, value in headers.items()}
        cookie = lowered["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        return cookie.split(";")[0]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    page = Page(tmp_path / "tokens")
    loop = asyncio.new_event_loop()
    task = loop.create_task(serve(page.app, page.place))
    thread = threading.Thread(target=_run, args=(loop, task), daemon=True)
    thread.start()
    _wait_for(page.place.port)
    yield page
    loop.call_soon_threadsafe(task.cancel)
    thread.join(timeout=10)


def _run(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]") -> None:
    asyncio.set_event_loop(loop)
    with closing(loop), suppress(asyncio.CancelledError):
        loop.run_until_complete(task)


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.05)
    raise AssertionError("the page did not come up")


def test_token_opens_a_session_once(page: Page) -> None:
    token = page.tokens.mint()
    assert page.ask(f"/enter?token={token}")[0] == HTTPStatus.OK
    assert page.ask(f"/enter?token={token}")[0] == HTTPStatus.FORBIDDEN
    assert page.ask("/enter")[0] == HTTPStatus.FORBIDDEN


def test_nothing_answers_without_a_session(page: Page) -> None:
    assert page.ask("/")[0] == HTTPStatus.FORBIDDEN
    assert page.ask("/", Cookie=f"{COOKIE}=guess")[0] == HTTPStatus.FORBIDDEN
    assert page.ask("/", Cookie=page.enter())[0] == HTTPStatus.OK


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "rebound.example"])
def test_dns_rebinding_is_refused(page: Page, name: str) -> None:
    status, _, _ = page.ask("/", Cookie=page.enter(), Host=f"{name}:{page.place.port}")
    assert status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost"])
def test_cross_site_post_is_refused(page: Page, origin: str) -> None:
    cookie = page.enter()
    csrf = page.ask("/", Cookie=cookie)[2].split('"')[3]
    body = f"csrf={csrf}&minutes=5"
    assert page.ask("/act", method="POST", body=body, Cookie=cookie, Origin=origin)[0] == 403
    assert page.ask("/act", method="POST", body=body, Cookie=cookie)[0] == 403
    own = page.ask("/act", method="POST", body=body, Cookie=cookie, Origin=page.place.origin)
    assert own[0] == HTTPStatus.OK


def test_form_without_its_token_is_refused(page: Page) -> None:
    cookie, origin = page.enter(), page.place.origin
    for body in ("", "csrf=wrong", "csrf=%C3%A9"):
        assert (
            page.ask("/act", method="POST", body=body, Cookie=cookie, Origin=origin)[0] == 403
        )
    large = "a" * (FORM_BYTES + 1)
    assert page.ask("/act", method="POST", body=large, Cookie=cookie, Origin=origin)[0] == 413


def test_another_account_is_refused_even_with_the_cookie(page: Page) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can act as a second account")
    cookie = page.enter()
    script = (
        "import http.client, sys\n"
        "c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))\n"
        "c.request('GET', '/', headers={'Host': sys.argv[2], 'Cookie': sys.argv[3]})\n"
        "print(c.getresponse().status)\n"
    )
    run = [sys.executable, "-I", "-c", script, str(page.place.port), page.place.host, cookie]
    run[0] = "/usr/bin/python3"
    for uid, status in ((OTHER_UID, "403"), (os.getuid(), "200")):
        answer = subprocess.run(run, user=uid, capture_output=True, text=True, check=True)
        assert answer.stdout.strip() == status


def test_web_socket_checks_host_origin_and_session(page: Page) -> None:
    cookie = page.enter()
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }
    own = {"Cookie": cookie, "Origin": page.place.origin}
    lies = (
        {**own, "Origin": "http://evil.example"},
        {**own, "Origin": None},
        {**own, "Host": "rebound.example"},
        {**own, "Cookie": None},
    )
    for lie in lies:
        assert page.ask("/live", **upgrade, **lie)[0] == HTTPStatus.FORBIDDEN
    with socket.create_connection(("127.0.0.1", page.place.port), timeout=10) as channel:
        lines = [f"{name}: {value}" for name, value in {**upgrade, **own}.items()]
        request = ["GET /live HTTP/1.1", f"Host: {page.place.host}", *lines, "", ""]
        channel.sendall("\r\n".join(request).encode())
        assert b" 101 " in channel.recv(4096)


def test_every_answer_carries_the_headers(page: Page) -> None:
    cookie = page.enter()
    for answer in (page.ask("/"), page.ask("/", Cookie=cookie), page.ask("/no", Cookie=cookie)):
        headers = {name.lower(): value for name, value in answer[1].items()}
        assert ANSWER_HEADERS.items() <= headers.items()


def test_published_place_gives_an_address_that_works_once(page: Page, tmp_path: Path) -> None:
    published = tmp_path / "page"
    assert entry_url(published, page.tokens) is None
    page.place.publish(published)
    assert published.stat().st_mode & 0o077 == 0
    address = entry_url(published, page.tokens)
    assert address is not None
    path = address.removeprefix(page.place.origin)
    assert [page.ask(path)[0], page.ask(path)[0]] == [HTTPStatus.OK, HTTPStatus.FORBIDDEN]


def test_port_in_use_says_which_and_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = Place.fresh(port=taken.getsockname()[1])
        app = create_app(place=place, tokens=OneTimeTokens(tmp_path), routes=routes())
        with pytest.raises(ConfigError, match=f"{place.port}.*--page-port"):
            asyncio.run(serve(app, place))
