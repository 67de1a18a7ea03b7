import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.guard.gate import (
    DICTIONARY_HEADERS,
    HOLD_BYTES,
    NEVER_PAINTED,
    RANGE_HEADERS,
    TEXT_BYTES,
    VALIDATORS,
    RequestFacts,
    ResponseFacts,
    Step,
    at_head,
    at_headers,
    at_overflow,
    claim,
    dropped_headers,
    looks_like_text,
    media_type_of,
)
from protech.types import Kind

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(64)
MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(64)
BINARY = b"\x00\x01\x02\x03 nothing known \x04\x05" + bytes(64)
WAVE = b"RIFF\x00\x00\x00\x00WAVEfmt " + bytes(64)

ANY = RequestFacts(method="GET")


def asked(destination: str = "", part: str = "", method: str = "GET") -> RequestFacts:
    return RequestFacts(method=method, destination=destination, range=part)


def sent(
    content_type: str = "",
    *,
    status: int = 200,
    size: int | None = None,
    codings: tuple[str, ...] = (),
    content_range: str = "",
) -> ResponseFacts:
    return ResponseFacts(
        status=status,
        content_type=content_type,
        size_bytes=size,
        codings=codings,
        content_range=content_range,
    )


@pytest.mark.parametrize(
    "destination", ["", "image", "document", "empty", "video", "new-thing"]
)
def test_parts_and_validators_are_not_asked_of_a_server_where_bytes_may_be_painted(
    destination: str,
) -> None:
    assert dropped_headers(asked(destination)) >= RANGE_HEADERS | VALIDATORS


@pytest.mark.parametrize("destination", sorted(NEVER_PAINTED))
def test_a_script_or_font_may_be_asked_for_conditionally(destination: str) -> None:
    assert dropped_headers(asked(destination)) == DICTIONARY_HEADERS


@pytest.mark.parametrize(
    ("request_", "response", "step"),
    [
        (ANY, ResponseFacts(status=200, is_torn=True), Step.REFUSE),
        (ANY, sent(status=304), Step.REFUSE),
        (asked("script"), sent(status=304), Step.PASS),
        (ANY, sent("image/jpeg", status=204), Step.PASS),
        (ANY, sent(status=205), Step.PASS),
        (ANY, sent(status=101), Step.PASS),
        (ANY, sent("image/jpeg", size=0), Step.PASS),
        (asked(method="HEAD"), sent("image/jpeg", size=9), Step.PASS),
        (ANY, sent("image/jpeg", status=206), Step.REFUSE),
        (ANY, sent("text/css", status=206), Step.REFUSE),
        (asked("style"), sent("text/css", status=206), Step.WAIT),
        (asked("font"), sent("font/woff2", status=206), Step.WAIT),
        (asked("script"), sent("image/png", status=206), Step.REFUSE),
        (ANY, sent("multipart/byteranges"), Step.REFUSE),
        (ANY, sent("image/png", status=206, content_range="bytes 0-9/10"), Step.WAIT),
        (ANY, sent("image/png", status=206, content_range="bytes 0-8/10"), Step.REFUSE),
        (ANY, sent("image/png", status=206, content_range="bytes 1-9/10"), Step.REFUSE),
        (ANY, sent("image/png", status=206, content_range="bytes 0-9/*"), Step.REFUSE),
        (ANY, sent("multipart/x-mixed-replace"), Step.REFUSE),
        (ANY, sent("text/html", codings=("gzip",)), Step.WAIT),
        (ANY, sent("text/html", codings=("dcz",)), Step.REFUSE),
        (ANY, sent("text/html", codings=("gzip", "foo")), Step.REFUSE),
        (ANY, sent("text/html", codings=("foo",)), Step.WAIT),
        (ANY, sent("text/html", codings=("gzip",) * 4), Step.REFUSE),
        (ANY, sent("text/html", codings=("utf-8",)), Step.WAIT),
        (ANY, sent("image/jpeg", status=404), Step.WAIT),
    ],
)
def test_headers_decide(request_: RequestFacts, response: ResponseFacts, step: Step) -> None:
    assert at_headers(request_, response) is step


