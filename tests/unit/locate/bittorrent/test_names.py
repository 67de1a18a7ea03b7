"""Names of trackers: asked by the door, believed only where asked, followed only so far."""

import asyncio
import struct
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import AuthorityError
from protech.locate.adapter import Endpoint
from protech.locate.bittorrent import names
from protech.locate.bittorrent.names import Kind, Resolver, addresses, packed_name, question
from protech.locate.loss import Loss, Lost

ONE = Endpoint(address=ip_address("198.18.0.53"), port=53)
TWO = Endpoint(address=ip_address("198.18.1.53"), port=53)
NAME = b"\x07tracker\x07example\x00"
TO_NAME = b"\xc0\x0c"
"""A pointer to the name in the question."""


def record(kind: int, data: bytes, *, owner: bytes = TO_NAME, group: int = 1) -> bytes:
    return owner + struct.pack(">HHIH", kind, group, 300, len(data)) + data


def answer(
    asked: bytes, *records: bytes, flags: int = 0x8180, count: int | None = None
) -> bytes:
    number = asked[:2]
    counts = struct.pack(">HHHHH", flags, 1, len(records) if count is None else count, 0, 0)
    return number + counts + asked[12:] + b"".join(records)


ASKED = question(NAME, Kind.IPV4, 7)
FOUR = ip_address("198.18.0.1")
A = record(1, FOUR.packed)


def read(data: bytes, *, number: int = 7, kind: Kind = Kind.IPV4) -> object:
    return addresses(data, NAME, kind, number)


def test_a_question_is_as_rfc_1035_writes_it() -> None:
    assert ASKED == b"\0\x07\x01\0\0\x01\0\0\0\0\0\0" + NAME + b"\0\x01\0\x01"


def test_addresses_of_the_name_are_read() -> None:
    other = record(1, b"\x08\x08\x08\x08", owner=b"\x05other\x07example\0")
    assert read(answer(ASKED, other, A, record(16, b"text"))) == (FOUR,)
    six = ip_address("2001:2::1")
    asked = question(NAME, Kind.IPV6, 7)
    assert read(answer(asked, record(28, six.packed)), kind=Kind.IPV6) == (six,)


def test_letters_may_be_large() -> None:
    asked = ASKED.replace(b"tracker", b"TrAcKeR")
    assert read(answer(asked, A)) == (FOUR,)


def test_a_name_that_leads_to_another_is_followed() -> None:
    alias = b"\x01b\x07example\x00"
    again = b"\x01c\xc0\x14"  # "c" and what the question has after "tracker"
    records = [
        record(5, alias),
        record(5, again, owner=alias),
        record(1, FOUR.packed, owner=b"\x01c\x07example\0"),
    ]
    assert read(answer(ASKED, *records)) == (FOUR,)


def test_names_that_lead_in_circles_lead_nowhere() -> None:
    assert read(answer(ASKED, record(5, TO_NAME))) == ()
    alias = b"\x01b\x07example\x00"
    assert read(answer(ASKED, record(5, alias), record(5, TO_NAME, owner=alias))) == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ASKED,
        answer(ASKED, A, flags=0x0100),
        answer(question(NAME, Kind.IPV4, 8), A),
        answer(question(NAME, Kind.IPV6, 7), A),
        answer(question(b"\x05other\0", Kind.IPV4, 7), A),
        answer(ASKED, A)[:-20],
        answer(ASKED, record(1, FOUR.packed, owner=b"\x41" + b"x" * 65 + b"\0")),
        answer(ASKED, record(1, FOUR.packed, owner=b"\xc0\x21")),
    ],
)
def test_what_is_no_answer_to_the_question_is_not_believed(data: bytes) -> None:
    assert read(data) is None


@pytest.mark.parametrize(
    "data",
    [
        answer(ASKED, flags=0x8183),
        answer(ASKED, A, count=65),
        answer(ASKED, record(1, b"short")),
        answer(ASKED, record(1, FOUR.packed, group=3)),
    ],
)
def test_an_answer_may_hold_no_address(data: bytes) -> None:
    assert read(data) == ()


@given(st.binary(max_size=120))
def test_no_answer_makes_it_fail(data: bytes) -> None:
    found = addresses(ASKED[:2] + b"\x81\x80" + data, NAME, Kind.IPV4, 7)
    assert found is None or isinstance(found, tuple)


