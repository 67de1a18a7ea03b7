"""A session offers nothing, keeps nothing, and ends as the peer makes it end."""

import asyncio
import hashlib
import struct
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest

from protech.evidence.events import Elided, Received
from protech.evidence.transcript import Recorder, parse
from protech.locate import buffers
from protech.locate.adapter import Outcome
from protech.locate.ed2k import messages
from protech.locate.ed2k.aich import BLOCK_BYTES
from protech.locate.ed2k.messages import EMULE, Op, message
from protech.locate.ed2k.session import Ended, Session
from protech.locate.links import Limits
from protech.locate.loss import Loss
from tests import donkeys, spoken
from tests.spoken import Line

WHOLE = donkeys.content(8, 2 * BLOCK_BYTES + 100)
KEY = donkeys.key_of(WHOLE)
BLOCK = donkeys.block_of(WHOLE, 1)
Change = Callable[[int, bytes], bytes]


def instead(op: int, answer: bytes) -> Change:
    return lambda one, usual: answer if one == op else usual


class Held:
    """What came of a conversation, as far as it went."""

    def __init__(self, line: Line, *, key: Any = KEY, block: Any = BLOCK) -> None:
        self.recorder = Recorder("ed2k", clock=lambda: 0.0)
        self.recorder.transport = "tcp"
        self.session = Session(line, self.recorder, key, limits=Limits())
        self.outcome = asyncio.run(self._hold(block))

    async def _hold(self, block: Any) -> Outcome | None:
        try:
            await self.session.greet(donkeys.OURS, 0.0)
        except Ended as ended:
            return ended.outcome
        heard = await self.session.hear_claims(0.0)
        return heard if heard is not Outcome.CLAIMED else await self.session.fetch(block)


def held(change: Change = lambda op, usual: usual, **more: Any) -> Held:
    return Held(Line(answer=donkeys.serving(WHOLE, change=change), **more))


@pytest.mark.parametrize("chunk_bytes", [1 << 20, 1000])
def test_a_block_is_measured(chunk_bytes: int) -> None:
    found = held(chunk_bytes=chunk_bytes)
    assert found.outcome is None
    assert found.session.hello is not None
    assert found.session.hello.user_hash == donkeys.THEIRS
    assert found.session.parts == {0}
    content = found.recorder.finish()
    data = WHOLE[BLOCK.start :][: BLOCK.size]
    assert hashlib.sha256(data).hexdigest().encode() in content


def test_no_content_and_no_name_is_in_the_transcript() -> None:
    events = parse(held().recorder.finish()).events
    received = b"".join(one.data for one in events if isinstance(one, Received))
    assert not any(WHOLE[at : at + 8] in received for at in range(0, len(WHOLE) - 8, 1024))
    assert b"abc" not in received
    elided = [one for one in events if isinstance(one, Elided)]
    assert {one.kind for one in elided} == {"name", "block"}
    assert sum(one.length_bytes for one in elided if one.kind == "block") == BLOCK.size


def test_content_goes_into_the_locked_buffer_and_is_overwritten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bytes] = []
    real = buffers.locked_buffer

    @contextmanager
    def watched(size_bytes: int) -> Any:
        with real(size_bytes) as memory:
            yield memory
            seen.append(bytes(memory))

    monkeypatch.setattr(buffers, "locked_buffer", watched)
    assert held().outcome is None
    assert seen == [WHOLE[BLOCK.start :][: BLOCK.size]]


def test_after_a_block_the_conversation_is_over() -> None:
    line = Line(answer=donkeys.serving(WHOLE))
    Held(line)
    assert line.is_closed
    Held(line2 := Line(answer=donkeys.serving(WHOLE, change=instead(Op.REQUEST_PARTS, b""))))
    assert line2.is_closed


def test_it_asks_for_one_block_of_one_file_and_offers_nothing() -> None:
    line = Line(answer=donkeys.serving(WHOLE))
    Held(line)
    said = donkeys.asked(bytes(line.sent))
    assert [op for _, op, _ in said] == [
        Op.HELLO,
        Op.REQUEST_NAME,
        Op.SET_FILE,
        Op.AICH_REQUEST,
        Op.START_UPLOAD,
        Op.REQUEST_PARTS,
    ]
    assert all(content.startswith(KEY.md4) for _, _, content in said[1:])


def test_a_file_of_one_block_is_asked_for_without_hashes() -> None:
    whole = WHOLE[:5000]
    line = Line(answer=donkeys.serving(whole))
    found = Held(line, key=donkeys.key_of(whole), block=donkeys.block_of(whole, 0))
    assert found.outcome is None
    assert Op.AICH_REQUEST not in [op for _, op, _ in donkeys.asked(bytes(line.sent))]


