"""The judge of conversations and the stand-alone verifier's, written by different people.

Both are given the same transcripts, sound, broken and random, and must say the same.
"""

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protech.evidence import verify
from protech.evidence.transcript import Recorder
from protech.lists.fetch_key import BLOCK_BYTES, TorrentTree
from protech.lists.fetch_keys import key_fields
from protech.locate.bittorrent import messages
from protech.locate.bittorrent.held import TorrentKey, piece_count
from protech.locate.bittorrent.judge import Judgement, judge
from protech.locate.bittorrent.messages import Kind, framed
from tests import spoken
from tests.judged import said_of

WHOLE = spoken.content(1, 5 * BLOCK_BYTES + 100)
TWIN = bytes(range(20))
KEYS: dict[str, TorrentKey] = {
    "file": spoken.file_key(WHOLE, piece_bytes=BLOCK_BYTES),
    "among others": spoken.file_key(
        WHOLE, piece_bytes=2 * BLOCK_BYTES, first_byte=100, size_bytes=4 * BLOCK_BYTES
    ),
    "tree": spoken.tree_key(WHOLE, piece_bytes=2 * BLOCK_BYTES, first_piece=3, pieces_after=2),
    "tree of one piece": spoken.tree_key(WHOLE, piece_bytes=8 * BLOCK_BYTES),
    "tree of one block": spoken.tree_key(WHOLE[:5000], piece_bytes=BLOCK_BYTES),
    "tree of many": spoken.tree_key(WHOLE, piece_bytes=BLOCK_BYTES),
    "file of a hybrid": replace(spoken.file_key(WHOLE, piece_bytes=BLOCK_BYTES), twin=TWIN),
    "tree of a hybrid": replace(spoken.tree_key(WHOLE, piece_bytes=2 * BLOCK_BYTES), twin=TWIN),
}
NUMBERS = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 100, BLOCK_BYTES, 2 * BLOCK_BYTES])


def compare(transcript: bytes, key: TorrentKey) -> Judgement:
    fields = json.loads(json.dumps(verify_fields(key)))
    theirs = verify.replay(transcript, fields)
    ours = judge(transcript, spoken.target_of(key))
    assert said_of(ours) == {name: theirs[name] for name in said_of(ours)}
    assert ours.is_faulty == bool(theirs["fault"])
    return ours


def verify_fields(key: TorrentKey) -> dict[str, object]:
    return dict(key_fields(key))


def block_of(key: TorrentKey, piece: int, offset: int, length: int) -> bytes:
    if isinstance(key, TorrentTree):
        whole = WHOLE[: key.size_bytes]
        return whole[(piece - key.first_piece) * key.piece_bytes + offset :][:length]
    return WHOLE[piece * key.piece_bytes + offset :][:length]


@st.composite
def conversations(draw: st.DrawFn, key: TorrentKey) -> bytes:
    """Return a transcript in which most things are as they should be, and some are not."""
    recorder = Recorder("bittorrent", clock=lambda: 0.0)
    recorder.transport = "tcp"
    reserved = draw(st.sampled_from([bytes(8), spoken.FAST, spoken.BOTH]))
    if draw(st.integers(0, 19)):
        recorder.sent(spoken.greeting(key, reserved=messages.RESERVED, peer_id=bytes(20)))
    theirs = draw(st.sampled_from([spoken.THEIR_ID] * 19 + [bytes(20)]))
    named = draw(st.sampled_from([key.info_hash] * 9 + [TWIN] * 9 + [bytes(20)]))
    answered = replace(key, info_hash=named)
    recorder.received(spoken.greeting(answered, reserved=reserved, peer_id=theirs))
    for _ in range(draw(st.integers(0, 12))):
        draw(st.sampled_from(STEPS))(draw, recorder, key)
    return recorder.finish()


