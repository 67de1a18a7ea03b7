"""Layouts of the detector's wire: what goes in comes out, and nothing else is taken."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.serve.detector_wire import (
    ANSWER,
    DEADLINE_MS,
    FORMAT,
    INLINE_BYTES,
    REQUEST,
    STATE_BYTES,
    STATE_HEAD,
    Answer,
    Operation,
    Request,
    Status,
    Surface,
    WireError,
    pack_answer,
    pack_request,
    pack_state,
    unpack_answer,
    unpack_request,
    unpack_state_head,
)
from protech.types import Decision, Kind, Reason

SIZES_PX = st.none() | st.integers(1, 2**32 - 1)

requests = st.builds(
    Request,
    operation=st.sampled_from(Operation),
    claims=st.none() | st.sampled_from(Kind),
    surface=st.sampled_from(Surface),
    has_descriptor=st.just(True),
    deadline_ms=st.integers(1, DEADLINE_MS),
    size_bytes=st.integers(0, 2**63),
)
answers = st.builds(
    Answer,
    decision=st.sampled_from(Decision),
    reason=st.sampled_from(Reason),
    rule=st.integers(0, 8),
    kind=st.sampled_from(Kind),
    width_px=SIZES_PX,
    height_px=SIZES_PX,
    is_stale=st.booleans(),
    has_models=st.booleans(),
)


@given(requests)
def test_a_request_comes_back_as_it_was(request_: Request) -> None:
    assert unpack_request(pack_request(request_)) == request_


@given(answers)
def test_an_answer_comes_back_as_it_was(answer: Answer) -> None:
    assert unpack_answer(pack_answer(Status.OK, answer)) == (Status.OK, answer)


@pytest.mark.parametrize("status", [Status.LATE, Status.FAILED])
def test_only_ok_carries_a_judgement(status: Status) -> None:
    assert unpack_answer(pack_answer(status)) == (status, None)


def test_ok_without_a_judgement_is_refused() -> None:
    with pytest.raises(WireError):
        unpack_answer(pack_answer(Status.OK))


@given(st.binary(max_size=2 * REQUEST.size))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    try:
        request = unpack_request(data)
    except WireError:
        return
    assert unpack_request(pack_request(request)) == request


@given(st.binary(min_size=ANSWER.size - 4, max_size=ANSWER.size - 4))
def test_any_bytes_are_an_answer_or_refused(data: bytes) -> None:
    try:
        status, answer = unpack_answer(FORMAT + data)
    except WireError:
        return
    assert (answer is None) == (status is not Status.OK)


def test_an_inline_body_is_capped_at_its_limit() -> None:
    most = Request(operation=Operation.INSPECT, size_bytes=INLINE_BYTES)
    assert unpack_request(pack_request(most)) == most
    beyond = Request(operation=Operation.INSPECT, size_bytes=INLINE_BYTES + 1)
    with pytest.raises(WireError):
        unpack_request(pack_request(beyond))


@pytest.mark.parametrize("deadline_ms", [0, DEADLINE_MS + 1])
def test_a_deadline_out_of_bounds_is_refused(deadline_ms: int) -> None:
    data = pack_request(Request(operation=Operation.STATE, deadline_ms=deadline_ms))
    with pytest.raises(WireError):
        unpack_request(data)


def test_another_version_is_refused() -> None:
    data = pack_request(Request(operation=Operation.STATE))
    with pytest.raises(WireError):
        unpack_request(b"PTD0" + data[4:])


def test_a_state_is_capped() -> None:
    data = pack_state({"workers": 2})
    assert unpack_state_head(data[: STATE_HEAD.size]) == len(data) - STATE_HEAD.size
    for broken in (b"", struct.pack("<4sI", FORMAT, STATE_BYTES + 1), b"xxxx\0\0\0\0"):
        with pytest.raises(WireError):
            unpack_state_head(broken)
