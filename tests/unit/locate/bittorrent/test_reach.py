"""TCP is tried first and alone; uTP and encryption only where they are needed."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import pytest

from protech.errors import AuthorityError
from protech.locate.adapter import Endpoint, Transport
from protech.locate.bittorrent import utp
from protech.locate.bittorrent.conversation import Conversation
from protech.locate.bittorrent.reach import INSTEAD, Called, Reach
from protech.locate.door import Door
from protech.locate.links import Limits
from protech.locate.loss import Loss, Lost
from tests import spoken
from tests.spoken import Line

KEY = spoken.file_key(spoken.content(1, 900), piece_bytes=300)
Answers = list[Exception | Line]


class Dialled:
    """A connection that comes to what ``answers`` hold, one for each time it is waited for."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    async def stream(self, *, until: float | None = None) -> Line:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A door with nobody behind it but what a test puts there."""

    tcp: Answers = field(default_factory=list)
    again: Answers = field(default_factory=list)

    def dial(self, peer: Endpoint) -> Any:
        return Dialled(self.tcp)

    async def connect(self, peer: Endpoint, *, until: float | None = None) -> Any:
        return await Dialled(self.again).stream()


def reached(
    lab: Lab, by: Transport | None = None, *, limits: Limits | None = None
) -> tuple[Called | None, Conversation]:
    conversation = Conversation(
        spoken.CANDIDATE, spoken.target_of(KEY), clock=lambda: datetime.now(UTC)
    )
    reach = Reach(lab, limits or Limits())  # type: ignore[arg-type]

    async def work() -> Called | None:
        if by is None:
            return await reach.plain(conversation)
        return await reach.by(by, conversation)

    return asyncio.run(work()), conversation


@pytest.fixture
def over_utp(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What a call over uTP comes to."""
    answers: Answers = []

    async def call(door: Door, peer: Endpoint, *, until: float | None = None) -> Line:
        return await Dialled(answers).stream()

    monkeypatch.setattr(utp, "call", call)
    return answers


def test_tcp_alone_is_tried_where_it_stands() -> None:
    line = Line()
    called, conversation = reached(Lab(tcp=[line]))
    assert called is not None
    assert (called.transport, called.is_sent) == (Transport.TCP, False)
    assert called.link is line
    assert conversation.attempts == 1
    assert conversation.local == spoken.OURS


def test_utp_is_tried_where_tcp_is_refused(over_utp: Answers) -> None:
    over_utp.append(Line())
    called, conversation = reached(Lab(tcp=[Lost(Loss.REFUSED)]))
    assert called is not None
    assert called.transport is Transport.UTP
    assert conversation.attempts == 2
    assert b'"outcome":"refused"' in conversation.sighting.transcript


@pytest.mark.parametrize(
    ("tcp", "by_utp", "transport"),
    [
        (Line(), Lost(Loss.REFUSED), Transport.TCP),
        (Lost(Loss.TIMED_OUT), Line(), Transport.UTP),
        (Line(), Line(), Transport.TCP),
        (TimeoutError(), TimeoutError(), None),
    ],
)
def test_both_race_where_tcp_does_not_answer_soon(
    tcp: Exception | Line,
    by_utp: Exception | Line,
    transport: Transport | None,
    over_utp: Answers,
) -> None:
    over_utp.append(by_utp)
    called, conversation = reached(Lab(tcp=[TimeoutError(), tcp]))
    assert conversation.attempts == 2
    assert (called and called.transport) is transport
    lines = [one for one in (tcp, by_utp) if isinstance(one, Line)]
    kept = [] if called is None else [called.link]
    assert all(line.is_closed for line in lines if line not in kept)
    assert not any(line.is_closed for line in kept if isinstance(line, Line))


def test_nobody_is_reached(over_utp: Answers) -> None:
    over_utp.append(Lost(Loss.REFUSED))
    called, conversation = reached(Lab(tcp=[Lost(Loss.REFUSED)]))
    assert called is None
    assert conversation.transport is None


@pytest.mark.parametrize("over", [Transport.MSE, Transport.UTP_MSE])
@pytest.mark.parametrize(
    ("said", "ends", "outcome"),
    [
        (bytes(96), None, b"malformed"),
        (b"", Loss.CLOSED, b"closed"),
        (b"", None, b"timed_out"),
    ],
)
def test_what_does_not_speak_encryption_is_noted(
    over: Transport, said: bytes, ends: Loss | None, outcome: bytes, over_utp: Answers
) -> None:
    line = Line(said, ends=ends)
    over_utp.append(line)
    called, conversation = reached(Lab(again=[line]), over)
    assert called is None
    assert line.is_closed
    assert b'"outcome":"' + outcome in conversation.sighting.transcript


def test_after_a_plain_handshake_encryption_and_utp_are_left() -> None:
    assert INSTEAD[Transport.TCP] == (Transport.MSE, Transport.UTP)
    assert INSTEAD[Transport.UTP] == (Transport.UTP_MSE,)


def test_where_the_authority_ends_no_connection_is_left(over_utp: Answers) -> None:
    def stop(sent: bytes) -> bytes:
        raise AuthorityError("The authorisation has ended.")

    line = Line(answer=stop)
    with pytest.raises(AuthorityError):
        reached(Lab(again=[line]), Transport.MSE)
    assert line.is_closed
    line = Line()
    over_utp.append(AuthorityError("The authorisation has ended."))
    called, _ = reached(Lab(tcp=[TimeoutError(), line]))
    assert called is not None
    assert called.link is line


def test_where_both_calls_may_not_be_made_it_is_said(over_utp: Answers) -> None:
    over_utp.append(AuthorityError("The authorisation has ended."))
    with pytest.raises(AuthorityError):
        reached(Lab(tcp=[TimeoutError(), Lost(Loss.TIMED_OUT)]))