def step_message(draw: st.DrawFn, recorder: Recorder, key: TorrentKey) -> None:
    kind = draw(st.sampled_from([*Kind, 30]))
    exact = messages.LENGTHS.get(kind, 1) - 1
    if kind == Kind.BITFIELD:
        exact = -(-key.torrent_pieces // 8)
    size = draw(st.sampled_from([exact] * 8 + [0, exact + 1, 48, 50]))
    content = draw(st.binary(min_size=size, max_size=size) | st.just(bytes(size)))
    if kind == Kind.HAVE and size == 4:
        content = draw(NUMBERS).to_bytes(4)
    message = (1 + len(content)).to_bytes(4) + bytes([kind]) + content
    cut = draw(st.sampled_from([len(message)] * 9 + [5]))
    recorder.received(message[:cut])
    if cut < len(message):
        recorder.received(message[cut:])


def step_claim(draw: st.DrawFn, recorder: Recorder, key: TorrentKey) -> None:
    bits = draw(st.integers(0, (1 << key.torrent_pieces) - 1)) << (-key.torrent_pieces % 8)
    recorder.received(framed(Kind.BITFIELD, bits.to_bytes(-(-key.torrent_pieces // 8))))


def step_piece(draw: st.DrawFn, recorder: Recorder, key: TorrentKey) -> None:
    """A piece is asked for, delivered and measured; now and then something is wrong."""
    place = draw(st.integers(0, piece_count(key) - 1))
    piece = key.first_piece + place
    length = len(block_of(key, piece, 0, key.piece_bytes))
    for begin in range(0, length, BLOCK_BYTES):
        size = min(BLOCK_BYTES, length - begin)
        if draw(st.integers(0, 29)):
            recorder.sent(messages.request(piece, begin, size))
        wrong = draw(st.sampled_from([0] * 29 + [1]))
        deliver(recorder, piece, begin, block_of(key, piece, begin, size), size + wrong)
    measure(draw, recorder, piece, block_of(key, piece, 0, length), None)


def step_block(draw: st.DrawFn, recorder: Recorder, key: TorrentKey) -> None:
    """A block is asked for with the hashes above it."""
    place = draw(st.integers(0, piece_count(key) - 1))
    piece = key.first_piece + place
    length = len(block_of(key, piece, 0, key.piece_bytes))
    begin = draw(st.sampled_from(range(0, length, BLOCK_BYTES)))
    size = min(BLOCK_BYTES, length - begin)
    if isinstance(key, TorrentTree):
        leaf = (place * key.piece_bytes + begin) // BLOCK_BYTES
        count = draw(st.sampled_from([2, 2, 2, 4]))
        layers = draw(st.sampled_from([0, 1, 2, 3]))
        fields = messages.hash_fields(
            key.root, index=leaf - leaf % count, count=count, proof_layers=layers
        )
        if draw(st.integers(0, 19)):
            recorder.sent(framed(Kind.HASH_REQUEST, fields))
        whole = WHOLE[: key.size_bytes]
        answer = bytearray(spoken.hashes_for(whole, key, fields))
        if not draw(st.integers(0, 9)):
            answer[draw(st.integers(0, len(answer) - 1))] ^= 1
        recorder.received(framed(Kind.HASHES, fields + answer))
    recorder.sent(messages.request(piece, begin, size))
    block = block_of(key, piece, begin, size)
    deliver(recorder, piece, begin, block, size)
    measure(draw, recorder, piece, block, begin)


def deliver(recorder: Recorder, piece: int, begin: int, block: bytes, size: int) -> None:
    header = (9 + len(block)).to_bytes(4) + bytes([Kind.PIECE])
    recorder.received(header + piece.to_bytes(4) + begin.to_bytes(4))
    recorder.elided("piece", size, hashlib.sha256(block).digest())


def measure(
    draw: st.DrawFn, recorder: Recorder, piece: int, data: bytes, offset: int | None
) -> None:
    digest = hashlib.sha256(data).digest()
    fields: dict[str, int | str | bytes] = {
        "piece": draw(st.sampled_from([piece] * 19 + [0])),
        "length": len(data),
        "sha256": draw(st.sampled_from([digest] * 19 + [bytes(32)])),
        "distinct_bytes": draw(st.sampled_from([256, 256, 64, 63])),
    }
    if draw(st.integers(0, 9)):
        fields["sha1"] = hashlib.sha1(data).digest()
    if offset is not None:
        fields["offset"] = offset
    recorder.measured(fields)


def step_noise(draw: st.DrawFn, recorder: Recorder, key: TorrentKey) -> None:
    if draw(st.booleans()):
        recorder.received(draw(st.binary(min_size=1, max_size=8)))
    else:
        recorder.elided("pex", draw(NUMBERS), bytes(32))


def step_pex(draw: st.DrawFn, recorder: Recorder, key: TorrentKey) -> None:
    recorder.received(bytes((0, 0, 0, 12, Kind.EXTENDED, 1)))
    recorder.elided("pex", draw(st.sampled_from([10, 10, 10, 9])), bytes(32))


STEPS = (step_claim, step_claim, step_piece, step_piece, step_block, step_block, step_message,
         step_pex, step_noise)  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
@settings(max_examples=150)
@given(data=st.data())
def test_both_say_the_same(name: str, data: st.DataObject) -> None:
    compare(data.draw(conversations(KEYS[name])), KEYS[name])


@pytest.mark.parametrize("name", KEYS)
@settings(max_examples=60)
@given(data=st.data())
def test_both_say_the_same_of_bytes(name: str, data: st.DataObject) -> None:
    key = KEYS[name]
    recorder = Recorder("bittorrent", clock=lambda: 0.0)
    recorder.transport = "tcp"
    recorder.sent(spoken.greeting(key, peer_id=bytes(20)))
    recorder.received(spoken.greeting(key))
    for chunk in data.draw(st.lists(st.binary(min_size=1, max_size=30), max_size=6)):
        data.draw(st.sampled_from([recorder.sent, recorder.received]))(chunk)
    compare(recorder.finish(), key)


@pytest.mark.parametrize("name", KEYS)
def test_an_honest_conversation_proves(name: str) -> None:
    assert honest(KEYS[name], KEYS[name].info_hash).level == 4


@pytest.mark.parametrize("name", KEYS)
def test_only_a_signed_twin_is_as_good_as_the_name(name: str) -> None:
    key = KEYS[name]
    assert honest(key, TWIN).level == (1 if key.twin is None else 4)
    assert honest(key, bytes(20)).level == 1


def honest(key: TorrentKey, named: bytes) -> Judgement:
    """Return what an honest conversation shows in which the peer names the torrent so."""
    recorder = Recorder("bittorrent", clock=lambda: 0.0)
    recorder.transport = "tcp"
    recorder.sent(spoken.greeting(key, peer_id=bytes(20)))
    recorder.received(spoken.greeting(replace(key, info_hash=named)))
    place = 1 if piece_count(key) > 1 else 0
    piece = key.first_piece + place
    whole = block_of(key, piece, 0, key.piece_bytes)
    for begin in range(0, len(whole), BLOCK_BYTES):
        block = whole[begin : begin + BLOCK_BYTES]
        recorder.sent(messages.request(piece, begin, len(block)))
        deliver(recorder, piece, begin, block, len(block))
    recorder.measured(
        {
            "piece": piece,
            "length": len(whole),
            "sha1": hashlib.sha1(whole).digest(),
            "sha256": hashlib.sha256(whole).digest(),
            "distinct_bytes": 256,
        }
    )
    return compare(recorder.finish(), key)
