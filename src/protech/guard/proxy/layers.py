"""How the proxy's connections behave where mitmproxy's own ways would let something through.

Three things differ. A body is held only as long as its screening wants, then streamed, cut or
refused. An error is answered in our words or, to a page, in none, never in mitmproxy's. And
nothing but HTTP is tunnelled, for what cannot be read cannot be screened.
"""

import logging
import re
from collections.abc import Callable

from mitmproxy import http
from mitmproxy.addons.next_layer import NextLayer, stack_match
from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import ClientTLSLayer, ServerTLSLayer, modes
from mitmproxy.proxy.layers.http import (
    DropStream,
    ErrorCode,
    HttpLayer,
    HTTPMode,
    HttpStream,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    SendHttp,
)
from mitmproxy.proxy.layers.tls import HTTP_ALPNS

from protech.guard.gate import Step
from protech.guard.proxy.certificates import may_sign
from protech.guard.proxy.stream import SLOW_S, Screening

logger = logging.getLogger(__name__)

TLS_HEAD_BYTES = 3
"""Enough to know a TLS record: its type and version."""

SCREENING = "screening"
"""Key of a flow's ``Screening`` in its metadata; a flow without one is held whole."""

_REQUEST_LINE = re.compile(rb"[A-Z-]{1,20} \S+ HTTP/1\.[01]\r?")
_REQUEST_START = re.compile(rb"[A-Z-]{1,20}(?: \S*(?: [HTP/1.]*)?)?")

Answer = Callable[[http.HTTPFlow, str], http.Response | None]
"""Makes the answer to a request that failed for the reason in mitmproxy's words; None breaks
the request off, as a network without a proxy would."""


class GuardStream(HttpStream):
    """One request and its answer; the answer leaves as its screening says."""

    @property
    def _screening(self) -> Screening | None:
        screening = self.flow.metadata.get(SCREENING)
        return screening if isinstance(screening, Screening) else None

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Wakeup):
            yield from self._hurry()
        else:
            yield from super()._handle_event(event)

    def state_wait_for_response_headers(
        self, event: ResponseHeaders
    ) -> layer.CommandGenerator[None]:
        """Ask for a wake-up where the body may be a slow stream."""
        yield from super().state_wait_for_response_headers(event)
        screening = self._screening
        if screening is None or event.end_stream:
            return
        yield from self._follow(screening)
        if screening.step is Step.WAIT and screening.may_hurry:
            yield commands.RequestWakeup(SLOW_S)

    def state_consume_response_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        """Hold the body, letting its screening decide with every piece."""
        screening = self._screening
        if screening is None or not isinstance(event, ResponseData):
            yield from super().state_consume_response_body(event)
            return
        self.response_body_buf += event.data
        screening.feed(event.data, len(self.response_body_buf))
        yield from self._follow(screening)

    def state_stream_response_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        """Pass the body on piece by piece, until a piece may not pass."""
        if isinstance(event, ResponseData) and not self._may_pass(event.data):
            yield from self._cut()
            return
        yield from super().state_stream_response_body(event)

    def _may_pass(self, data: bytes) -> bool:
        screening = self._screening
        return screening is None or screening.may_pass(data)

    def _hurry(self) -> layer.CommandGenerator[None]:
        screening = self._screening
        if screening is None or self.server_state != self.state_consume_response_body:
            return
        screening.hurry()
        if screening.step is Step.WAIT:
            yield commands.RequestWakeup(SLOW_S)
        yield from self._follow(screening)

    def _follow(self, screening: Screening) -> layer.CommandGenerator[None]:
        """Do at once what the step asks, where it needs no more of the body."""
        if self.server_state != self.state_consume_response_body or self.flow.response is None:
            return
        if screening.step is Step.STREAM:
            held = bytes(self.response_body_buf)
            self.response_body_buf.clear()
            self.flow.response.stream = True
            yield from self.start_response_stream()
            if held:
                yield from self.state_stream_response_body(ResponseData(self.stream_id, held))
        elif screening.step in (Step.HIDE, Step.REFUSE):
            self.response_body_buf.clear()
            if self.client_state == self.state_done:
                yield from self._stop_server()
                yield from self.send_response()

    def _cut(self) -> layer.CommandGenerator[None]:
        """End the answer where it is, so that the client sees it broken and not complete."""
        yield SendHttp(
            ResponseProtocolError(self.stream_id, "", ErrorCode.GENERIC_SERVER_ERROR),
            self.context.client,
        )
        yield from self._stop_server()
        self.client_state = self.server_state = self.state_errored
        self.flow.live = False
        yield DropStream(self.stream_id)

    def _stop_server(self) -> layer.CommandGenerator[None]:
        yield SendHttp(
            RequestProtocolError(self.stream_id, "", ErrorCode.CANCEL), self.context.server
        )