@pytest.mark.parametrize(
    ("request_", "response", "head", "step"),
    [
        (ANY, sent(), b"", Step.PASS),
        (ANY, sent("text/html"), JPEG, Step.JUDGE),
        (asked("script"), sent("text/javascript"), JPEG, Step.JUDGE),
        (ANY, sent(size=HOLD_BYTES), JPEG, Step.JUDGE),
        (ANY, sent(size=HOLD_BYTES + 1), JPEG, Step.HIDE),
        (ANY, sent("application/octet-stream"), MP4, Step.HIDE),
        (ANY, sent("text/event-stream"), b"data: hello\n\n", Step.STREAM),
        (ANY, sent("text/event-stream"), JPEG, Step.JUDGE),
        (ANY, sent("text/html"), b"<!doctype html>", Step.REWRITE),
        (asked("image"), sent("image/svg+xml"), b"<svg xmlns='x'>", Step.REWRITE),
        (ANY, sent(), b"plain words", Step.REWRITE),
        (ANY, sent("text/plain", size=TEXT_BYTES), b"words", Step.REWRITE),
        (ANY, sent("text/plain", size=TEXT_BYTES + 1), b"words", Step.STREAM),
        (ANY, sent("application/json"), BINARY, Step.REWRITE),
        (ANY, sent("application/vnd.x+json"), BINARY, Step.REWRITE),
        (asked("image"), sent("text/plain"), BINARY, Step.JUDGE),
        (asked("video"), sent("text/plain"), BINARY, Step.HIDE),
        (asked("video"), sent("audio/wav"), WAVE, Step.STREAM),
        (ANY, sent("video/mp2t"), BINARY, Step.HIDE),
        (ANY, sent("application/vnd.yt-ump"), BINARY, Step.HIDE),
        (ANY, sent("image/x-unheard-of"), BINARY, Step.JUDGE),
        (ANY, sent("application/zip"), b"PK\x03\x04\x00\x00", Step.STREAM),
        (asked("font"), sent("font/woff2"), b"wOF2\x00\x01\x00\x00", Step.STREAM),
        (asked(part="bytes=0-9"), sent(size=HOLD_BYTES), BINARY, Step.HOLD),
        (asked(part="bytes=0-9"), sent(size=HOLD_BYTES + 1), BINARY, Step.REFUSE),
        (asked(part="bytes=0-9"), sent(), BINARY, Step.REFUSE),
        (asked(part="bytes=9-"), sent(), BINARY, Step.STREAM),
        (asked("font", part="bytes=0-9"), sent(), BINARY, Step.STREAM),
    ],
)
def test_first_bytes_decide(
    request_: RequestFacts, response: ResponseFacts, head: bytes, step: Step
) -> None:
    assert at_head(request_, response, head) is step


def test_what_is_held_too_long_is_hidden_if_a_picture_and_streamed_if_text() -> None:
    assert at_overflow(Step.JUDGE) is Step.HIDE
    assert at_overflow(Step.WAIT) is Step.HIDE
    assert at_overflow(Step.REWRITE) is Step.STREAM
    assert at_overflow(Step.HOLD) is Step.STREAM


def test_only_held_steps_say_so() -> None:
    held = {step for step in Step if step.is_held}
    assert held == {Step.JUDGE, Step.REWRITE, Step.HOLD, Step.WAIT}


@pytest.mark.parametrize(
    ("destination", "content_type", "kind"),
    [
        ("image", "", Kind.IMAGE),
        ("", "image/png", Kind.IMAGE),
        ("video", "image/png", Kind.VIDEO),
        ("", "video/webm", Kind.VIDEO),
        ("image", "video/vnd.mozilla.apng", Kind.IMAGE),
        ("", "application/zip", None),
    ],
)
def test_a_claim_is_made_by_use_or_by_declaration(
    destination: str, content_type: str, kind: Kind | None
) -> None:
    assert claim(asked(destination), sent(content_type)) is kind


@pytest.mark.parametrize(
    "head",
    [
        b"\x00\x00\x00\x18stypmsdh",
        b"\x00\x00\x01\x00moof....",
        b"\x00\x00\x00\x2csidx....",
        b"\x00\x00\x00\x2cemsg....",
        b"\x1f\x43\xb6\x75\x01",
    ],
)
def test_a_segment_of_streamed_video_is_video(head: bytes) -> None:
    assert media_type_of(head).kind is Kind.VIDEO


def test_utf_16_with_a_mark_is_text() -> None:
    assert looks_like_text("\ufeffwords".encode("utf-16-le"))
    assert not looks_like_text(BINARY)


FACTS = st.builds(
    ResponseFacts,
    status=st.sampled_from([200, 203, 206, 304, 404, 500]),
    content_type=st.sampled_from(["", "image/jpeg", "text/html", "text/css", "font/woff"]),
    codings=st.sampled_from([(), ("gzip",), ("dcb",)]),
    size_bytes=st.sampled_from([None, 0, 100, HOLD_BYTES, HOLD_BYTES + 1]),
    content_range=st.sampled_from(["", "bytes 0-1/9", "bytes 0-8/9", "nonsense"]),
)
REQUESTS = st.builds(
    RequestFacts,
    method=st.sampled_from(["GET", "POST"]),
    destination=st.sampled_from(["", "image", "script", "empty", "document", "font"]),
    range=st.sampled_from(["", "bytes=0-", "bytes=0-9", "bytes=-3"]),
)


@given(REQUESTS, FACTS, st.sampled_from([JPEG, MP4]))
def test_a_picture_is_never_passed_unjudged(
    request_: RequestFacts, response: ResponseFacts, head: bytes
) -> None:
    first = at_headers(request_, response)
    assert (
        first in (Step.WAIT, Step.REFUSE) or response.status == 304 or not response.size_bytes
    )
    assert at_head(request_, response, head) in (Step.JUDGE, Step.HIDE)
