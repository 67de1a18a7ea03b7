"""The guard's hooks in the proxy: every response waits here until it is settled.

The order in ``response`` is the point: the answer that came is taken away first and an empty
one put in its place, so that whatever fails afterwards, in our code or below it, nothing
unjudged leaves. mitmproxy itself releases a flow whose hook raised.
"""

import asyncio
import logging
import re
from collections.abc import Callable

from mitmproxy import http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from protech.guard.gate import (
    HOLD_BYTES,
    TEXT_BYTES,
    RequestFacts,
    ResponseFacts,
    Step,
    claim,
    dropped_headers,
)
from protech.guard.proxy import answers
from protech.guard.proxy.certificates import may_sign
from protech.guard.proxy.coding import CodingError, TooLong, decoded, offered
from protech.guard.proxy.inline import TooManyPictures
from protech.guard.proxy.judging import DEADLINE_S, Counter, Judge, Judging, Unjudged
from protech.guard.proxy.layers import SCREENING
from protech.guard.proxy.placeholder import placeholder
from protech.guard.proxy.stream import Screening
from protech.guard.proxy.targets import Targets
from protech.guard.proxy.upstream import OWN_MACHINE_ERROR, Trouble, trouble
from protech.types import Reason

logger = logging.getLogger(__name__)

FACTS = "facts"
PAUSED = "paused"
SETTLED = "settled"
IF_RANGE = "if-range"
"""Keys of a flow's metadata: what was asked, and whether its answer needs no screening."""

_BREAK = re.compile(rb"[\r\n\0]")

BESIDE_BYTES = 256 * 1024
"""A longer coded body is decoded in a thread, so that others are served meanwhile."""

UPLOAD_BYTES = 1024 * 1024
"""Longer ones are sent on as they come."""

LOOKED_AT = frozenset({"document", "embed", "frame", "iframe", "image", "object", "video"})
"""Values of Sec-Fetch-Dest of things that were to be seen, so that their refusal is counted."""


