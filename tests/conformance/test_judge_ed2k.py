"""The judge of eDonkey's conversations and the stand-alone verifier's must say the same.

Both are given the same transcripts: sound ones, broken ones, and random bytes.
"""

import hashlib
import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protech.evidence import verify
from protech.evidence.transcript import Recorder
from protech.lists.fetch_key import Ed2kFile
from protech.lists.fetch_keys import key_fields
from protech.locate.ed2k import messages
from protech.locate.ed2k.aich import BLOCK_BYTES, blocks_of
from protech.locate.ed2k.judge import Judgement, judge
from protech.locate.ed2k.messages import PART_BYTES, Op, message
from tests import donkeys, spoken
from tests.judged import said_of

WHOLES = {
    "one block": donkeys.content(1, 5000),
    "one part": donkeys.content(2, 3 * BLOCK_BYTES + 100),
    "several parts": donkeys.content(3, 2 * PART_BYTES + BLOCK_BYTES + 100),
    "whole parts": donkeys.content(4, 2 * PART_BYTES),
}
TREES = {name: donkeys.Tree(whole) for name, whole in WHOLES.items()}
NUMBERS = st.sampled_from([0, 1, 2, 3, 5, 16, 24, 100, 10240, 65536, 1 << 20])


def key_of(name: str) -> Ed2kFile:
    whole = WHOLES[name]
    return Ed2kFile(
        md4=donkeys.MD4, aich=TREES[name].root, size_bytes=len(whole), weak=(2,)
    ) if name != "one block" else donkeys.key_of(whole)  # fmt: skip


KEYS = {name: key_of(name) for name in WHOLES}


def compare(transcript: bytes, key: Ed2kFile) -> Judgement:
    theirs = verify.replay(transcript, json.loads(json.dumps(dict(key_fields(key)))))
    ours = judge(transcript, spoken.target_of(key))
    assert said_of(ours) == {name: theirs[name] for name in said_of(ours)}
    assert ours.is_faulty == bool(theirs["fault"])
    return ours


def step_status(draw: st.DrawFn, recorder: Recorder, name: str) -> None:
    size = draw(st.sampled_from([len(WHOLES[name])] * 19 + [9 * PART_BYTES]))
    parts = draw(st.none() | st.sets(st.integers(0, messages.status_parts(size) - 1)))
    recorder.received(donkeys.status(parts, size))


def step_name(draw: st.DrawFn, recorder: Recorder, name: str) -> None:
    md4 = draw(st.sampled_from([donkeys.MD4] * 9 + [bytes(16)]))
    text = draw(st.binary(max_size=9))
    recorder.received(donkeys.named(md4, text)[:22])
    if text:
        recorder.elided("name", len(text) + draw(st.sampled_from([0] * 19 + [1])), bytes(32))


def step_block(draw: st.DrawFn, recorder: Recorder, name: str) -> None:
    """A block is asked for with its hashes, delivered and measured; now and then not."""
    whole, tree = WHOLES[name], TREES[name]
    part = draw(st.integers(0, messages.parts_of(len(whole)) - 1))
    block = draw(st.sampled_from(blocks_of(len(whole), part)))
    if draw(st.integers(0, 19)):
        asked = draw(st.sampled_from([part] * 19 + [7]))
        recorder.sent(messages.aich_request(donkeys.MD4, asked, tree.root))
    given = tree.recovery(part)
    for number in draw(st.sampled_from([[]] * 9 + [list(given)[-2:], list(given)[:1]])):
        if draw(st.booleans()):
            del given[number]
        else:
            given[number] = bytes(20)
    wide = draw(st.booleans())
    answer = part.to_bytes(2, "little") + tree.root + donkeys.recovery(given, wide=wide)
    cut = draw(st.sampled_from([0] * 19 + [1]))
    recorder.received(message(Op.AICH_ANSWER, donkeys.MD4 + answer[: len(answer) - cut]))
    end = block.start + block.size
    if draw(st.integers(0, 19)):
        recorder.sent(messages.request_parts(donkeys.MD4, block.start, end))
    step = draw(st.sampled_from([10240, 60000]))
    data = whole[block.start : end]
    for at in range(0, block.size, step):
        if draw(st.integers(0, 39)):
            chunk = data[at : at + step]
            begin = block.start + at + draw(st.sampled_from([0] * 39 + [1]))
            recorder.received(donkeys.content_message(begin, chunk)[:30])
            digest = draw(st.sampled_from([hashlib.sha256(chunk).digest()] * 19 + [bytes(32)]))
            recorder.elided("block", len(chunk), digest)
    measure(draw, recorder, part, block.start - part * PART_BYTES, data)


