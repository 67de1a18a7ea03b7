"""The page's routes: look, pause, resume, and a socket that says when to look again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response, WebSocket
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.websockets import WebSocketDisconnect

from protech.guard import consent
from protech.guard.dashboard.chart import CHART_DAYS
from protech.guard.dashboard.view import View, look, state_of
from protech.guard.help import SERVICES
from protech.guard.record import KEEP_DAYS, Count, day_of
from protech.serve.languages import LANGUAGES, catalogue, preferred
from protech.serve.web import checked_form, csrf_token

PAUSES_MIN = (10, 30, 60)
"""The lengths that the page offers; the person may take one after another."""

LIVE_EVERY_S = 2.0

STATIC = {
    "page.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the page's facts come from."""

    detector: Callable[[], Awaitable[Mapping[str, Any] | None]]
    counts: Callable[[date], Iterable[Count]]
    pause_file: Path
    listen: str


class Page:
    """The routes over ``sources``; ``clock`` gives the time, UTC-aware."""

    def __init__(
        self, sources: Sources, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        """Show what ``sources`` say."""
        self._sources = sources
        self._now = clock or (lambda: datetime.now(UTC))
        self._template = Environment(
            loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined
        ).get_template("page.html")

    def router(self) -> APIRouter:
        """Return the routes, to stand behind the doorkeeper of ``serve.web``."""
        router = APIRouter()
        router.add_api_route("/", self.show, methods=["GET"])
        router.add_api_route("/pause", self.pause, methods=["POST"])
        router.add_api_route("/resume", self.resume, methods=["POST"])
        router.add_api_route("/static/{name}", static, methods=["GET"])
        router.add_api_websocket_route("/live", self.live)
        return router

    async def show(self, request: Request, language: str = "") -> Response:
        """Answer the page in the language asked for, remembered, or preferred."""
        spoken = _language(request, language)
        answer = HTMLResponse(
            self._template.render(
                view=await self._look(),
                say=catalogue(spoken),
                language=spoken,
                languages=LANGUAGES,
                pauses=PAUSES_MIN,
                services=SERVICES,
                csrf=csrf_token(request),
            )
        )
        answer.set_cookie("language", spoken, httponly=True, samesite="strict")
        return answer

    async def pause(self, request: Request) -> Response:
        """Pause for one of the lengths that the page offers."""
        minutes = (await checked_form(request)).get("minutes", "")
        if minutes not in {str(length) for length in PAUSES_MIN}:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "That is not a length on the page.")
        consent.pause(self._sources.pause_file, now=self._now(), minutes=int(minutes))
        return RedirectResponse("/", status_code=HTTPStatus.SEE_OTHER)

    async def resume(self, request: Request) -> Response:
        """End the pause."""
        await checked_form(request)
        consent.resume(self._sources.pause_file)
        return RedirectResponse("/", status_code=HTTPStatus.SEE_OTHER)

    async def live(self, websocket: WebSocket) -> None:
        """Say the state every ``LIVE_EVERY_S``, so that a page left open stays true."""
        await websocket.accept()
        with suppress(WebSocketDisconnect):
            while True:
                paused_until = self._paused_until(self._now())
                state = state_of(await self._sources.detector(), paused_until)
                await websocket.send_text(state)
                await asyncio.sleep(LIVE_EVERY_S)

    async def _look(self) -> View:
        now = self._now()
        today = day_of(now)
        since = today - timedelta(days=CHART_DAYS - 1)
        counts = await asyncio.to_thread(self._sources.counts, since)
        return look(
            await self._sources.detector(),
            [(row.day, row.reason, row.count) for row in counts],
            paused_until=self._paused_until(now),
            today=today,
            listen=self._sources.listen,
            kept_days=KEEP_DAYS,
        )

    def _paused_until(self, now: datetime) -> datetime | None:
        until = consent.paused_until(self._sources.pause_file, now=now)
        return until.astimezone() if until else None


def static(name: str) -> Response:
    """Answer one of the page's own files."""
    if name not in STATIC:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    content = (files(__package__) / "static" / name).read_bytes()
    return Response(content, media_type=STATIC[name])


def _language(request: Request, asked: str) -> str:
    for choice in (asked, request.cookies.get("language", "")):
        if choice in LANGUAGES:
            return choice
    return preferred(request.headers.get("accept-language", ""))
