"""What is done with each answer of a server, decided from headers and first bytes alone.

Headers (``at_headers``), first row that applies:

    a line break inside a header: a browser reads other headers than we REFUSE
    no body by its nature (HEAD, 1xx, 204, 205, length 0)               PASS; with one, REFUSE
    304, and we had taken the validators out of the request             REFUSE
    304 otherwise: only where bytes are never painted                   PASS
    a part (206, multipart/byteranges) that is or may be of a picture   REFUSE
    multipart/x-mixed-replace: pictures without an end                  REFUSE
    a content coding that cannot be undone here, or one beside unknown  REFUSE
    otherwise                                                           WAIT for the first bytes

First bytes (``at_head``), first row that applies:

    nothing                                                             PASS
    the signature of an image, body within HOLD_BYTES                   JUDGE
    the signature of an image, longer                                   HIDE
    the signature of a video, of a sound that may be one                HIDE for now
    text/event-stream                                                   STREAM
    text, SVG among it, within TEXT_BYTES                               REWRITE
    text, longer                                                        STREAM
    the signature of a sound                                            STREAM
    said to be or used as a video                                       HIDE
    said to be or used as an image                                      JUDGE
    a range was asked of something of known, moderate length            HOLD
    a closed range was asked of anything else                           REFUSE
    otherwise: archives, fonts, programs, documents                     STREAM

A held body that grows too long (``at_overflow``): JUDGE becomes HIDE, REWRITE and HOLD become
STREAM. A stream is cut at the first sign of a picture in it (``guard.proxy.stream``). HIDE is
what a video gets until video is judged; HOLD keeps a body to cut the range out of it.

Requests (``dropped_headers``): ranges and validators never reach the server unless the browser
says that the bytes are not for painting, for a 206 would be a part that cannot be judged, and a
304 would bring back bytes that were never judged under the lists of today.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from protech.guard.sounds import is_boxed_sound, is_sound
from protech.salus.sniff import MediaType, sniff
from protech.types import Kind

HOLD_BYTES = 64 * 1024 * 1024
"""A longer image is hidden as too large: six at once must fit a small machine."""

TEXT_BYTES = 32 * 1024 * 1024
"""Text is rewritten up to this size, as sent and again once decoded."""

KNOWN_CODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd"})
FOREIGN_CODINGS = frozenset({"compress", "x-compress", "dcb", "dcz", "sdch"})
"""Codings that some browser undoes and we cannot: dictionaries that only the browser holds."""

CODINGS_IN_A_ROW = 3

NEVER_PAINTED = frozenset(
    {
        "audioworklet",
        "font",
        "json",
        "manifest",
        "paintworklet",
        "report",
        "script",
        "serviceworker",
        "sharedworker",
        "style",
        "track",
        "webidentity",
        "worker",
        "xslt",
    }
)
"""Values of Sec-Fetch-Dest whose bytes become no pixels. Source: Fetch, "destination"."""

RANGE_HEADERS = frozenset({"range", "if-range"})
VALIDATORS = frozenset({"if-none-match", "if-modified-since"})
DICTIONARY_HEADERS = frozenset({"available-dictionary", "dictionary-id"})

_PARTIAL_TYPES = frozenset({"text/css", "text/plain", "application/json", "application/wasm"})
_SCRIPT_TYPES = frozenset({"text/javascript", "application/javascript"})
_VIDEO_TYPES = frozenset(
    {"application/vnd.yt-ump", "application/mp4", "application/x-shockwave-flash"}
)
_TEXT_TYPES = frozenset(
    {
        "application/ecmascript",
        "application/javascript",
        "application/json",
        "application/manifest+json",
        "application/ld+json",
        "application/x-javascript",
        "application/x-ndjson",
        "application/xhtml+xml",
        "application/xml",
        "message/rfc822",
        "multipart/alternative",
        "multipart/form-data",
        "multipart/mixed",
        "multipart/related",
    }
)
_WHOLE_RANGE = re.compile(r"bytes 0-(\d+)/(\d+)")
_CLOSED_RANGE = re.compile(r"bytes=\d+-\d+", re.ASCII)
_CONTROLS = bytes({*range(9), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)})
"""Bytes that no text holds. Source: WHATWG MIME Sniffing 3, "binary data byte"."""
_BLANKS = b"\t\n\x0c\r "
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class Step(StrEnum):
    """What happens next with one response."""

    PASS = "pass"  # noqa: S105 - a step, not a secret
    WAIT = "wait"
    JUDGE = "judge"
    REWRITE = "rewrite"
    HOLD = "hold"
    STREAM = "stream"
    HIDE = "hide"
    REFUSE = "refuse"

    @property
    def is_held(self) -> bool:
        """Whether the body is kept until it is whole."""
        return self in (Step.JUDGE, Step.REWRITE, Step.HOLD, Step.WAIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """What a request tells: method, Sec-Fetch-Dest and Range, each "" where it was not sent."""

    method: str
    destination: str = ""
    range: str = ""

    @property
    def may_be_painted(self) -> bool:
        """Whether the bytes may become pixels, as far as the browser says."""
        return self.destination not in NEVER_PAINTED


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFacts:
    """What the headers of a response tell.

    ``content_type`` is the essence, lower case; ``codings`` in the order they were applied;
    ``size_bytes`` is Content-Length, None if not sent.
    """

    status: int
    content_type: str = ""
    codings: tuple[str, ...] = ()
    size_bytes: int | None = None
    content_range: str = ""
    is_torn: bool = False
    """Whether a header holds a line break, where Chromium begins another one."""


def dropped_headers(request: RequestFacts) -> frozenset[str]:
    """Return the lower-case names of request headers that the server must not see."""
    if request.may_be_painted:
        return RANGE_HEADERS | VALIDATORS | DICTIONARY_HEADERS
    return DICTIONARY_HEADERS


def at_headers(request: RequestFacts, response: ResponseFacts) -> Step:
    """Return PASS, REFUSE, or WAIT where the first bytes have to be seen."""
    if response.is_torn:
        return Step.REFUSE
    if response.status == 304:
        return Step.REFUSE if request.may_be_painted else Step.PASS
    if _has_no_body(request, response):
        return Step.PASS
    if _is_part(response) and not _is_harmless_part(request, response):
        return Step.REFUSE
    if response.content_type == "multipart/x-mixed-replace":
        return Step.REFUSE
    return Step.WAIT if _is_undoable(response.codings) else Step.REFUSE


def at_head(request: RequestFacts, response: ResponseFacts, head: bytes) -> Step:
    """Return what is done with a body by its decoded first ``sniff.SNIFF_BYTES`` bytes.

    ``head`` is shorter only where the body is.
    """
    if not head:
        return Step.PASS
    kind = media_type_of(head).kind
    size_bytes = response.size_bytes or 0
    if kind is Kind.IMAGE:
        return Step.JUDGE if size_bytes <= HOLD_BYTES else Step.HIDE
    if kind is Kind.VIDEO or (is_boxed_sound(head) and request.destination != "audio"):
        return Step.HIDE
    if is_text(request, response, head):
        is_short = size_bytes <= TEXT_BYTES and response.content_type != "text/event-stream"
        return Step.REWRITE if is_short else Step.STREAM
    return _at_other_head(request, response, head)


def is_text(request: RequestFacts, response: ResponseFacts, head: bytes) -> bool:
    """Return whether a browser may read a body as text, whatever else it holds."""
    if looks_like_text(head) or head.lstrip(_BLANKS).startswith(b"<"):
        return True
    return _says_text(response) and claim(request, response) is None


def at_overflow(step: Step) -> Step:
    """Return what becomes of a held body that turns out longer than may be held."""
    return Step.HIDE if step in (Step.JUDGE, Step.WAIT) else Step.STREAM


def claim(request: RequestFacts, response: ResponseFacts) -> Kind | None:
    """Return what the item says or is used as; None where it claims to be no picture."""
    declared = response.content_type
    if request.destination == "video" or declared in _VIDEO_TYPES:
        return Kind.VIDEO
    if declared.startswith("video/") and declared != "video/vnd.mozilla.apng":
        return Kind.VIDEO
    if request.destination == "image" or declared.startswith("image/"):
        return Kind.IMAGE
    return None


def media_type_of(head: bytes) -> MediaType:
    """Return the format of an item, fragments of streamed video among them."""
    if is_sound(head):
        return MediaType.OTHER
    if head[4:8] in (b"styp", b"sidx", b"moof", b"emsg") or head.startswith(
        b"\x1f\x43\xb6\x75"
    ):
        return MediaType.MP4  # A segment as players fetch it (ISO 23009-1; a WebM cluster).
    return sniff(head)


def looks_like_text(head: bytes) -> bool:
    """Return whether ``head`` begins text, whatever was declared."""
    return head.startswith(_MARKS) or len(head.translate(None, _CONTROLS)) == len(head)


def _at_other_head(request: RequestFacts, response: ResponseFacts, head: bytes) -> Step:
    if not is_sound(head):
        match claim(request, response):
            case Kind.VIDEO:
                return Step.HIDE
            case Kind.IMAGE:
                return Step.JUDGE
            case _:
                pass
    if not request.range or not request.may_be_painted:
        return Step.STREAM
    if response.size_bytes is not None and response.size_bytes <= HOLD_BYTES:
        return Step.HOLD
    return Step.REFUSE if _CLOSED_RANGE.match(request.range) else Step.STREAM


def _is_undoable(codings: tuple[str, ...]) -> bool:
    # Chromium undoes none of them where it does not know one.
    known = [coding for coding in codings if coding in KNOWN_CODINGS]
    is_mixed = bool(known) and len(known) < len(codings)
    is_foreign = any(coding in FOREIGN_CODINGS for coding in codings)
    return not (is_mixed or is_foreign or len(codings) > CODINGS_IN_A_ROW)


def _has_no_body(request: RequestFacts, response: ResponseFacts) -> bool:
    is_bare = response.status < 200 or response.status in (204, 205)
    return is_bare or request.method in ("HEAD", "CONNECT") or response.size_bytes == 0


def _says_text(response: ResponseFacts) -> bool:
    declared = response.content_type
    is_family = declared.startswith("text/") or declared.endswith(("+xml", "+json"))
    return is_family or declared in _TEXT_TYPES


def _is_part(response: ResponseFacts) -> bool:
    return response.status == 206 or response.content_type == "multipart/byteranges"


def _is_harmless_part(request: RequestFacts, response: ResponseFacts) -> bool:
    whole = _WHOLE_RANGE.fullmatch(response.content_range)
    if whole and int(whole[1]) + 1 == int(whole[2]):
        return True
    declared = response.content_type
    is_plain = declared in _PARTIAL_TYPES or declared in _SCRIPT_TYPES
    return not request.may_be_painted and (is_plain or declared.startswith("font/"))
