"""Transcripts: what is taken down is read back, all else is refused, and there are limits."""

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.evidence.events import Elided, Measured, Received, Sent, Transcript, Tried
from protech.evidence.transcript import (
    DATA_BYTES,
    EVENTS,
    LATEST_MS,
    LONGEST_BYTES,
    TRANSCRIPT_BYTES,
    NoTranscript,
    Recorder,
    TranscriptFull,
    parse,
)

DIGEST = bytes(range(32))


class Clock:
    """A clock that goes on by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def canonical(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def whole() -> Recorder:
    clock = Clock()
    recorder = Recorder("bittorrent", clock=clock)
    recorder.tried("tcp", "refused")
    clock.now_s += 0.25
    recorder.transport = "utp"
    recorder.sent(b"hello")
    recorder.received(bytearray(b"\x00\x00\x00\x05"))
    recorder.elided("piece", 5, DIGEST)
    recorder.measured(
        {"piece": 3, "length": 5, "sha256": DIGEST, "sha1": "ab" * 20, "distinct_bytes": 4}
    )
    recorder.measured(
        {"piece": 3, "offset": 16384, "length": 5, "sha256": DIGEST, "distinct_bytes": 4}
    )
    return recorder


EVENTS_OF_ALL_KINDS: st.SearchStrategy[Callable[[Recorder], None]] = st.one_of(
    st.binary(max_size=40).map(lambda data: lambda one: one.sent(data)),
    st.binary(max_size=40).map(lambda data: lambda one: one.received(memoryview(data))),
    st.integers(0, 1 << 32).map(lambda size: lambda one: one.elided("pex", size, DIGEST)),
    st.integers(0, 1 << 32).map(
        lambda piece: (
            lambda one: one.measured(
                {"sha256": DIGEST, "piece": piece, "length": 1, "distinct_bytes": 256}
            )
        )
    ),
    st.just(lambda one: one.tried("utp", "timed_out")),
)


@given(events=st.lists(st.tuples(st.floats(-2, 1e6), EVENTS_OF_ALL_KINDS), max_size=8))
def test_what_is_written_piece_by_piece_is_canonical(
    events: list[tuple[float, Callable[[Recorder], None]]],
) -> None:
    clock = Clock()
    recorder = Recorder("bittorrent", clock=clock)
    recorder.transport = "tcp"
    for pause_s, take_down in events:
        clock.now_s += pause_s
        take_down(recorder)
    content = recorder.finish()
    assert content == canonical(json.loads(content))
    assert parse(content).transport == "tcp"


def fields() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(whole().finish())
    return found


def test_what_was_taken_down_is_read_back() -> None:
    assert parse(whole().finish()) == Transcript(
        network="bittorrent",
        transport="utp",
        events=(
            Tried(at_ms=0, transport="tcp", outcome="refused"),
            Sent(at_ms=250, data=b"hello"),
            Received(at_ms=250, data=b"\x00\x00\x00\x05"),
            Elided(at_ms=250, kind="piece", length_bytes=5, sha256=DIGEST),
            Measured(
                at_ms=250,
                piece=3,
                length_bytes=5,
                sha256=DIGEST,
                sha1=b"\xab" * 20,
                distinct_bytes=4,
            ),
            Measured(
                at_ms=250,
                piece=3,
                offset_bytes=16384,
                length_bytes=5,
                sha256=DIGEST,
                distinct_bytes=4,
            ),
        ),
    )


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=40), st.floats(0, 10))))
def test_any_conversation_comes_back(said: list[tuple[bool, bytes, float]]) -> None:
    clock = Clock()
    recorder = Recorder("ed2k", started_s=100.0, clock=clock)
    recorder.transport = "tcp"
    for is_ours, data, passed_s in said:
        clock.now_s += passed_s
        (recorder.sent if is_ours else recorder.received)(data)
    found = parse(recorder.finish())
    assert [
        (isinstance(event, Sent), event.data)
        for event in found.events
        if isinstance(event, Sent | Received)
    ] == [(is_ours, data) for is_ours, data, _ in said if data]


def test_times_never_go_back_nor_beyond_a_day() -> None:
    clock = Clock()
    recorder = Recorder("bittorrent", clock=clock)
    for now_s in (101.0, 100.5, 1e9):
        clock.now_s = now_s
        recorder.tried("tcp", "timed_out")
    assert [event.at_ms for event in parse(recorder.finish()).events] == [1000, 1000, LATEST_MS]


def test_a_transcript_holds_so_many_bytes_and_no_more() -> None:
    recorder = Recorder("bittorrent")
    recorder.transport = "tcp"
    recorder.received(bytes(DATA_BYTES - 1))
    with pytest.raises(TranscriptFull, match="bytes"):
        recorder.sent(b"12")
    recorder.sent(b"1")
    with pytest.raises(TranscriptFull):
        recorder.sent(b"1")
    content = recorder.finish()
    assert len(parse(content).events) == 2
    events = json.loads(content)["events"]
    more = {**fields(), "events": [*events, [LATEST_MS, ">", "MQ=="]]}
    with pytest.raises(NoTranscript, match="bytes of data"):
        parse(canonical(more))


def test_a_transcript_holds_so_many_events_and_no_more() -> None:
    recorder = Recorder("bittorrent")
    for _ in range(EVENTS):
        recorder.tried("tcp", "refused")
    with pytest.raises(TranscriptFull, match="events"):
        recorder.tried("tcp", "refused")
    content = recorder.finish()
    assert len(parse(content).events) == EVENTS
    value = json.loads(content)
    value["events"].append(value["events"][-1])
    with pytest.raises(NoTranscript, match="events"):
        parse(canonical(value))


def test_the_fullest_transcript_is_read() -> None:
    recorder = Recorder("bittorrent")
    recorder.transport = "tcp"
    recorder.received(bytes(DATA_BYTES))
    digests = {"sha256": DIGEST, "sha1": bytes(20), "md4": bytes(16)}
    numbers = dict.fromkeys(("piece", "offset", "length"), LONGEST_BYTES)
    for _ in range(EVENTS - 1):
        recorder.measured({**numbers, **digests, "distinct_bytes": 256})
    content = recorder.finish()
    assert len(content) <= TRANSCRIPT_BYTES
    assert len(parse(content).events) == EVENTS


def test_what_is_larger_is_not_looked_at() -> None:
    with pytest.raises(NoTranscript, match="larger"):
        parse(bytes(TRANSCRIPT_BYTES + 1))


def test_a_session_that_speaks_without_a_connection_is_told() -> None:
    recorder = Recorder("bittorrent")
    recorder.sent(b"x")
    with pytest.raises(ValueError, match="no transport"):
        recorder.finish()


def test_nothing_is_said_where_no_connection_stood() -> None:
    with pytest.raises(NoTranscript, match="no connection stood"):
        parse(canonical({**fields(), "transport": None}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b" " + whole().finish(),
        whole().finish().replace(b'"v":1', b'"v":1,"v":1'),
        whole().finish().replace(b"250", b"2.5e2"),
    ],
)
def test_what_is_no_transcript_is_refused(content: bytes) -> None:
    with pytest.raises(NoTranscript):
        parse(content)


def with_event(event: object) -> Callable[[dict[str, Any]], object]:
    return lambda value: value["events"].append(event)


def setting(key: str, new: object) -> Callable[[dict[str, Any]], object]:
    return lambda value: value.update({key: new})


def measuring(key: str, new: object) -> Callable[[dict[str, Any]], object]:
    return lambda value: value["events"][-1][2].update({key: new})


NOT_MINE = base64.b64encode(b"hello").decode()


@pytest.mark.parametrize(
    "change",
    [
        setting("v", 2),
        setting("v", True),
        setting("events", {}),
        setting("network", "Bit Torrent"),
        setting("network", None),
        setting("transport", 1),
        setting("more", 1),
        with_event([]),
        with_event([300, ">"]),
        with_event([300, "?", "eA=="]),
        with_event([249, ">", "eA=="]),
        with_event([True, ">", "eA=="]),
        with_event([-1, ">", "eA=="]),
        with_event([LATEST_MS + 1, ">", "eA=="]),
        with_event([300, ">", ""]),
        with_event([300, ">", "eB=="]),
        with_event([300, ">", "e A=="]),
        with_event([300, ">", {"elided": "x", "length": 1, "sha256": DIGEST.hex()}]),
        with_event([300, "<", {"elided": "X", "length": 1, "sha256": DIGEST.hex()}]),
        with_event([300, "<", {"elided": "x", "length": 1.0, "sha256": DIGEST.hex()}]),
        with_event([300, "<", {"elided": "x", "length": 1, "sha256": "AB" * 32}]),
        with_event([300, "<", {"elided": "x", "length": 1, "sha256": None}]),
        with_event([300, "<", {"elided": "x", "length": 1, "sha256": "zz" * 32}]),
        with_event([300, "<", {"elided": "x", "length": 1, "sha256": DIGEST.hex(), "y": 1}]),
        with_event([300, "!", {"transport": "tcp"}]),
        with_event([300, "!", {"transport": "tcp", "outcome": "a b"}]),
        with_event([300, "=", {}]),
        measuring("distinct_bytes", 257),
        measuring("length", LONGEST_BYTES + 1),
        measuring("sha1", "ab"),
        measuring("name", "x"),
        measuring("piece", "1"),
    ],
)
def test_a_change_in_a_transcript_is_refused(change: Callable[[Any], object]) -> None:
    value = fields()
    parse(canonical(value))
    change(value)
    with pytest.raises(NoTranscript) as refused:
        parse(canonical(value))
    assert NOT_MINE not in str(refused.value)


@given(st.data())
def test_random_changes_are_refused_or_read(data: st.DataObject) -> None:
    content = bytearray(whole().finish())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(NoTranscript):
        parse(bytes(content))
