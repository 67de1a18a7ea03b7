"""What a transcript shows is what was said and delivered, and no more."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.evidence.transcript import NoTranscript, Recorder
from protech.locate.adapter import Level
from protech.locate.ed2k import messages
from protech.locate.ed2k.aich import BLOCK_BYTES
from protech.locate.ed2k.judge import DISTINCT_BYTES, Judgement, judge
from protech.locate.ed2k.messages import EDONKEY, PART_BYTES, Op, message
from tests import donkeys, spoken

WHOLE = donkeys.content(3, 3 * BLOCK_BYTES + 100)
KEY = donkeys.key_of(WHOLE)
TARGET = spoken.target_of(KEY)
BLOCK = donkeys.block_of(WHOLE, 1)


def judged(recorder: Recorder) -> Judgement:
    return judge(recorder.finish(), TARGET)


def claiming(parts: set[int] | None = None) -> Recorder:
    recorder = donkeys.begun()
    recorder.received(donkeys.status(parts, len(WHOLE)))
    return recorder


def with_hashes() -> Recorder:
    recorder = claiming()
    recorder.sent(messages.aich_request(KEY.md4, 0, KEY.aich))
    recorder.received(donkeys.aich_answer(WHOLE, 0))
    return recorder


def test_without_a_connection_it_was_mentioned() -> None:
    recorder = Recorder("ed2k", clock=lambda: 0.0)
    recorder.tried("tcp", "refused")
    assert judged(recorder).level is Level.MENTIONED


@pytest.mark.parametrize(
    "theirs",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        messages.hello(donkeys.OURS, port=4662),
        donkeys.hello_answer(donkeys.OURS),
        donkeys.hello_answer()[:-1],
        donkeys.hello_answer(tags=9),
        donkeys.hello_answer(),
    ],
    ids=["other protocol", "echo", "our hash", "cut", "broken", "nothing of the file"],
)
def test_who_does_not_answer_for_the_file_only_answers(theirs: bytes) -> None:
    found = judged(donkeys.begun(theirs))
    assert (found.level, found.user_hash, found.claims) == (Level.ANSWERS, None, None)


def test_who_speaks_first_only_answers() -> None:
    recorder = Recorder("ed2k", clock=lambda: 0.0)
    recorder.transport = "tcp"
    recorder.received(donkeys.hello_answer())
    recorder.sent(messages.hello(donkeys.OURS, port=4662))
    recorder.received(donkeys.status(None, len(WHOLE)))
    found = judged(recorder)
    assert (found.level, found.is_faulty) == (Level.ANSWERS, True)


def test_where_we_did_not_introduce_ourselves_nothing_counts() -> None:
    recorder = Recorder("ed2k", clock=lambda: 0.0)
    recorder.transport = "tcp"
    recorder.sent(message(Op.SET_FILE, KEY.md4))
    assert judged(recorder).is_faulty


def test_a_status_before_an_introduction_is_nothing() -> None:
    recorder = donkeys.begun(donkeys.status(None, len(WHOLE)))
    recorder.received(donkeys.hello_answer())
    assert judged(recorder).level is Level.ANSWERS


def test_who_names_the_file_shakes_hands() -> None:
    recorder = donkeys.begun()
    recorder.received(message(Op.NAME, KEY.md4)[:22])
    assert judged(recorder).level is Level.HANDSHAKE
    recorder = donkeys.begun()
    recorder.received(donkeys.named()[:22])
    recorder.elided("name", 5, bytes(32))
    found = judged(recorder)
    assert (found.level, found.user_hash) == (Level.HANDSHAKE, donkeys.THEIRS)
    assert not found.is_faulty


@pytest.mark.parametrize("op", [Op.NAME, Op.FILE_STATUS])
def test_another_file_is_no_answer(op: Op) -> None:
    recorder = donkeys.begun()
    recorder.received(message(op, bytes(16) + bytes(2)))
    assert judged(recorder).level is Level.ANSWERS


@pytest.mark.parametrize(("parts", "level"), [(None, 3), ({0}, 3), (set(), 2)])
def test_parts_are_a_claim(parts: set[int] | None, level: int) -> None:
    found = judged(claiming(parts))
    assert found.level == level
    assert found.claims is not None
    assert found.claims.held == found.claims.listed_held == level - 2
    bits = bytes([level - 2])
    assert found.claims.bitfield_sha256 == hashlib.sha256(bits).digest()


def test_the_last_status_counts() -> None:
    recorder = claiming()
    recorder.received(donkeys.status(set(), len(WHOLE)))
    assert judged(recorder).level is Level.HANDSHAKE


def test_a_block_with_its_hashes_is_delivered() -> None:
    recorder = with_hashes()
    donkeys.delivered(recorder, WHOLE, BLOCK)
    found = judged(recorder)
    assert found.level is Level.DELIVERED
    assert found.proof is not None
    data = WHOLE[BLOCK.start :][: BLOCK.size]
    assert found.proof.digest == donkeys.sha1(data)
    assert found.proof.sha256 == hashlib.sha256(data).digest()
    assert (found.proof.offset_bytes, found.proof.length_bytes) == (BLOCK.start, BLOCK.size)


def test_a_file_of_one_block_needs_no_hashes() -> None:
    whole = WHOLE[:5000]
    key = donkeys.key_of(whole)
    recorder = donkeys.begun()
    recorder.received(donkeys.named())
    donkeys.delivered(recorder, whole, donkeys.block_of(whole, 0))
    assert judge(recorder.finish(), spoken.target_of(key)).level is Level.DELIVERED


def test_a_block_of_a_later_part_is_delivered() -> None:
    whole = donkeys.content(4, PART_BYTES + BLOCK_BYTES + 5)
    key = donkeys.key_of(whole)
    recorder = donkeys.begun()
    recorder.received(donkeys.status({1}, len(whole)))
    recorder.sent(messages.aich_request(KEY.md4, 1, key.aich))
    recorder.received(donkeys.aich_answer(whole, 1))
    donkeys.delivered(recorder, whole, donkeys.block_of(whole, 54), part=1)
    found = judge(recorder.finish(), spoken.target_of(key))
    assert found.proof is not None
    assert found.proof.offset_bytes == PART_BYTES + BLOCK_BYTES


def test_the_first_proof_stands() -> None:
    recorder = with_hashes()
    donkeys.delivered(recorder, WHOLE, BLOCK)
    donkeys.delivered(recorder, WHOLE, donkeys.block_of(WHOLE, 0))
    found = judged(recorder)
    assert found.proof is not None
    assert found.proof.offset_bytes == BLOCK.start


def test_few_different_bytes_are_weak() -> None:
    recorder = with_hashes()
    donkeys.delivered(recorder, WHOLE, BLOCK, distinct=DISTINCT_BYTES - 1)
    found = judged(recorder)
    assert (found.level, found.is_weak) == (Level.CLAIMS, True)
    donkeys.delivered(recorder, WHOLE, BLOCK, distinct=DISTINCT_BYTES)
    assert judged(recorder).level is Level.CLAIMS  # what came twice tiles nothing


def test_listed_weak_places_prove_nothing() -> None:
    recorder = with_hashes()
    donkeys.delivered(recorder, WHOLE, BLOCK)
    content = recorder.finish()
    assert judge(content, spoken.target_of(KEY, [1])).proof is None
    assert judge(content, spoken.target_of(replace(KEY, weak=(1,)))).proof is None
    assert judge(content, spoken.target_of(KEY, [0, 2])).proof is not None


def test_a_block_that_nobody_asked_for_proves_nothing() -> None:
    recorder = with_hashes()
    data = WHOLE[BLOCK.start :][: BLOCK.size]
    recorder.received(donkeys.content_message(BLOCK.start, data[:10240])[:30])
    recorder.elided("block", 10240, bytes(32))
    donkeys.measured(recorder, BLOCK, data)
    recorder.sent(messages.request_parts(bytes(16), BLOCK.start, BLOCK.start + BLOCK.size))
    donkeys.measured(recorder, BLOCK, data)
    assert judged(recorder).level is Level.CLAIMS


def test_a_block_with_a_hole_proves_nothing() -> None:
    recorder = with_hashes()
    data = WHOLE[BLOCK.start :][: BLOCK.size]
    recorder.sent(messages.request_parts(KEY.md4, BLOCK.start, BLOCK.start + BLOCK.size))
    for at in range(0, BLOCK.size, 20480):
        recorder.received(donkeys.content_message(BLOCK.start + at, data[at:][:10240])[:30])
        recorder.elided("block", len(data[at:][:10240]), bytes(32))
    donkeys.measured(recorder, BLOCK, data)
    assert judged(recorder).level is Level.CLAIMS


@pytest.mark.parametrize("part", [0, 1])
def test_hashes_that_nobody_asked_for_or_of_another_root_lead_nowhere(part: int) -> None:
    recorder = claiming()
    recorder.sent(messages.aich_request(KEY.md4, part, KEY.aich))
    answer = donkeys.aich_answer(WHOLE, 0)
    recorder.received(answer if part else answer.replace(KEY.aich, bytes(20)))
    donkeys.delivered(recorder, WHOLE, BLOCK)
    assert judged(recorder).level is Level.CLAIMS


@pytest.mark.parametrize(
    "fields", [{"piece": 9}, {"offset": 1}, {"length": 5}, {"sha1": None}, {"offset": None}]
)
def test_what_was_measured_must_be_a_block(fields: dict[str, object]) -> None:
    recorder = with_hashes()
    data = WHOLE[BLOCK.start :][: BLOCK.size]
    recorder.sent(messages.request_parts(KEY.md4, BLOCK.start, BLOCK.start + BLOCK.size))
    recorder.received(donkeys.content_message(BLOCK.start, data[:60000])[:30])
    recorder.elided("block", 60000, bytes(32))
    said: dict[str, object] = {
        "piece": 0,
        "offset": BLOCK.start,
        "length": BLOCK.size,
        "sha1": donkeys.sha1(data),
        "sha256": hashlib.sha256(data).digest(),
        "distinct_bytes": 256,
    }
    kept = {name: value for name, value in (said | fields).items() if value is not None}
    recorder.measured(kept)  # type: ignore[arg-type]  # as numbers and bytes
    assert judged(recorder).level is Level.CLAIMS


@pytest.mark.parametrize("length", [4, 6])
def test_what_is_left_out_ends_its_message(length: int) -> None:
    recorder = claiming()
    recorder.received(donkeys.named()[:22])
    recorder.elided("name", length, bytes(32))
    donkeys.delivered(recorder, WHOLE, BLOCK)
    found = judged(recorder)
    assert (found.level, found.is_faulty) == (Level.CLAIMS, True)


@pytest.mark.parametrize("begun", [b"\xe3", donkeys.named()[:21], donkeys.status(None, 5)[:10]])
def test_nothing_is_left_out_where_nothing_may_be(begun: bytes) -> None:
    recorder = claiming()
    recorder.received(begun)
    recorder.elided("name", 5, bytes(32))
    assert judged(recorder).is_faulty


def test_what_nobody_knows_is_passed_over() -> None:
    recorder = claiming()
    recorder.received(message(Op.SET_FILE, bytes(100))[:6])
    recorder.elided("other", 100, bytes(32))
    recorder.received(donkeys.content_message(0, b"abc", md4=bytes(16))[:30])
    recorder.elided("block", 3, bytes(32))
    recorder.tried("tcp", "refused")
    recorder.sent(message(Op.CANCEL_TRANSFER))
    recorder.sent(message(Op.AICH_REQUEST, KEY.md4))
    recorder.received(message(Op.ACCEPT_UPLOAD))
    found = judged(recorder)
    assert (found.level, found.is_faulty) == (Level.CLAIMS, False)


@pytest.mark.parametrize(
    "message_",
    [
        donkeys.status({0}, 3 * PART_BYTES),
        donkeys.hello_answer(donkeys.OURS),
        bytes([EDONKEY]) + (messages.MESSAGE_BYTES + 1).to_bytes(4, "little") + b"x",
    ],
)
def test_after_a_fault_nothing_counts(message_: bytes) -> None:
    recorder = with_hashes()
    recorder.received(message_)
    donkeys.delivered(recorder, WHOLE, BLOCK)
    found = judged(recorder)
    assert (found.level, found.is_faulty) == (Level.CLAIMS, True)


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=60)), max_size=8))
def test_any_bytes_are_judged_and_prove_nothing(said: list[tuple[bool, bytes]]) -> None:
    recorder = with_hashes()
    for is_ours, data in said:
        (recorder.sent if is_ours else recorder.received)(data)
    assert judged(recorder).level in {Level.HANDSHAKE, Level.CLAIMS}


def test_what_is_no_transcript_is_not_judged() -> None:
    with pytest.raises(NoTranscript):
        judge(b"{}", TARGET)


def test_a_target_of_another_network_is_not_judged() -> None:
    other = spoken.target_of(spoken.file_key(WHOLE, piece_bytes=BLOCK_BYTES))
    with pytest.raises(TypeError):
        judge(claiming().finish(), other)
