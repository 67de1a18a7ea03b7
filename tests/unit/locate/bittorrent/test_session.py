"""A conversation ends in an outcome, whatever the peer says."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.lists.fetch_key import TorrentFile
from protech.locate.adapter import Level, Outcome, Transport
from protech.locate.bittorrent import bencode, messages
from protech.locate.bittorrent.hearing import Hearing
from protech.locate.bittorrent.judge import judge
from protech.locate.bittorrent.messages import Kind, Malformed, framed
from protech.locate.bittorrent.session import Session
from protech.locate.links import Ended, HungUp, Limits
from protech.locate.loss import Loss, Lost
from tests import spoken
from tests.spoken import Line

KEY = spoken.file_key(spoken.content(1, 16 * 300), piece_bytes=300)
TARGET = spoken.target_of(KEY)
FIRST = messages.handshake(KEY.info_hash)
ALL = framed(Kind.BITFIELD, b"\xff\xff")


def conversed(
    line: Line, first: bytes = FIRST, key: TorrentFile = KEY
) -> tuple[Session, Outcome]:
    """Hold a conversation, and return it with its outcome."""
    target = spoken.target_of(key)
    hearing = Hearing(target, started_s=0)
    hearing.stands(Transport.TCP)
    session = Session(line, hearing, key, limits=Limits())

    async def work() -> Outcome:
        until = asyncio.get_running_loop().time() + 5
        try:
            await session.greet(first, until)
            return await session.hear_claims(until)
        except Ended as ended:
            return ended.outcome

    outcome = asyncio.run(work())
    assert hearing.judgement == judge(hearing.transcript(), target)
    return session, outcome


def level_of(session: Session) -> Level:
    return session.hearing.judgement.level


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1000])
def test_a_seed_claims(chunk_bytes: int) -> None:
    session, outcome = conversed(Line(spoken.greeting(KEY) + ALL, chunk_bytes=chunk_bytes))
    assert (outcome, level_of(session)) == (Outcome.CLAIMED, Level.CLAIMS)
    assert session.held.is_whole


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (b"", Outcome.SILENT),
        (b"\x13Bit", Outcome.SILENT),
        (b"HTTP/1.0 200 OK\r\n\r\n", Outcome.OTHER_PROTOCOL),
        (bytes(100), Outcome.OTHER_PROTOCOL),
        (b"\x13BitTorrent protocoX" + bytes(48), Outcome.OTHER_PROTOCOL),
        pytest.param(FIRST, Outcome.ECHO, id="what was said to it"),
        (FIRST[:28] + bytes(20) + spoken.THEIR_ID, Outcome.OTHER_FILE),
        (spoken.greeting(KEY), Outcome.NOTHING_HELD),
        (spoken.greeting(KEY) + framed(Kind.BITFIELD, b"\0\0"), Outcome.NOTHING_HELD),
        (spoken.greeting(KEY) + framed(Kind.HAVE, bytes(4)), Outcome.CLAIMED),
        (spoken.greeting(KEY) + bytes(400) + ALL, Outcome.CLAIMED),
    ],
)
def test_what_is_said_decides(said: bytes, outcome: Outcome) -> None:
    assert conversed(Line(said))[1] is outcome


def test_a_hybrid_may_answer_with_its_twin() -> None:
    answer = spoken.greeting(replace(KEY, info_hash=bytes(20))) + ALL
    twin = replace(KEY, twin=bytes(20))
    session, outcome = conversed(Line(answer), key=twin)
    assert (outcome, level_of(session)) == (Outcome.CLAIMED, Level.CLAIMS)
    other = replace(KEY, twin=bytes([1] * 20))
    assert conversed(Line(answer), key=other)[1] is Outcome.OTHER_FILE


MALFORMED = {
    "too many pieces": framed(Kind.HAVE, (16).to_bytes(4)),
    "a long have": framed(Kind.HAVE, bytes(5)),
    "a short bitfield": framed(Kind.BITFIELD, b"\xff"),
    "a long bitfield": framed(Kind.BITFIELD, bytes(3)),
    "a huge message": b"\xff\xff\xff\xff\x05",
    "a huge unknown message": (5000).to_bytes(4) + b"\x63",
    "fast without fast": framed(Kind.HAVE_ALL),
    "content": framed(Kind.PIECE, bytes(8 + 300)),
    "content that never ends": (1 << 20).to_bytes(4) + bytes([Kind.PIECE]) + bytes(8),
    "no dictionary": framed(Kind.EXTENDED, b"\0nonsense"),
    "a long introduction": framed(Kind.EXTENDED, b"\0d1:v9000:" + bytes(9000) + b"e"),
    "a nested introduction": framed(Kind.EXTENDED, b"\0d1:v" + b"l" * 200 + b"e" * 201),
    "a bomb": (1 << 22).to_bytes(4) + bytes([Kind.EXTENDED]),
    "nothing in an extension": framed(Kind.EXTENDED),
    "hashes without fields": framed(Kind.HASHES, bytes(47)),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_breaks_the_protocol_ends_it_and_what_was_claimed_stands(name: str) -> None:
    had = framed(Kind.HAVE, bytes(4))
    line = Line(spoken.greeting(KEY) + had + MALFORMED[name])
    session, outcome = conversed(line)
    assert (outcome, level_of(session)) == (Outcome.MALFORMED, Level.CLAIMS)
    session.close()
    assert line.is_closed


def test_content_that_was_not_asked_for_is_kept_nowhere() -> None:
    secret = spoken.content(9, 300)
    line = Line(spoken.greeting(KEY) + framed(Kind.PIECE, bytes(8) + secret))
    session, outcome = conversed(line)
    assert outcome is Outcome.MALFORMED
    session.close()
    assert secret[:20] not in bytes(session._inbox)
    assert judge(session.hearing.transcript(), TARGET).level is Level.HANDSHAKE


def test_a_peer_that_hangs_up_on_our_handshake_may_want_encryption() -> None:
    for loss in (Loss.CLOSED, Loss.RESET):
        with pytest.raises(HungUp) as hung_up:
            conversed(Line(ends=loss))
        assert hung_up.value.loss is loss
    assert conversed(Line(b"\x13Bit", ends=Loss.CLOSED))[1] is Outcome.OTHER_PROTOCOL


def test_a_peer_that_hangs_up_later_has_said_what_it_has_said() -> None:
    session, outcome = conversed(Line(spoken.greeting(KEY), ends=Loss.RESET))
    assert (outcome, level_of(session)) == (Outcome.CLOSED, Level.HANDSHAKE)
    had = spoken.greeting(KEY) + framed(Kind.HAVE, bytes(4))
    session, outcome = conversed(Line(had, ends=Loss.RESET))
    assert (outcome, level_of(session)) == (Outcome.CLAIMED, Level.CLAIMS)


def test_we_open_with_nothing_and_claim_nothing() -> None:
    line = Line(spoken.greeting(KEY, reserved=spoken.BOTH) + framed(Kind.HAVE_ALL))
    session, outcome = conversed(line)
    assert outcome is Outcome.CLAIMED
    assert session.held.is_whole
    assert line.sent.startswith(FIRST + messages.HAVE_NONE)
    assert bytes(line.sent[73:79]) == bytes((*line.sent[73:77], Kind.EXTENDED, 0))


def test_requests_of_the_peer_are_left_unanswered() -> None:
    asked = framed(Kind.INTERESTED) + messages.request(0, 0, 300)
    line = Line(spoken.greeting(KEY) + asked + ALL)
    assert conversed(line)[1] is Outcome.CLAIMED
    assert bytes(line.sent) == FIRST


def test_an_introduction_is_waited_for_and_peers_are_learnt_but_not_written_down() -> None:
    said = bencode.encode({b"v": b"Client 1", b"m": {b"ut_pex": 3}})
    pex = bencode.encode({b"added": bytes((198, 18, 0, 7, 0x1A, 0xE1))})
    other = bytes(range(200, 230))
    line = Line(
        spoken.greeting(KEY, reserved=spoken.EXTENDED)
        + ALL
        + framed(Kind.EXTENDED, b"\1" + pex)
        + framed(Kind.EXTENDED, b"\5" + other)
        + framed(Kind.EXTENDED, b"\0" + said)
    )
    session, outcome = conversed(line)
    assert outcome is Outcome.CLAIMED
    assert session.introduction.name == "Client 1"
    assert [peer.endpoint.text for peer in session.learnt] == ["198.18.0.7:6881"]
    transcript = session.hearing.transcript()
    assert b'"elided":"pex"' in transcript
    assert b'"elided":"extension"' in transcript
    assert not session.hearing.judgement.is_faulty


def test_a_flood_of_haves_ends_with_the_transcript() -> None:
    flood = framed(Kind.HAVE, bytes(4)) * (1 << 19)
    assert conversed(Line(spoken.greeting(KEY) + flood))[1] is Outcome.MALFORMED


@given(st.lists(st.binary(max_size=40) | st.sampled_from(list(MALFORMED.values())), max_size=6))
def test_whatever_comes_after_the_handshake_it_ends_in_an_outcome(parts: list[bytes]) -> None:
    session, outcome = conversed(
        Line(spoken.greeting(KEY, reserved=spoken.BOTH) + b"".join(parts), ends=Loss.CLOSED)
    )
    assert outcome in {
        Outcome.CLAIMED,
        Outcome.CLOSED,
        Outcome.MALFORMED,
        Outcome.NOTHING_HELD,
    }
    assert len(session._inbox) <= 1 << 17


def guarded(line: Line, then: Callable[[Session], Awaitable[object]]) -> object:
    hearing = Hearing(TARGET, started_s=0)
    hearing.stands(Transport.TCP)
    session = Session(line, hearing, KEY, limits=Limits())
    session.is_guarded = True

    async def work() -> object:
        return await then(session)

    return asyncio.run(work())


@pytest.mark.parametrize("chunk_bytes", [1, 4, 100])
@pytest.mark.parametrize(
    "before", [b"", bytes(4), framed(Kind.UNCHOKE), framed(Kind.HAVE, bytes(4))]
)
def test_where_content_may_come_nothing_is_read_beyond_its_header(
    before: bytes, chunk_bytes: int
) -> None:
    data = bytes(range(100))
    line = Line(before + framed(Kind.PIECE, bytes(8) + data), chunk_bytes=chunk_bytes)
    memory = bytearray(100)

    async def then(session: Session) -> tuple[int, int]:
        kind = -1
        while kind != Kind.PIECE:
            kind, _ = await session.next(9e9)
        assert session.content_bytes == 100
        assert data[:1] not in bytes(session._inbox[session._start :]).strip(b"\0")
        await session.receive_content(memoryview(memory), 9e9)
        return kind, len(memory)

    assert guarded(line, then) == (Kind.PIECE, 100)
    assert bytes(memory) == data


def test_content_that_was_here_before_it_was_asked_for_is_refused() -> None:
    line = Line(framed(Kind.PIECE, bytes(8 + 20)))

    async def then(session: Session) -> None:
        session.is_guarded = False
        await session.next(9e9)
        with pytest.raises(Malformed):
            await session.receive_content(memoryview(bytearray(20)), 9e9)

    guarded(line, then)


def test_content_that_is_cut_is_a_loss() -> None:
    line = Line(framed(Kind.PIECE, bytes(8 + 20))[:-1], ends=Loss.CLOSED)

    async def then(session: Session) -> None:
        await session.next(9e9)
        with pytest.raises(Lost):
            await session.receive_content(memoryview(bytearray(20)), 9e9)

    guarded(line, then)