@pytest.mark.parametrize(
    ("answer", "ends", "outcome"),
    [
        (b"", None, Outcome.SILENT),
        (b"", Loss.CLOSED, Outcome.CLOSED),
        (b"", Loss.RESET, Outcome.CLOSED),
        (donkeys.hello_answer()[:20], None, Outcome.SILENT),
        (b"SSH-2.0-OpenSSH\r\n", None, Outcome.OTHER_PROTOCOL),
        (b"\xe3\xff\xff\xff\xff\x4c", None, Outcome.OTHER_PROTOCOL),
        (messages.hello(donkeys.OURS, port=1), None, Outcome.ECHO),
        (donkeys.hello_answer(donkeys.OURS), None, Outcome.ECHO),
        (donkeys.hello_answer(tags=60), None, Outcome.MALFORMED),
        (message(Op.HELLO_ANSWER, bytes(2049)), None, Outcome.MALFORMED),
        (donkeys.content_message(0, b"abc"), None, Outcome.MALFORMED),
        (message(Op.FILE_STATUS, bytes(8000)) * 600, None, Outcome.MALFORMED),
    ],
    ids=["mute", "hangs up", "resets", "half", "ssh", "long", "echo", "our hash", "broken",
         "too long", "content", "flood"],
)  # fmt: skip
def test_who_does_not_introduce_itself(
    answer: bytes, ends: Loss | None, outcome: Outcome
) -> None:
    found = held(instead(Op.HELLO, answer), ends=ends)
    assert found.outcome is outcome


def test_what_another_protocol_says_is_taken_down() -> None:
    found = held(instead(Op.HELLO, b"SSH-2"))
    assert b"".join(
        one.data
        for one in parse(found.recorder.finish()).events
        if isinstance(one, Received)
    ) == b"SSH-2"  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "ends", "outcome"),
    [
        (b"", None, Outcome.SILENT),
        (b"", Loss.CLOSED, Outcome.CLOSED),
        (message(Op.NO_SUCH_FILE, KEY.md4), None, Outcome.NOTHING_HELD),
        (donkeys.status(set(), len(WHOLE)), None, Outcome.NOTHING_HELD),
        (donkeys.status(None, len(WHOLE), md4=bytes(16)), None, Outcome.SILENT),
        (donkeys.status({1}, 9 * len(WHOLE) * 9), None, Outcome.MALFORMED),
        (struct.pack("<BIB", 0xD4, 60000, 0x50) + bytes(10), None, Outcome.SILENT),
        (struct.pack("<BIB", 0xC5, 70000, 0x40) + bytes(10), None, Outcome.MALFORMED),
        (donkeys.content_message(0, WHOLE[:1000]), None, Outcome.MALFORMED),
    ],
    ids=["mute", "hangs up", "has none", "no parts", "other file", "other size", "packed",
         "long", "content"],
)  # fmt: skip
def test_who_does_not_claim(answer: bytes, ends: Loss | None, outcome: Outcome) -> None:
    found = held(instead(Op.SET_FILE, answer), ends=ends)
    assert found.outcome is outcome


def test_what_was_not_asked_for_is_passed_over_as_a_digest() -> None:
    """Content in a message of any other kind is not kept either."""
    wrapped = struct.pack("<BIB", EMULE, 20001, 0x40) + WHOLE[:20000]
    packed = struct.pack("<BIB", 0xD4, 101, 0x46) + WHOLE[:100]
    usual = donkeys.status(None, len(WHOLE))
    found = held(instead(Op.SET_FILE, wrapped + packed + usual), chunk_bytes=999)
    assert found.outcome is None
    events = parse(found.recorder.finish()).events
    other = [one for one in events if isinstance(one, Elided) and one.kind == "other"]
    assert [one.length_bytes for one in other] == [20000, 100]
    assert other[0].sha256 == hashlib.sha256(WHOLE[:20000]).digest()


RANK = message(Op.QUEUE_RANK, bytes(12))
DATA = WHOLE[BLOCK.start :][: BLOCK.size]


