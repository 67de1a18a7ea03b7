"""What a transcript shows is what was said and delivered, and no more."""

import hashlib
from dataclasses import replace

import pytest

from protech.evidence.transcript import NoTranscript, Recorder
from protech.lists.fetch_key import BLOCK_BYTES, Ed2kFile
from protech.locate.adapter import Level
from protech.locate.bittorrent import messages
from protech.locate.bittorrent.judge import judge
from protech.locate.bittorrent.messages import Kind, framed
from tests import spoken

WHOLE = spoken.content(7, 4 * BLOCK_BYTES)
KEY = spoken.file_key(
    WHOLE, piece_bytes=BLOCK_BYTES, first_byte=BLOCK_BYTES, size_bytes=2 * BLOCK_BYTES
)
TARGET = spoken.target_of(KEY)
OURS = spoken.greeting(KEY, reserved=messages.RESERVED, peer_id=bytes(20))


def conversation(theirs: bytes | None = None, *, transport: str | None = "tcp") -> Recorder:
    recorder = Recorder("bittorrent", clock=lambda: 0.0)
    recorder.transport = transport
    if transport is not None:
        recorder.sent(OURS)
        recorder.received(spoken.greeting(KEY) if theirs is None else theirs)
    return recorder


def deliver(recorder: Recorder, piece: int, *, distinct_bytes: int = 256) -> None:
    block = WHOLE[piece * BLOCK_BYTES :][:BLOCK_BYTES]
    recorder.sent(messages.request(piece, 0, BLOCK_BYTES))
    header = (9 + BLOCK_BYTES).to_bytes(4) + bytes([Kind.PIECE]) + piece.to_bytes(4) + bytes(4)
    recorder.received(header)
    recorder.elided("piece", BLOCK_BYTES, hashlib.sha256(block).digest())
    recorder.measured(
        {
            "piece": piece,
            "length": BLOCK_BYTES,
            "sha1": hashlib.sha1(block).digest(),
            "sha256": hashlib.sha256(block).digest(),
            "distinct_bytes": distinct_bytes,
        }
    )


@pytest.mark.parametrize(
    ("twin", "level"),
    [(bytes(20), Level.DELIVERED), (bytes([1] * 20), Level.ANSWERS), (None, Level.ANSWERS)],
)
def test_a_hybrid_may_answer_with_its_twin_alone(twin: bytes | None, level: Level) -> None:
    recorder = conversation(spoken.greeting(replace(KEY, info_hash=bytes(20))))
    deliver(recorder, 1)
    target = spoken.target_of(replace(KEY, twin=twin))
    assert judge(recorder.finish(), target).level is level


def test_without_a_connection_it_was_mentioned() -> None:
    assert judge(conversation(transport=None).finish(), TARGET).level is Level.MENTIONED


@pytest.mark.parametrize(
    "theirs",
    [
        b"HTTP/1.1 400 Bad Request\r\n" * 4,
        OURS,
        spoken.greeting(replace(KEY, info_hash=bytes(20))),
        spoken.greeting(KEY)[:67],
    ],
    ids=["another protocol", "an echo", "another torrent", "cut"],
)
def test_without_a_handshake_of_its_own_it_answers(theirs: bytes) -> None:
    judgement = judge(conversation(theirs).finish(), TARGET)
    assert (judgement.level, judgement.peer_id) == (Level.ANSWERS, None)


def test_who_speaks_first_only_answers() -> None:
    recorder = Recorder("bittorrent", clock=lambda: 0.0)
    recorder.transport = "tcp"
    recorder.received(spoken.greeting(KEY))
    recorder.sent(OURS)
    assert judge(recorder.finish(), TARGET).level is Level.ANSWERS


def test_a_handshake_is_one() -> None:
    judgement = judge(conversation().finish(), TARGET)
    assert (judgement.level, judgement.claims) == (Level.HANDSHAKE, None)
    assert judgement.peer_id == spoken.THEIR_ID
    assert not judgement.is_faulty


@pytest.mark.parametrize(
    ("bits", "level"), [(0b0100_0000, Level.CLAIMS), (0b1001_0000, Level.HANDSHAKE)]
)
def test_only_pieces_of_the_listed_file_are_a_claim(bits: int, level: Level) -> None:
    recorder = conversation()
    recorder.received(framed(Kind.BITFIELD, bytes([bits])))
    judgement = judge(recorder.finish(), TARGET)
    assert judgement.level is level
    assert judgement.claims is not None


def test_a_listed_piece_was_delivered() -> None:
    recorder = conversation()
    deliver(recorder, 1)
    judgement = judge(recorder.finish(), TARGET)
    assert judgement.level is Level.DELIVERED
    assert judgement.proof is not None
    assert judgement.proof.offset_bytes == 0


def test_a_piece_of_another_file_proves_nothing() -> None:
    recorder = conversation()
    deliver(recorder, 0)
    assert judge(recorder.finish(), TARGET).level is Level.HANDSHAKE


def test_a_weak_place_proves_nothing() -> None:
    recorder = conversation()
    deliver(recorder, 2)
    assert judge(recorder.finish(), replace(TARGET, weak=frozenset({1}))).proof is None
    assert judge(recorder.finish(), TARGET).proof is not None


def test_a_piece_of_few_values_is_weak() -> None:
    recorder = conversation()
    deliver(recorder, 1, distinct_bytes=63)
    judgement = judge(recorder.finish(), TARGET)
    assert (judgement.is_weak, judgement.proof) == (True, None)


@pytest.mark.parametrize(
    "message",
    [
        framed(Kind.HAVE, (4).to_bytes(4)),
        framed(Kind.BITFIELD, b"\x0f"),
        framed(Kind.HAVE_ALL),
        framed(Kind.CHOKE, b"x"),
        (messages.MESSAGE_BYTES + 1).to_bytes(4),
        framed(Kind.HASHES, bytes(48)),
    ],
)
def test_after_a_fault_nothing_counts(message: bytes) -> None:
    recorder = conversation()
    recorder.received(framed(Kind.HAVE, (1).to_bytes(4)))
    recorder.received(message)
    deliver(recorder, 1)
    judgement = judge(recorder.finish(), TARGET)
    assert (judgement.level, judgement.is_faulty) == (Level.CLAIMS, True)


def test_what_is_no_transcript_is_not_judged() -> None:
    with pytest.raises(NoTranscript):
        judge(b"{}", TARGET)


def test_a_target_of_another_network_is_not_judged() -> None:
    other = spoken.target_of(Ed2kFile(md4=bytes(16), aich=bytes(20), size_bytes=1))
    with pytest.raises(TypeError):
        judge(conversation().finish(), other)
