"""What is known of one response while it arrives: its step, its first bytes, and its cuts."""

from protech.guard.gate import (
    HOLD_BYTES,
    TEXT_BYTES,
    RequestFacts,
    ResponseFacts,
    Step,
    at_head,
    at_headers,
    at_overflow,
    is_text,
)
from protech.guard.proxy import inline
from protech.guard.proxy.coding import CodingError, Decoding, TooLong
from protech.salus.sniff import SNIFF_BYTES

LONG_STREAM_BYTES = 1 << 50
"""Streams are not held, so their decoded length needs no bound."""

HURRY_HEAD_BYTES = 16
"""Enough to tell every signature that browsers paint from text."""

SLOW_S = 2.0
"""Text of unknown length that is still under way after this is taken for a stream."""

_EVENT_STARTS = b":\r\nderi\xef"
"""How lines of an event stream begin (data, event, retry, id, comment); no picture does."""

_NEVER_HURRIED = frozenset(
    {
        "application/javascript",
        "application/xhtml+xml",
        "text/css",
        "text/html",
        "text/javascript",
    }
)
_NEVER_HURRIED_FAMILIES = ("audio/", "font/", "image/", "video/")


class Screening:
    """Follows one response from its headers to the step that settles it.

    ``step`` stays WAIT until the first bytes are in; a held one may turn into another when the
    body grows too long. Where it is STREAM, every piece is asked for with ``may_pass``.
    """

    def __init__(self, request: RequestFacts, response: ResponseFacts) -> None:
        """Decide from the headers."""
        self.request = request
        self.response = response
        self.step = at_headers(request, response)
        self.is_text = False
        self._head = b""
        self._decoding = Decoding(response.codings, limit_bytes=LONG_STREAM_BYTES)
        self._watch: Decoding | None = None
        self._carry = b""

    @property
    def may_hurry(self) -> bool:
        """Whether the body may be a stream that somebody waits for piece by piece."""
        declared = self.response.content_type
        is_whole = declared in _NEVER_HURRIED or declared.startswith(_NEVER_HURRIED_FAMILIES)
        return self.response.size_bytes is None and not is_whole

    def feed(self, data: bytes, held_bytes: int) -> None:
        """Take a piece of a held body of which ``held_bytes`` are in, this piece included."""
        if self.step is Step.PASS:
            self.step = Step.REFUSE  # It was said to have no body.
        if self.step is Step.WAIT:
            self._look(data)
            if self._is_enough():
                self._settle()
        limit = TEXT_BYTES if self.step is Step.REWRITE else HOLD_BYTES
        if self.step.is_held and held_bytes > limit:
            self.step = at_overflow(self.step)

    def finish(self) -> None:
        """Decide by what there is: the body has ended."""
        if self.step is Step.WAIT:
            self._settle()

    def hurry(self) -> None:
        """Decide by what there is: the body takes long and more may not come soon."""
        if self.step is Step.WAIT and len(self._head) >= HURRY_HEAD_BYTES:
            self._settle()
        if self.step is Step.REWRITE:
            self.step = Step.STREAM

    def may_pass(self, data: bytes) -> bool:
        """Return whether a piece of a stream may go on; once False, nothing more may.

        Raises nothing: what cannot be decoded may not pass.
        """
        if not self.is_text:
            return True
        if self._watch is None:
            self._watch = Decoding(self.response.codings, limit_bytes=LONG_STREAM_BYTES)
        try:
            for piece in self._watch.feed(data):
                if inline.cuts(self._carry + piece):
                    return False
                self._carry = (self._carry + piece)[-inline.CARRY_BYTES :]
        except CodingError:
            return False
        return True

    def _look(self, data: bytes) -> None:
        try:
            for piece in self._decoding.feed(data):
                self._head += piece[: SNIFF_BYTES - len(self._head)]
                if len(self._head) >= SNIFF_BYTES:
                    return
        except (CodingError, TooLong):
            self.step = Step.REFUSE

    def _is_enough(self) -> bool:
        is_event = self.response.content_type == "text/event-stream"
        if is_event and self._head[:1] and self._head[:1] in _EVENT_STARTS:
            return True
        return len(self._head) >= SNIFF_BYTES

    def _settle(self) -> None:
        self.step = at_head(self.request, self.response, self._head)
        self.is_text = is_text(self.request, self.response, self._head)