@given(st.integers(0, 60), st.binary(min_size=1, max_size=4))
def test_no_changed_answer_makes_it_fail(at: int, change: bytes) -> None:
    whole = bytearray(answer(ASKED, record(5, b"\x01b\xc0\x14"), A))
    whole[at : at + len(change)] = change
    read(bytes(whole))


@pytest.mark.parametrize(
    ("host", "packed"),
    [
        ("Tracker.Example", NAME),
        ("tracker.example.", NAME),
        ("", None),
        ("a..b", None),
        ("x" * 64, None),
        (".".join(["x" * 63] * 4), None),
    ],
)
def test_a_name_is_packed_by_its_labels(host: str, packed: bytes | None) -> None:
    assert packed_name(host) == packed


class Server:
    """A name server that answers as it is told; where it does not, the wait runs out."""

    local = Endpoint(address=ip_address("198.18.0.1"), port=4000)

    def __init__(self, ways: "Ways", place: Endpoint) -> None:
        self._ways = ways
        self._place = place
        self._left: list[bytes] = []

    def send(self, data: bytes) -> None:
        self._ways.asked.append(self._place)
        self._left += self._ways.answers(self._place, data)

    async def receive_into(self, memory: memoryview) -> int:
        if not self._left:
            raise TimeoutError
        data = self._left.pop(0)
        memory[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._ways.closed += 1


class Ways:
    def __init__(self, answers: Callable[[Endpoint, bytes], list[bytes]]) -> None:
        self.answers = answers
        self.asked: list[Endpoint] = []
        self.closed = 0

    def datagrams(self, peer: Endpoint) -> Server:
        return Server(self, peer)


def honest(place: Endpoint, asked: bytes) -> list[bytes]:
    return [answer(asked, A) if asked[-4:] == b"\0\x01\0\x01" else answer(asked)]


def test_both_kinds_are_asked_for_and_remembered() -> None:
    clock = [0.0]
    ways = Ways(honest)
    resolver = Resolver(ways, [ONE, TWO], now=lambda: clock[0])
    for now, asked in ((0.0, 2), (names.KEPT_S - 1, 2), (names.KEPT_S, 4)):
        clock[0] = now
        assert list(asyncio.run(resolver("tracker.example"))) == [FOUR]
        assert ways.asked == [ONE] * asked
    assert ways.closed == 4


def test_nobody_is_asked_for_an_address_or_for_no_name() -> None:
    ways = Ways(honest)
    resolver = Resolver(ways, [ONE])
    assert list(asyncio.run(resolver("198.18.0.9"))) == [ip_address("198.18.0.9")]
    assert list(asyncio.run(resolver("a..b"))) == []
    assert ways.asked == []


def test_the_next_server_is_asked_where_one_is_silent_or_not_there() -> None:
    def answers(place: Endpoint, asked: bytes) -> list[bytes]:
        return [] if place == ONE else honest(place, asked)

    def lost(place: Endpoint, asked: bytes) -> list[bytes]:
        if place == ONE:
            raise Lost(Loss.REFUSED)
        return honest(place, asked)

    for one, asked in ((answers, [ONE, ONE, TWO, TWO]), (lost, [ONE, TWO, TWO])):
        ways = Ways(one)
        assert list(asyncio.run(Resolver(ways, [ONE, TWO])("tracker.example"))) == [FOUR]
        assert ways.asked == asked
    assert list(asyncio.run(Resolver(Ways(lambda *_: []), [ONE])("tracker.example"))) == []


def test_forged_answers_are_passed_over_but_not_for_ever() -> None:
    def forged(place: Endpoint, asked: bytes) -> list[bytes]:
        wrong = bytes([asked[0] ^ 1]) + asked[1:]
        return [answer(wrong, record(1, b"\x08\x08\x08\x08")), *honest(place, asked)]

    assert list(asyncio.run(Resolver(Ways(forged), [ONE])("tracker.example"))) == [FOUR]
    flood = Ways(lambda _, asked: [b"x"] * 99)
    assert list(asyncio.run(Resolver(flood, [ONE])("tracker.example"))) == []


def test_only_so_many_names_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "KEPT", 2)
    ways = Ways(honest)
    resolver = Resolver(ways, [ONE], now=lambda: 0.0)
    for host in ("a", "b", "c", "b", "a"):
        asyncio.run(resolver(host))
    assert len(ways.asked) == 8


def test_without_leave_no_name_is_asked_for() -> None:
    def over(place: Endpoint, asked: bytes) -> list[bytes]:
        raise AuthorityError("Over.")

    with pytest.raises(AuthorityError):
        asyncio.run(Resolver(Ways(over), [ONE])("tracker.example"))
