import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.salus import wire
from protech.salus.sampling import Sampling
from protech.salus.sniff import MediaType
from protech.salus.wire_measured import WireError
from protech.types import Frame, Measured, Person, Scores

requests = st.builds(
    wire.Request,
    operation=st.sampled_from(wire.Operation),
    sampling=st.sampled_from(Sampling),
    media_type=st.sampled_from(MediaType),
    size_bytes=st.integers(0, 2**64 - 1),
    sequence=st.integers(0, 2**64 - 1),
    seconds=st.floats(min_value=1e-9, max_value=1e9),
    has_descriptor=st.booleans(),
)
messages = st.one_of(
    st.builds(
        wire.Ready,
        has_seccomp=st.booleans(),
        landlock_abi=st.integers(0, 255),
        has_namespaces=st.booleans(),
        warm_bytes=st.integers(0, 2**64 - 1),
    ),
    st.builds(
        wire.Refused,
        refusal=st.sampled_from(wire.Refusal),
        text=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200),
    ),
    st.builds(
        wire.Answer,
        sequence=st.integers(0, 2**64 - 1),
        measured=st.builds(Measured, width_px=st.none() | st.integers(1, 9999)),
    ),
)


def parsed(data: bytes) -> wire.Message:
    kind, size_bytes = wire.parse_head(data[: wire.MESSAGE_BYTES])
    assert len(data) == wire.MESSAGE_BYTES + size_bytes
    return wire.parse_message(kind, data[wire.MESSAGE_BYTES :])


@given(requests)
def test_a_request_comes_back_the_same(request: wire.Request) -> None:
    head = wire.request_bytes(request)
    assert len(head) == wire.REQUEST_BYTES
    assert wire.parse_request(head) == request


@given(messages)
def test_a_message_comes_back_the_same(message: wire.Message) -> None:
    assert parsed(wire.message_bytes(message)) == message


@given(
    st.binary(max_size=100)
    | st.binary(min_size=wire.REQUEST_BYTES, max_size=wire.REQUEST_BYTES)
)
def test_any_bytes_are_a_request_or_refused(head: bytes) -> None:
    try:
        request = wire.parse_request(head)
    except WireError:
        return
    assert 0 < request.seconds < math.inf


@given(
    st.binary(max_size=20)
    | st.binary(min_size=5, max_size=5).map(lambda rest: wire.MESSAGE_MAGIC + rest)
)
def test_any_head_gives_a_capped_length_or_is_refused(head: bytes) -> None:
    try:
        _, size_bytes = wire.parse_head(head)
    except WireError:
        return
    assert size_bytes <= wire.MAX_BODY_BYTES


@given(st.sampled_from(wire.MessageKind), st.binary(max_size=300))
def test_any_body_is_a_message_or_refused(kind: wire.MessageKind, body: bytes) -> None:
    try:
        message = wire.parse_message(kind, body)
    except WireError:
        return
    assert isinstance(message, wire.Ready | wire.Refused | wire.Answer)


@given(messages, st.data())
def test_a_changed_message_is_another_or_refused(
    message: wire.Message, data: st.DataObject
) -> None:
    changed = bytearray(wire.message_bytes(message))
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        kind, _ = wire.parse_head(bytes(changed[: wire.MESSAGE_BYTES]))
        wire.parse_message(kind, bytes(changed[wire.MESSAGE_BYTES :]))
    except WireError:
        return


def test_a_body_is_refused_one_byte_beyond_the_cap() -> None:
    def head(size_bytes: int) -> bytes:
        return struct.pack("<4sBI", wire.MESSAGE_MAGIC, wire.MessageKind.MEASURED, size_bytes)

    at_cap = wire.parse_head(head(wire.MAX_BODY_BYTES))
    assert at_cap == (wire.MessageKind.MEASURED, wire.MAX_BODY_BYTES)
    with pytest.raises(WireError):
        wire.parse_head(head(wire.MAX_BODY_BYTES + 1))
    with pytest.raises(WireError):
        wire.parse_message(wire.MessageKind.MEASURED, bytes(wire.MAX_BODY_BYTES + 1))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(WireError):
        wire.parse_head(struct.pack("<4sBI", wire.MESSAGE_MAGIC, 9, 0))


def test_a_measurement_longer_than_any_message_is_a_fault() -> None:
    crowd = Scores(persons=(Person(apparent_minor=0.5),) * 1024)
    measured = Measured(frames=(Frame(scores=crowd),) * 1100)
    with pytest.raises(ValueError, match="beyond"):
        wire.message_bytes(wire.Answer(sequence=1, measured=measured))


def test_sixteen_frames_full_of_faces_fit() -> None:
    crowd = Scores(explicit=1.0, persons=(Person(apparent_minor=None),) * 896)
    answer = wire.Answer(sequence=1, measured=Measured(frames=(Frame(scores=crowd),) * 16))
    assert parsed(wire.message_bytes(answer)) == answer


def test_a_reason_to_refuse_is_short_and_cannot_steer_a_terminal() -> None:
    refused = wire.Refused(refusal=wire.Refusal.MODEL, text="\x1b[2J\r\n\u202eab" + "x" * 5000)
    got = parsed(wire.message_bytes(refused))
    assert isinstance(got, wire.Refused)
    assert got.text.isprintable()
    assert len(got.text) <= wire.MAX_TEXT_BYTES


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.inf, math.nan])
def test_a_request_without_an_end_is_refused(seconds: float) -> None:
    request = wire.Request(
        operation=wire.Operation.MEASURE,
        media_type=MediaType.PNG,
        size_bytes=1,
        sequence=1,
        seconds=seconds,
        has_descriptor=False,
    )
    with pytest.raises(WireError):
        wire.parse_request(wire.request_bytes(request))


def test_every_media_type_fits_its_field() -> None:
    assert max(len(one.value) for one in MediaType) <= 16