class Screen:
    """Screens everything that passes; one per proxy."""

    def __init__(
        self,
        *,
        judge: Judge,
        counter: Counter,
        paused: Callable[[], bool],
        targets: Targets,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """Take the parts; nothing is opened."""
        self._judging = Judging(judge, counter, deadline_s=deadline_s)
        self._paused = paused
        self._targets = targets

    def done(self) -> None:
        """Write the last counts."""
        self._judging.close()

    def answer_to_failure(self, flow: http.HTTPFlow, message: str) -> http.Response | None:
        """Return the answer to a request that failed upstream, for ``layers``.

        None where a page asked: it sees the request break off, as it would without a proxy.
        """
        if not answers.is_opened_by_person(flow.request):
            return None
        what = trouble(message, was_connected=flow.server_conn.connected)
        return answers.worded(what, host=flow.request.pretty_host)

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Refuse tunnels to this machine, and encrypted ones that we cannot sign for."""
        host = flow.request.host
        if self._targets.is_refused(host):
            flow.response = answers.worded(Trouble.OWN_MACHINE, host=host, status=403)
        elif (
            flow.request.port != 80 and not may_sign(host) and not self._targets.override(host)
        ):
            flow.response = answers.worded(Trouble.NOT_COVERED, host=host, status=403)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Refuse connections to this machine; names are refused where they are resolved."""
        if data.server.address and self._targets.is_refused(data.server.address[0]):
            data.server.error = OWN_MACHINE_ERROR

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Note what was asked, and keep back what would bring parts or unjudged copies."""
        request = flow.request
        headers = request.headers
        facts = RequestFacts(
            method=request.method,
            destination=headers.get("sec-fetch-dest", ""),
            range=headers.get("range", ""),
        )
        flow.metadata[FACTS] = facts
        flow.metadata[PAUSED] = self._paused()
        if self._targets.is_refused(request.host):
            if answers.is_opened_by_person(request):
                self._settle(flow, answers.worded(Trouble.OWN_MACHINE, host=request.host))
            else:
                flow.kill()
            return
        if "accept-encoding" in headers:
            headers["accept-encoding"] = offered(headers["accept-encoding"])
        _keep_known_extensions(headers)
        if not flow.metadata[PAUSED]:
            flow.metadata[IF_RANGE] = headers.get("if-range")
            for name in dropped_headers(facts):
                headers.pop(name, None)
        length = headers.get("content-length", "")
        is_long = "transfer-encoding" in headers or (
            length.isdigit() and int(length) > UPLOAD_BYTES
        )
        flow.request.stream = is_long

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Decide from the headers how the body is taken in."""
        response = flow.response
        if response is None or flow.metadata.get(SETTLED):
            return
        # HTTP/3 would go past the proxy.
        response.headers.pop("alt-svc", None)
        if flow.metadata.get(PAUSED):
            response.stream = response.status_code != 101
            flow.metadata[SETTLED] = True
            return
        answers.drop_pictures(response)
        facts = flow.metadata.get(FACTS)
        if isinstance(facts, RequestFacts):
            flow.metadata[SCREENING] = Screening(facts, response_facts(response))

    async def response(self, flow: http.HTTPFlow) -> None:
        """Release, replace or refuse what came, whatever happens."""
        came = flow.response
        if came is None or flow.metadata.get(SETTLED):
            return
        if came.stream:
            return
        if came.status_code == 101:
            if flow.websocket is None:
                flow.kill()
            return
        flow.response = answers.refused()
        try:
            flow.response = await self._settled(flow, came)
        except Exception as error:  # noqa: BLE001 - the one boundary: whatever fails, nothing leaves
            logger.error("response refused after error=%s", type(error).__name__)
            self._judging.count(Reason.UNSCANNABLE)

    async def websocket_message(self, flow: http.HTTPFlow) -> None:
        """Screen a whole message of a server; what a person sends is theirs."""
        socket = flow.websocket
        if socket is None or not socket.messages:
            return
        message = socket.messages[-1]
        socket.messages.clear()  # mitmproxy would keep every message until the socket closes.
        if message.from_client:
            return
        content = message.content
        message.content = b""
        try:
            if self._paused():
                message.content = content
                return
            message.content = await self._judging.message(content, is_text=message.is_text)
        except Exception as error:  # noqa: BLE001 - as in response
            logger.error("message dropped after error=%s", type(error).__name__)
            message.drop()

    async def _settled(self, flow: http.HTTPFlow, came: http.Response) -> http.Response:
        screening = flow.metadata.get(SCREENING)
        if not isinstance(screening, Screening):
            return answers.refused()
        screening.finish()
        match screening.step:
            case Step.PASS:
                return came
            case Step.JUDGE:
                return await self._judged(flow, came, screening)
            case Step.REWRITE | Step.STREAM:
                return await self._rewritten(flow, came, screening)
            case Step.HOLD:
                return self._cut_out(flow, came, screening)
            case _:
                return self._hidden(flow, screening)

    async def _judged(
        self, flow: http.HTTPFlow, came: http.Response, screening: Screening
    ) -> http.Response:
        try:
            content = await _decoded(came, screening.response, limit_bytes=HOLD_BYTES)
        except (CodingError, TooLong):
            return self._hidden(flow, screening)
        try:
            stand_in = await self._judging.stand_in(
                content, claim(screening.request, screening.response)
            )
        except Unjudged:
            self._judging.count(Reason.UNSCANNABLE)
            return answers.unkept(answers.replaced(came, placeholder(None, None)))
        if stand_in is not None:
            came = answers.replaced(came, stand_in)
        return self._cut_out(flow, came, screening)

    async def _rewritten(
        self, flow: http.HTTPFlow, came: http.Response, screening: Screening
    ) -> http.Response:
        try:
            body = await _decoded(came, screening.response, limit_bytes=2 * TEXT_BYTES)
            changed, is_lasting = await self._judging.rewrite(body)
        except (CodingError, TooLong, TooManyPictures):
            return answers.failed(flow.request, Trouble.NOT_SCREENABLE)
        if changed is not None:
            came = answers.replaced(came, changed)
            came = came if is_lasting else answers.unkept(came)
        return self._cut_out(flow, came, screening)

    def _cut_out(
        self, flow: http.HTTPFlow, came: http.Response, screening: Screening
    ) -> http.Response:
        asked = screening.request.range
        if not asked or not screening.request.may_be_painted:
            return came
        return answers.cut_out(came, asked, if_range=flow.metadata.get(IF_RANGE))

    def _hidden(self, flow: http.HTTPFlow, screening: Screening) -> http.Response:
        """Return the refusal of what cannot be judged, counted where it was to be looked at."""
        if screening.step is not Step.REFUSE or screening.request.destination in LOOKED_AT:
            self._judging.count(Reason.UNSCANNABLE)
        return answers.failed(flow.request, Trouble.NOT_SCREENABLE)

    def _settle(self, flow: http.HTTPFlow, response: http.Response) -> None:
        flow.response = response
        flow.metadata[SETTLED] = True


def response_facts(response: http.Response) -> ResponseFacts:
    """Return what the headers of ``response`` tell."""
    headers = response.headers
    length = headers.get("content-length", "")
    codings = (
        coding.strip().lower() for coding in headers.get("content-encoding", "").split(",")
    )
    return ResponseFacts(
        status=response.status_code,
        content_type=_essence(headers.get("content-type", "")),
        codings=tuple(coding for coding in codings if coding not in ("", "identity", "none")),
        size_bytes=int(length) if length.isascii() and length.isdigit() else None,
        content_range=headers.get("content-range", ""),
        is_torn=any(_BREAK.search(name + value) for name, value in headers.fields)
        or bool(_BREAK.search(response.data.reason)),
    )


def _essence(content_type: str) -> str:
    """Return the media type that a browser takes: the last valid one of several."""
    types = (one.strip().partition(";")[0].strip() for one in content_type.split(","))
    valid = [one for one in types if "/" in one and one != "*/*"]
    return re.split(r"[\s(;]", valid[-1])[0].lower() if valid else ""


async def _decoded(response: http.Response, facts: ResponseFacts, *, limit_bytes: int) -> bytes:
    body = response.raw_content or b""
    if facts.codings and len(body) > BESIDE_BYTES:
        return await asyncio.to_thread(decoded, body, facts.codings, limit_bytes=limit_bytes)
    return decoded(body, facts.codings, limit_bytes=limit_bytes)


def _keep_known_extensions(headers: http.Headers) -> None:
    """Offer a server only the WebSocket extension that the proxy can undo."""
    offers = headers.get("sec-websocket-extensions")
    if offers is None:
        return
    kept = [
        offer for offer in offers.split(",") if offer.strip().startswith("permessage-deflate")
    ]
    headers.pop("sec-websocket-extensions")
    if kept:
        headers["sec-websocket-extensions"] = ", ".join(offer.strip() for offer in kept)
