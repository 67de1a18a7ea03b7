import base64
import gzip
import zlib

import pytest

from protech.guard.gate import HOLD_BYTES, TEXT_BYTES, RequestFacts, ResponseFacts, Step
from protech.guard.proxy import stream
from protech.guard.proxy.stream import Screening
from protech.salus.sniff import SNIFF_BYTES
from tests.proxied import picture

JPEG = picture(1, size=(200, 200))
TEXT = b"<p>words</p>" * 1000


def screening(content_type: str = "", **facts: object) -> Screening:
    request = RequestFacts(method="GET")
    response = ResponseFacts(status=200, content_type=content_type, **facts)  # type: ignore[arg-type]
    return Screening(request, response)


def test_the_first_bytes_are_waited_for() -> None:
    case = screening()
    case.feed(JPEG[: SNIFF_BYTES - 1], SNIFF_BYTES - 1)
    assert case.step.value == "wait"
    case.feed(JPEG[SNIFF_BYTES - 1 : SNIFF_BYTES], SNIFF_BYTES)
    assert case.step.value == "judge"


def test_a_short_body_is_decided_at_its_end() -> None:
    case = screening()
    case.feed(b"GIF89a\x01\x00", 8)
    case.finish()
    assert case.step is Step.JUDGE


def test_coded_first_bytes_are_decoded() -> None:
    case = screening(codings=("gzip",))
    case.feed(gzip.compress(JPEG), 100)
    assert case.step is Step.JUDGE


def test_first_bytes_that_cannot_be_decoded_are_refused() -> None:
    case = screening(codings=("gzip",))
    case.feed(JPEG, len(JPEG))
    assert case.step is Step.REFUSE


@pytest.mark.parametrize(
    ("body", "limit", "step"), [(JPEG, HOLD_BYTES, Step.HIDE), (TEXT, TEXT_BYTES, Step.STREAM)]
)
def test_a_body_may_be_held_up_to_its_limit(body: bytes, limit: int, step: Step) -> None:
    case = screening()
    case.feed(body, limit)
    assert case.step.is_held
    case.feed(b"", limit + 1)
    assert case.step is step


@pytest.mark.parametrize(
    "line", [b"data: x\n\n", b": hello\n\n", b"\n", b"event: a\n", b"id: 1"]
)
def test_an_event_stream_is_let_through_with_its_first_line(line: bytes) -> None:
    case = screening("text/event-stream")
    case.feed(line, len(line))
    assert case.step is Step.STREAM


def test_a_picture_that_says_to_be_an_event_stream_is_judged() -> None:
    case = screening("text/event-stream")
    case.feed(JPEG[:100], 100)
    assert case.step.value == "wait"
    case.feed(JPEG[100:], len(JPEG))
    assert case.step.value == "judge"


def test_slow_text_becomes_a_stream_and_a_slow_picture_does_not() -> None:
    text, jpeg = screening("application/x-ndjson"), screening()
    for case, head in ((text, b'{"a": "some words"}\n'), (jpeg, JPEG[:100])):
        assert case.may_hurry
        case.feed(head, len(head))
        case.hurry()
    assert text.step is Step.STREAM
    assert jpeg.step is Step.JUDGE


def test_too_little_is_not_decided_in_a_hurry() -> None:
    case = screening()
    case.feed(b"\xff", 1)
    case.hurry()
    assert case.step is Step.WAIT


def test_a_page_or_a_body_of_known_length_is_never_hurried() -> None:
    assert not screening("text/html").may_hurry
    assert not screening("text/css").may_hurry
    assert not screening("image/jpeg").may_hurry
    assert not screening("application/json", size_bytes=9).may_hurry


def test_a_text_stream_is_cut_at_a_picture_even_across_pieces() -> None:
    case = screening("text/event-stream")
    case.feed(b"data: hello\n\n", 13)
    assert case.may_pass(b"data: hello\n\n")
    line = b'data: {"image": "' + base64.b64encode(JPEG) + b'"}\n\n'
    cut = line.index(b"/9j/") + 2
    assert case.may_pass(line[:cut])
    assert not case.may_pass(line[cut:])


def test_a_coded_text_stream_is_read_through_its_coding() -> None:
    case = screening("text/event-stream", codings=("gzip",))
    coder = zlib.compressobj(wbits=31)
    first = coder.compress(b"data: hello\n\n") + coder.flush(zlib.Z_SYNC_FLUSH)
    second = coder.compress(b'data: "' + base64.b64encode(JPEG) + b'"') + coder.flush()
    case.feed(first, len(first))
    assert case.step is Step.STREAM
    assert case.may_pass(first)
    assert not case.may_pass(second)


def test_a_stream_that_stops_making_sense_is_cut() -> None:
    case = screening("text/event-stream", codings=("gzip",))
    body = gzip.compress(b"data: hello\n\n" * 20)
    case.feed(body[:20], 20)
    case.finish()
    case.is_text = True
    assert not case.may_pass(b"nonsense" * 9)


def test_a_stream_of_bytes_is_passed_without_a_look() -> None:
    case = screening("application/zip")
    case.feed(b"PK\x03\x04" + bytes(SNIFF_BYTES), SNIFF_BYTES)
    assert case.step is Step.STREAM
    assert case.may_pass(b"/9j/" * 40)


def test_a_stream_has_no_bound_of_its_own() -> None:
    assert stream.LONG_STREAM_BYTES > 1 << 40
