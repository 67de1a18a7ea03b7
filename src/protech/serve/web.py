"""The one factory for local pages: who may speak to them, and what every answer carries.

A page listens on loopback under a random name of its own (``<label>.localhost``). A connection
is answered only if it comes from the same account; a request only if it names exactly this host
and, where it has an origin, exactly this one; and, save for the way in, only with the session
cookie that a one-time token was traded for. The random name keeps the cookie from other local
ports, which a browser does not tell apart.
"""

import hashlib
import hmac
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from protech.errors import ConfigError
from protech.serve.peer import peer_uid
from protech.serve.tokens import OneTimeTokens

COOKIE = "session"
ENTRY_PATH = "/enter"
FORM_BYTES = 16 * 1024

ANSWER_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

WAY_IN = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>One moment</title>'
    '<meta http-equiv="refresh" content="0;url=/"><p><a href="/">Go on</a></p></html>'
)
"""A page that goes on by itself: after a redirect the strict cookie would not be sent."""

GUARD_WAY_IN = "Run: protech guard status"

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page answers: a loopback address and port, under a name nobody can guess."""

    address: str
    port: int
    label: str
    way_in: str = GUARD_WAY_IN
    """How a person gets an address that opens the page."""

    @classmethod
    def fresh(
        cls, *, port: int, address: str = "127.0.0.1", way_in: str = GUARD_WAY_IN
    ) -> "Place":
        """Return a place under a new random label."""
        label = f"p{secrets.token_hex(8)}"
        return cls(address=address, port=port, label=label, way_in=way_in)

    @property
    def host(self) -> str:
        """The exact Host header."""
        return f"{self.label}.localhost:{self.port}"

    @property
    def origin(self) -> str:
        """The exact Origin header."""
        return f"http://{self.host}"

    def publish(self, path: Path) -> None:
        """Write the origin where the person's other commands find it, for them alone."""
        written = path.with_suffix(".new")
        written.touch(mode=0o600)
        written.write_text(self.origin, encoding="ascii")
        written.replace(path)


def entry_url(published: Path, tokens: OneTimeTokens) -> str | None:
    """Return an address that opens the page once; None where no page has been published."""
    try:
        origin = published.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    return f"{origin}{ENTRY_PATH}?token={tokens.mint()}"


class Sessions:
    """The sessions of one page; it holds their hashes, and lives as long as the page."""

    def __init__(self) -> None:
        """Start with none."""
        self._hashes: set[bytes] = set()
        self._csrf_key = secrets.token_bytes(32)

    def start(self) -> str:
        """Return the secret of a new session."""
        secret = secrets.token_urlsafe(32)
        self._hashes.add(_hash(secret))
        return secret

    def has(self, secret: str | None) -> bool:
        """Return whether ``secret`` is of a session."""
        return secret is not None and _hash(secret) in self._hashes

    def csrf(self, secret: str) -> str:
        """Return the token that a form of this session carries."""
        return hmac.new(self._csrf_key, secret.encode(), hashlib.sha256).hexdigest()


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


class Doorkeeper:
    """ASGI middleware that refuses whoever should not speak to the page, sockets included."""

    def __init__(self, app: ASGIApp, *, place: Place, sessions: Sessions, uid: int) -> None:
        """Guard ``app`` for the account ``uid``."""
        self._app = app
        self._place = place
        self._sessions = sessions
        self._uid = uid

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            answer = PlainTextResponse(refusal, status_code=HTTPStatus.FORBIDDEN)
            await answer(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> str | None:
        """Return why the request is refused, None where it may pass."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        is_safe = scope["type"] == "http" and scope["method"] in SAFE_METHODS
        if not self._is_own_account(scope):
            return "This page belongs to another account of this machine."
        if headers.getlist("host") != [self._place.host]:
            return "This page does not answer under that name."
        if origin != self._place.origin and not (is_safe and origin is None):
            return "This page does not answer other sites."
        secret = HTTPConnection(scope).cookies.get(COOKIE)
        if scope["path"] != ENTRY_PATH and not self._sessions.has(secret):
            return f"This page needs its one-time address. {self._place.way_in}"
        return None

    def _is_own_account(self, scope: Scope) -> bool:
        client = scope.get("client")
        if client is None:
            return False
        server = (self._place.address, self._place.port)
        return peer_uid((client[0], int(client[1])), server) == self._uid


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ANSWER_HEADERS.items():
                headers[name] = value
        await send(message)

    return send_with_headers


def create_app(
    *, place: Place, tokens: OneTimeTokens, routes: APIRouter, sessions: Sessions | None = None
) -> FastAPI:
    """Return a page application behind the doorkeeper, for the account of this process.

    ``routes`` are reached only with a session; ``request.state`` carries nothing of ours.
    """
    sessions = sessions or Sessions()
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.sessions = sessions

    @app.get(ENTRY_PATH)
    def enter(token: str = "") -> Response:
        if not tokens.redeem(token):
            return PlainTextResponse(
                f"This address was used already or is too old. {place.way_in}",
                status_code=HTTPStatus.FORBIDDEN,
            )
        answer = HTMLResponse(WAY_IN)
        answer.set_cookie(COOKIE, sessions.start(), httponly=True, samesite="strict", path="/")
        return answer

    app.include_router(routes)
    app.add_middleware(Doorkeeper, place=place, sessions=sessions, uid=os.getuid())
    return app


def csrf_token(request: Request) -> str:
    """Return what a form of this request's session must carry as ``csrf``."""
    sessions: Sessions = request.app.state.sessions
    return sessions.csrf(request.cookies.get(COOKIE, ""))


async def checked_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a posted form whose CSRF token holds.

    Raises:
        HTTPException: 413 beyond ``FORM_BYTES``; 403 where the token is missing or wrong.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    fields = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
    if not hmac.compare_digest(fields.get("csrf", "").encode(), csrf_token(request).encode()):
        raise HTTPException(HTTPStatus.FORBIDDEN, "The form was not sent from this page.")
    return fields


async def serve(app: FastAPI, place: Place) -> None:
    """Answer at ``place`` until cancelled; no access log, one process, loopback only.

    Raises:
        ConfigError: The port is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((place.address, place.port))
        except OSError as taken:
            raise ConfigError(
                f"The page cannot listen on {place.address}:{place.port}: {taken.strerror}. "
                "End the program that uses the port, or choose another with --page-port."
            ) from taken
    server = Server(
        app,
        address=place.address,
        port=place.port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        websockets=True,
    )
    await server.serve()