def measure(draw: st.DrawFn, recorder: Recorder, part: int, at: int, data: bytes) -> None:
    digest = hashlib.sha256(data).digest()
    fields: dict[str, int | str | bytes] = {
        "piece": draw(st.sampled_from([part] * 19 + [0, 9])),
        "length": len(data) + draw(st.sampled_from([0] * 19 + [1])),
        "sha256": draw(st.sampled_from([digest] * 19 + [bytes(32)])),
        "distinct_bytes": draw(st.sampled_from([256, 256, 64, 63])),
    }
    if draw(st.integers(0, 19)):
        fields["sha1"] = donkeys.sha1(data)
    if draw(st.integers(0, 19)):
        fields["offset"] = at + draw(st.sampled_from([0] * 19 + [1, BLOCK_BYTES]))
    recorder.measured(fields)


def step_other(draw: st.DrawFn, recorder: Recorder, name: str) -> None:
    protocol = draw(st.sampled_from([0xE3, 0xC5, 0xD4, 0x77]))
    op = draw(st.sampled_from([int(one) for one in Op]) | st.integers(0, 255))
    body = draw(st.sampled_from([donkeys.MD4, b""])) + draw(st.binary(max_size=20))
    length = draw(st.sampled_from([1 + len(body)] * 9 + [0, 70000, 9000]))
    whole = struct.pack("<BIB", protocol, length, op) + body
    direction = draw(st.sampled_from([recorder.received] * 4 + [recorder.sent]))
    if draw(st.booleans()):
        direction(whole)
    else:
        recorder.received(whole[: 6 + draw(st.sampled_from([0, 16, 24]))])
        recorder.elided("other", max(0, len(body) - draw(NUMBERS)), bytes(32))


def step_hello(draw: st.DrawFn, recorder: Recorder, name: str) -> None:
    ours = draw(st.sampled_from([donkeys.THEIRS] * 9 + [donkeys.OURS]))
    tags = draw(st.sampled_from([1] * 9 + [0, 2, 65]))
    recorder.received(donkeys.hello_answer(ours, tags=tags))


STEPS = (step_status, step_status, step_name, step_block, step_block, step_block, step_other,
         step_hello)  # fmt: skip


@st.composite
def conversations(draw: st.DrawFn, name: str) -> bytes:
    """Return a transcript in which most things are as they should be, and some are not."""
    recorder = Recorder("ed2k", clock=lambda: 0.0)
    recorder.transport = "tcp"
    if draw(st.integers(0, 29)):
        recorder.sent(messages.hello(donkeys.OURS, port=4662))
    if draw(st.integers(0, 29)):
        step_hello(draw, recorder, name)
        recorder.received(donkeys.status(None, len(WHOLES[name])))
    for _ in range(draw(st.integers(0, 8))):
        draw(st.sampled_from(STEPS))(draw, recorder, name)
    return recorder.finish()


@pytest.mark.parametrize("name", KEYS)
@settings(max_examples=150)
@given(data=st.data())
def test_both_say_the_same(name: str, data: st.DataObject) -> None:
    compare(data.draw(conversations(name)), KEYS[name])


@pytest.mark.parametrize("name", KEYS)
@settings(max_examples=80)
@given(data=st.data())
def test_both_say_the_same_of_bytes(name: str, data: st.DataObject) -> None:
    recorder = donkeys.begun()
    for chunk in data.draw(st.lists(st.binary(min_size=1, max_size=60), max_size=6)):
        data.draw(st.sampled_from([recorder.sent, recorder.received]))(chunk)
    compare(recorder.finish(), KEYS[name])


@settings(max_examples=150)
@given(body=st.binary(max_size=120), count=st.integers(0, 66))
def test_both_read_introductions_alike(body: bytes, count: int) -> None:
    recorder = Recorder("ed2k", clock=lambda: 0.0)
    recorder.transport = "tcp"
    recorder.sent(messages.hello(donkeys.OURS, port=4662))
    head = donkeys.THEIRS + bytes(6) + struct.pack("<I", count)
    recorder.received(message(Op.HELLO_ANSWER, head + body))
    recorder.received(donkeys.status(None, 5000))
    compare(recorder.finish(), KEYS["one block"])


@pytest.mark.parametrize("name", KEYS)
def test_an_honest_conversation_proves(name: str) -> None:
    whole, tree, key = WHOLES[name], TREES[name], KEYS[name]
    for part in range(messages.parts_of(len(whole))):
        for block in (blocks_of(len(whole), part)[0], blocks_of(len(whole), part)[-1]):
            recorder = donkeys.begun()
            recorder.received(donkeys.status(None, len(whole)))
            recorder.sent(messages.aich_request(donkeys.MD4, part, key.aich))
            given = donkeys.recovery(tree.recovery(part))
            answer = part.to_bytes(2, "little") + tree.root + given
            recorder.received(message(Op.AICH_ANSWER, donkeys.MD4 + answer))
            donkeys.delivered(recorder, whole, block, part=part)
            found = compare(recorder.finish(), key)
            assert found.level == (3 if block.place in key.weak else 4)