class GuardLayer(HttpLayer):
    """The requests of one connection; errors are answered by ``answer``."""

    def __init__(self, context: Context, mode: HTTPMode, answer: Answer) -> None:
        """Take how failed requests are answered."""
        super().__init__(context, mode)
        self._answer = answer
        self._answered: set[int] = set()

    def make_stream(self, stream_id: int) -> layer.CommandGenerator[None]:
        """Give every request a stream of ours."""
        self._answered.discard(stream_id)
        self.streams[stream_id] = GuardStream(self.context.fork(), stream_id)
        yield from self.event_to_child(self.streams[stream_id], events.Start())

    def event_to_child(
        self, child: layer.Layer | HttpStream, event: events.Event
    ) -> layer.CommandGenerator[None]:
        """Put our answer in place of an error that mitmproxy would word itself."""
        if child is self.connections.get(self.context.client):
            if isinstance(event, ResponseHeaders):
                self._answered.add(event.stream_id)
            elif isinstance(event, ResponseProtocolError):
                yield from self._failed(child, event)
                return
        yield from super().event_to_child(child, event)

    def _failed(
        self, child: layer.Layer | HttpStream, event: ResponseProtocolError
    ) -> layer.CommandGenerator[None]:
        stream = self.streams.get(event.stream_id)
        is_silent = event.code.http_status_code() is None
        if stream is None or is_silent or event.stream_id in self._answered:
            yield from super().event_to_child(child, event)
            return
        self._answered.add(event.stream_id)
        answer = self._answer(stream.flow, event.message)
        if answer is None:
            broken = ResponseProtocolError(event.stream_id, event.message, ErrorCode.KILL)
            yield from super().event_to_child(child, broken)
            return
        content = answer.raw_content or b""
        number = event.stream_id
        yield from super().event_to_child(child, ResponseHeaders(number, answer, not content))
        if content:
            yield from super().event_to_child(child, ResponseData(number, content))
        yield from super().event_to_child(child, ResponseEndOfMessage(number))


class Refused(layer.Layer):
    """Closes a tunnel that carries something else than HTTP."""

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Start):
            logger.warning("tunnel refused: it carries no HTTP and cannot be screened")
            yield commands.CloseConnection(self.context.client)


class OnlyHttp(NextLayer):
    """Chooses the protocol of a connection: HTTP, HTTP inside TLS, or none."""

    name = "nextlayer"  # what mitmproxy's server looks for

    def __init__(self, answer: Answer) -> None:
        """Take how failed requests are answered."""
        self._answer = answer

    def _next_layer(
        self,
        context: Context,
        data_client: bytes,
        data_server: bytes,  # noqa: ARG002 - mitmproxy's signature
    ) -> layer.Layer | None:
        if stack_match(context, [modes.HttpProxy]):
            return GuardLayer(context, HTTPMode.regular, self._answer)
        if context.client.alpn in HTTP_ALPNS:
            return GuardLayer(context, HTTPMode.transparent, self._answer)
        if not context.client.tls and data_client[:1] in (b"", b"\x16"):
            if len(data_client) < TLS_HEAD_BYTES:
                return None
            return (
                self._tls(context) if starts_like_tls_record(data_client) else Refused(context)
            )
        line, end, _ = data_client.partition(b"\n")
        if end and _REQUEST_LINE.fullmatch(line):
            return GuardLayer(context, HTTPMode.transparent, self._answer)
        is_begun = not end and (not line or _REQUEST_START.fullmatch(line))
        return None if is_begun else Refused(context)

    def _tls(self, context: Context) -> layer.Layer:
        if context.server.address and not may_sign(context.server.address[0]):
            return Refused(context)
        server = ServerTLSLayer(context)
        server.child_layer = ClientTLSLayer(context)
        return server