@pytest.mark.parametrize(
    ("op", "answer", "ends", "outcome"),
    [
        (Op.START_UPLOAD, b"", None, Outcome.CHOKED),
        (Op.START_UPLOAD, RANK, None, Outcome.CHOKED),
        (Op.START_UPLOAD, b"", Loss.CLOSED, Outcome.CHOKED),
        (Op.START_UPLOAD, donkeys.content_message(0, DATA[:100]), None, Outcome.MALFORMED),
        (Op.AICH_REQUEST, message(Op.AICH_ANSWER, KEY.md4), None, Outcome.REFUSED),
        (Op.AICH_REQUEST, b"", None, Outcome.REFUSED),
        (Op.AICH_REQUEST, message(Op.AICH_ANSWER, bytes(20000)), None, Outcome.MALFORMED),
        (Op.AICH_REQUEST, donkeys.aich_answer(WHOLE, 0)[:-9], Loss.CLOSED, Outcome.REFUSED),
        (Op.AICH_REQUEST, message(Op.AICH_ANSWER, donkeys.aich_answer(WHOLE, 0)[6:-30]), None,
         Outcome.MALFORMED),
        (Op.AICH_REQUEST, donkeys.aich_answer(WHOLE, 0)[:-22] + bytes(22), None,
         Outcome.MALFORMED),
        (Op.AICH_REQUEST, donkeys.aich_answer(WHOLE[:-1], 0), None, Outcome.REFUSED),
        (Op.REQUEST_PARTS, b"", None, Outcome.REFUSED),
        (Op.REQUEST_PARTS, b"", Loss.RESET, Outcome.REFUSED),
        (Op.REQUEST_PARTS, message(Op.OUT_OF_PARTS), None, Outcome.REFUSED),
        (Op.REQUEST_PARTS, RANK, None, Outcome.REFUSED),
        (Op.REQUEST_PARTS, donkeys.content_message(BLOCK.start, DATA[:9])[:32], None,
         Outcome.REFUSED),
        (Op.REQUEST_PARTS, donkeys.content_message(BLOCK.start + 1, DATA[:9]), None,
         Outcome.MALFORMED),
        (Op.REQUEST_PARTS, donkeys.content_message(BLOCK.start, DATA[:9]) * 2, None,
         Outcome.MALFORMED),
        (Op.REQUEST_PARTS, donkeys.content_message(BLOCK.start, DATA[:9], md4=bytes(16)), None,
         Outcome.MALFORMED),
        (Op.REQUEST_PARTS, message(Op.CONTENT, KEY.md4 + struct.pack("<II", BLOCK.start,
         BLOCK.start + 9) + DATA[:8]), None, Outcome.MALFORMED),
        (Op.REQUEST_PARTS, message(Op.CONTENT, KEY.md4 + struct.pack("<II", BLOCK.start,
         BLOCK.start)), None, Outcome.MALFORMED),
        (Op.REQUEST_PARTS, message(Op.CONTENT, KEY.md4), None, Outcome.REFUSED),
        (Op.REQUEST_PARTS, message(Op.CONTENT, KEY.md4) + message(Op.CONTENT, KEY.md4), None,
         Outcome.MALFORMED),
    ],
)  # fmt: skip
def test_who_does_not_deliver(
    op: Op, answer: bytes, ends: Loss | None, outcome: Outcome
) -> None:
    found = held(instead(op, answer), ends=ends)
    assert found.outcome is outcome


def test_without_true_hashes_no_content_is_asked_for() -> None:
    false = donkeys.aich_answer(WHOLE, 0)[:-22] + bytes(22)
    line = Line(answer=donkeys.serving(WHOLE, change=instead(Op.AICH_REQUEST, false)))
    Held(line)
    assert {op for _, op, _ in donkeys.asked(bytes(line.sent))}.isdisjoint(
        {Op.START_UPLOAD, Op.REQUEST_PARTS}
    )


def test_more_than_was_asked_for_is_a_fault() -> None:
    data = WHOLE[BLOCK.start :][: BLOCK.size + 1]
    chunks = [data[at : at + 60000] for at in range(0, len(data), 60000)]
    answer = b"".join(
        donkeys.content_message(BLOCK.start + 60000 * at, one) for at, one in enumerate(chunks)
    )
    assert held(instead(Op.REQUEST_PARTS, answer)).outcome is Outcome.MALFORMED


def test_other_messages_may_come_between_content() -> None:
    usual = donkeys.serving(WHOLE)

    def between(op: int, answer: bytes) -> bytes:
        if op != Op.REQUEST_PARTS:
            return answer
        first = 6 + 24 + donkeys.CHUNK_BYTES
        return answer[:first] + RANK + donkeys.named() + answer[first:]

    assert usual is not None
    assert held(between).outcome is None


def test_an_introduction_that_comes_slowly_is_heard() -> None:
    assert held(chunk_bytes=1, change=instead(Op.START_UPLOAD, b"")).outcome is Outcome.CHOKED


def test_our_port_is_said_to_be_the_one_we_call_from() -> None:
    line = Line(answer=donkeys.serving(WHOLE))
    Held(line)
    assert struct.unpack_from("<H", line.sent, 6 + 17 + 4)[0] == spoken.OURS.port
