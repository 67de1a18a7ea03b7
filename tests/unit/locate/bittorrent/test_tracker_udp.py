"""UDP trackers: what is asked, what is believed, and when it ends."""

import asyncio
import struct
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import pytest

from protech.errors import AuthorityError
from protech.locate.adapter import Endpoint
from protech.locate.bittorrent.tracker import (
    NOBODY_LISTENS_PORT,
    Announce,
    Answer,
    Event,
    Said,
)
from protech.locate.bittorrent.tracker_udp import STRAYS, UdpTalk
from protech.locate.loss import Loss, Lost

SAID = Announce(info_hash=b"h" * 20, peer_id=b"p" * 20, key=b"keyk", left_bytes=9)
PEER = b"\xc6\x12\x00\x01\x1a\xe1"

Answers = Callable[[bytes], Sequence[bytes]]


class Tracker:
    """Answers each question as it is told; where it does not answer, the wait runs out."""

    local = Endpoint(address=ip_address("127.8.0.1"), port=4000)

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._waiting: list[bytes] = []
        self.asked: list[bytes] = []
        self.is_closed = False

    def send(self, data: bytes) -> None:
        self.asked.append(data)
        self._waiting += self._answers(data)

    async def receive_into(self, memory: memoryview) -> int:
        if not self._waiting:
            raise TimeoutError  # as the deadline would, which no test waits for
        data = self._waiting.pop(0)
        memory[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.is_closed = True


def number_of(question: bytes) -> bytes:
    return question[12:16]


def honest(question: bytes) -> list[bytes]:
    action = question[8:12]
    if action == bytes(4):
        return [bytes(4) + number_of(question) + b"CONNECT1"]
    return [action + number_of(question) + struct.pack(">III", 600, 1, 2) + PEER]


def ask(answers: Answers, *, version: int = 4) -> tuple[Tracker, Answer]:
    tracker = Tracker(answers)
    talk = UdpTalk(tracker, version=version)
    return tracker, asyncio.run(talk.ask(SAID, Event.STARTED))


def test_a_tracker_is_asked_as_bep_15_says() -> None:
    tracker, answer = ask(honest)
    connect, announce = tracker.asked
    assert connect[:12] == struct.pack(">QI", 0x41727101980, 0)
    assert len(connect) == 16
    assert announce[:12] == b"CONNECT1" + struct.pack(">I", 1)
    assert announce[16:] == (
        b"h" * 20
        + b"p" * 20
        + struct.pack(">QQQII", 0, 9, 0, 2, 0)
        + b"keyk"
        + struct.pack(">iH", 200, NOBODY_LISTENS_PORT)
    )
    assert answer.said is Said.PEERS
    assert answer.peers == (Endpoint(address=ip_address("198.18.0.1"), port=6881),)
    assert answer.interval_s == 600
    assert answer.ourselves == Tracker.local.address


def test_stopping_asks_for_nobody_over_the_same_connection() -> None:
    tracker = Tracker(honest)
    talk = UdpTalk(tracker, version=4)

    told = [talk.told]

    async def both() -> None:
        await talk.ask(SAID, Event.STARTED)
        told.append(talk.told)
        await talk.ask(SAID, Event.STOPPED)

    asyncio.run(both())
    assert told == [False, True]
    assert [len(one) for one in tracker.asked] == [16, 98, 98]
    event, wanted = struct.unpack(">I8xi", tracker.asked[2][80:96])
    assert (event, wanted) == (3, 0)


def test_ipv6_peers_are_wider() -> None:
    def answers(question: bytes) -> list[bytes]:
        if question[8:12] == bytes(4):
            return honest(question)
        peer = ip_address("2001:db8::1").packed + b"\x00\x50"
        return [question[8:16] + struct.pack(">III", 600, 1, 2) + peer]

    _, answer = ask(answers, version=6)
    assert answer.peers == (Endpoint(address=ip_address("2001:db8::1"), port=80),)


def test_a_question_is_asked_again_a_few_times_only() -> None:
    tracker, answer = ask(lambda _: [])
    assert answer.said is Said.TIMED_OUT
    assert len(tracker.asked) == 3


def test_an_answer_to_a_later_sending_counts() -> None:
    asked: list[bytes] = []

    def answers(question: bytes) -> list[bytes]:
        asked.append(question)
        return honest(question) if len(asked) != 1 else []

    _, answer = ask(answers)
    assert answer.said is Said.PEERS


def test_an_answer_with_another_number_or_action_is_none() -> None:
    def answers(question: bytes) -> list[bytes]:
        wrong = bytes(byte ^ 1 for byte in number_of(question))
        forged = [bytes(4) + wrong + bytes(8), b"\0\0\0\2" + number_of(question), b"short"]
        return [*forged, *honest(question)]

    _, answer = ask(answers)
    assert (answer.said, answer.strays) == (Said.PEERS, 6)


def test_a_flood_of_forged_answers_ends_it() -> None:
    _, answer = ask(lambda _: [bytes(16)] * (STRAYS + 1))
    assert answer.said is Said.MALFORMED


def test_an_error_of_the_tracker_is_a_failure() -> None:
    _, answer = ask(lambda question: [b"\0\0\0\3" + number_of(question) + b"no"])
    assert answer.said is Said.FAILURE


@pytest.mark.parametrize("cut", [8, 12, 15])
def test_a_short_answer_is_malformed(cut: int) -> None:
    _, answer = ask(lambda question: [one[:cut] for one in honest(question)])
    assert answer.said is Said.MALFORMED


def test_a_short_announcement_is_malformed() -> None:
    def answers(question: bytes) -> list[bytes]:
        (answer,) = honest(question)
        return [answer if len(answer) == 16 else answer[:18]]

    assert ask(answers)[1].said is Said.MALFORMED


def test_nobody_there_is_a_result_and_no_leave_is_an_error() -> None:
    def lost(_: bytes) -> list[bytes]:
        raise Lost(Loss.REFUSED)

    def uncovered(_: bytes) -> list[bytes]:
        raise AuthorityError("It has ended.")

    assert ask(lost)[1].said is Said.UNREACHABLE
    with pytest.raises(AuthorityError):
        ask(uncovered)


def test_closing_closes_the_socket() -> None:
    tracker = Tracker(honest)
    UdpTalk(tracker, version=4).close()
    assert tracker.is_closed
