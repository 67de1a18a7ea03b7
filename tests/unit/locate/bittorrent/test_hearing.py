"""What is judged while it is said is what the transcript shows afterwards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.evidence.events import Measured
from protech.evidence.transcript import TranscriptFull
from protech.locate.adapter import Transport
from protech.locate.bittorrent.hearing import Hearing
from protech.locate.bittorrent.judge import judge
from protech.locate.bittorrent.messages import Kind, framed
from tests import spoken

KEY = spoken.file_key(spoken.content(1, 900), piece_bytes=300)
TARGET = spoken.target_of(KEY)
MEASURED = Measured(at_ms=0, piece=0, length_bytes=1, sha256=bytes(32), distinct_bytes=1)

WORDS = st.sampled_from(
    [
        framed(Kind.HAVE, bytes(4)),
        framed(Kind.HAVE, (9).to_bytes(4)),
        framed(Kind.BITFIELD, b"\xe0"),
        framed(Kind.EXTENDED, b"\1")[:-1],
        b"\0\0\0\5\x14\1",
    ]
)


@given(st.lists(WORDS | st.none() | st.integers(1, 4), max_size=8))
def test_both_judge_alike(words: list[bytes | int | None]) -> None:
    hearing = Hearing(TARGET, started_s=0)
    hearing.tried(Transport.TCP, "refused")
    hearing.stands(Transport.UTP)
    hearing.sent(spoken.greeting(KEY, peer_id=bytes(20)))
    hearing.received(spoken.greeting(KEY))
    for word in words:
        if isinstance(word, bytes):
            hearing.received(word)
        elif word is None:
            hearing.measured(MEASURED)
        else:
            hearing.elided("pex", word, bytes(32))
    assert judge(hearing.transcript(), TARGET) == hearing.judgement


@pytest.mark.parametrize("transport", [None, Transport.TCP])
def test_nothing_was_said(transport: Transport | None) -> None:
    hearing = Hearing(TARGET, started_s=0)
    hearing.stands(transport)
    assert judge(hearing.transcript(), TARGET) == hearing.judgement


def test_who_talks_on_is_not_taken_down_for_ever() -> None:
    hearing = Hearing(TARGET, started_s=0)
    hearing.stands(Transport.TCP)
    hearing.received(bytes(200 << 10))
    with pytest.raises(TranscriptFull):
        hearing.received(bytes(200 << 10))
