"""The page's routes: the case, one peer, and where an address is looked up."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.resources import files
from ipaddress import ip_address

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from protech.errors import ProtechError
from protech.locate.page.chart import chart
from protech.locate.page.fold import Fold
from protech.locate.page.follower import Follower, Sources
from protech.locate.page.header import LogState, header
from protech.locate.page.history import history, places_to_read
from protech.locate.page.languages import LANGUAGES, preferred
from protech.locate.page.peer import Peer
from protech.locate.page.query import SORTS, VERDICTS, WINDOWS_H, Query
from protech.locate.page.ranking import SHARED, ranking
from protech.locate.page.wording import Wording
from protech.locate.page.world import world
from protech.serve.web import checked_form, csrf_token

ALERTS_SHOWN = 6
FLAGS = (SHARED, "tor_exit", "vpn", "hosting", "cgnat")

STATIC = {
    "page.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

type Draw = Callable[[Request, Fold, LogState, Wording], str]
"""Gives the HTML of one page of the case."""


class Page:
    """The routes over ``sources``; ``clock`` gives the time, UTC-aware."""

    def __init__(
        self, sources: Sources, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        """Show what ``sources`` say."""
        self._follower = Follower(sources)
        self._self_test = sources.self_test
        self._now = clock or (lambda: datetime.now(UTC))
        self._templates = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def router(self) -> APIRouter:
        """Return the routes, to stand behind the doorkeeper of ``serve.web``."""
        router = APIRouter()
        router.add_api_route("/", self.show, methods=["GET"])
        router.add_api_route("/peer/{number}", self.show_peer, methods=["GET"])
        router.add_api_route("/find", self.find, methods=["POST"])
        router.add_api_route("/static/{name}", static, methods=["GET"])
        return router

    async def show(self, request: Request) -> Response:
        """Answer the case; 304 where the browser shows it as it is already."""
        return await self._answered(request, self._case)

    async def show_peer(self, request: Request, number: int) -> Response:
        """Answer one peer's history, by the number that the list links to."""

        def draw(request: Request, fold: Fold, log: LogState, words: Wording) -> str:
            return self._peer(number, request, fold, log, words)

        return await self._answered(request, draw)

    async def find(self, request: Request) -> Response:
        """Go to the peer at an address; posted, so that no address stands in a URL."""
        asked = (await checked_form(request)).get("address", "").strip()

        def found() -> Peer | None:
            with self._follower.looking() as (fold, _):
                return _at(fold, asked)

        peer = await asyncio.to_thread(found)
        address = "/?missing=1#peers" if peer is None else f"/peer/{peer.number}"
        return RedirectResponse(address, status_code=HTTPStatus.SEE_OTHER)

    async def _answered(self, request: Request, draw: Draw) -> Response:
        try:
            return await asyncio.to_thread(self._answer, request, draw)
        except ProtechError as error:  # the log was changed, or cannot be read
            return PlainTextResponse(str(error), status_code=HTTPStatus.INTERNAL_SERVER_ERROR)

    def _answer(self, request: Request, draw: Draw) -> Response:
        language = _language(request)
        with self._follower.looking() as (fold, log):
            minute = self._now().strftime("%H%M")
            version = f'"{fold.size}-{log.size}-{log.checkpoint_size}-{minute}-{language}"'
            if request.headers.get("if-none-match") == version:
                return Response(status_code=HTTPStatus.NOT_MODIFIED)
            answer = HTMLResponse(draw(request, fold, log, Wording(language)))
        answer.headers["etag"] = version
        answer.set_cookie("language", language, httponly=True, samesite="strict")
        return answer

    def _case(self, request: Request, fold: Fold, log: LogState, words: Wording) -> str:
        now = self._now()
        ranked = ranking(fold, Query.read(request.query_params), now=now)
        head = header(fold, log, now=now, self_test=self._self_test)
        return self._templates.get_template("case.html").render(
            w=words,
            head=head,
            ranking=ranked,
            query=ranked.query,
            world=world(
                ranked.countries,
                language=words.language,
                jurisdiction=head.authorised.jurisdiction,
                chosen=ranked.query.country,
            ),
            chart=chart(fold.buckets),
            alerts=list(fold.alerts)[:ALERTS_SHOWN],
            lists=fold.lists,
            networks=sorted(fold.networks),
            choices={"sort": SORTS, "verdict": VERDICTS, "window": tuple(WINDOWS_H)},
            flags=FLAGS,
            is_missing="missing" in request.query_params,
            page_url=lambda page: ranked.query.but(page=page).url + "#peers",
            **_common(request),
        )

    def _peer(
        self, number: int, request: Request, fold: Fold, log: LogState, words: Wording
    ) -> str:
        peer = fold.by_number.get(number)
        if peer is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        asked = request.query_params.get("page", "")
        page = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 1
        places, page, pages = places_to_read(peer, page)
        seen = history(fold, peer, self._follower.read(places), page=page, pages=pages)
        return self._templates.get_template("peer.html").render(
            w=words,
            head=header(fold, log, now=self._now(), self_test=self._self_test),
            peer=seen,
            page_url=lambda page: f"/peer/{number}?page={page}#history",
            alerts=list(fold.alerts)[:1],
            **_common(request),
        )


def _common(request: Request) -> dict[str, object]:
    return {
        "languages": LANGUAGES,
        "csrf": csrf_token(request),
        "here": _here(request),
    }


def _here(request: Request) -> str:
    """Return this address up to where a language can be added to it."""
    kept = [
        f"{name}={value}"
        for name, _, value in (
            one.partition("=") for one in request.url.query.split("&") if one
        )
        if name not in {"language", "missing"}
    ]
    return request.url.path + "?" + "".join(f"{one}&" for one in kept)


def _at(fold: Fold, text: str) -> Peer | None:
    """Return the peer at an address, or at one and its port; of several the highest level."""
    address, port = text, ""
    if text.startswith("["):
        address, _, port = text[1:].partition("]:")
        address = address.removesuffix("]")
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        wanted = str(ip_address(address))
    except ValueError:
        return None
    found = [peer for peer in fold.at_address(wanted) if not port or str(peer.key[2]) == port]
    return max(found, key=lambda peer: (peer.level, peer.last_ms), default=None)


def static(name: str) -> Response:
    """Answer one of the page's own files."""
    if name not in STATIC:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    content = (files(__package__) / "static" / name).read_bytes()
    return Response(content, media_type=STATIC[name])


def _language(request: Request) -> str:
    for choice in (
        request.query_params.get("language", ""),
        request.cookies.get("language", ""),
    ):
        if choice in LANGUAGES:
            return choice
    return preferred(request.headers.get("accept-language", ""))
