"""Our entry never stays behind: whatever happens, a tracker that may have us hears the end."""

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from protech.errors import AuthorityError
from protech.locate.adapter import Endpoint
from protech.locate.bittorrent import bencode
from protech.locate.bittorrent.tracker import Announce, Answer, Said, Tracker
from protech.locate.bittorrent.trackers import literal_only, visit
from protech.locate.loss import Loss, Lost

HERE = ip_address("127.0.0.1")
HTTP = Tracker(scheme="http", host="127.0.0.1", port=6969)
SAID = Announce(info_hash=b"h" * 20, peer_id=b"p" * 20, key=b"keyk", left_bytes=9)
PEERS = b"HTTP/1.1 200 OK\r\n\r\n" + bencode.encode({b"peers": b"\xc6\x12\x00\x01\x1a\xe1"})
STARTED, STOPPED = "started", "stopped"


class Wire:
    local = Endpoint(address=HERE, port=4000)

    def __init__(self, ways: "Ways") -> None:
        self._ways = ways
        self._answer = b""

    async def send(self, data: bytes) -> None:
        event = STARTED if b"event=started" in data else STOPPED
        self._ways.events.append(event)
        self._ways.began.set()
        answer = self._ways.answers[event]
        if isinstance(answer, Exception):
            raise answer
        self._answer = answer

    async def receive_into(self, buffer: memoryview) -> int:
        if self._answer == b"silence":
            await asyncio.Event().wait()
        size = len(self._answer)
        buffer[:size] = self._answer
        self._answer = b""
        return size

    def close(self) -> None:
        self._ways.closed += 1


class Ways:
    """The door, with a tracker behind it that answers each event as it is told."""

    def __init__(self, started: bytes | Exception, stopped: bytes | Exception) -> None:
        self.answers = {STARTED: started, STOPPED: stopped}
        self.events: list[str] = []
        self.began = asyncio.Event()
        self.closed = 0

    async def connect(self, peer: Endpoint) -> Wire:
        return Wire(self)

    def datagrams(self, peer: Endpoint) -> "Mute":
        if peer.port == 1:
            raise Lost(Loss.UNREACHABLE)
        return Mute(self)


class Mute:
    """A UDP tracker whose answers do not come."""

    local = Endpoint(address=HERE, port=4000)

    def __init__(self, ways: Ways) -> None:
        self._ways = ways

    def send(self, data: bytes) -> None:
        self._ways.events.append("datagram")

    async def receive_into(self, memory: memoryview) -> int:
        raise TimeoutError

    def close(self) -> None:
        self._ways.closed += 1


def go(ways: Ways, tracker: Tracker = HTTP, *, timeout_s: float = 60) -> Answer:
    return asyncio.run(visit(ways, tracker, HERE, SAID, timeout_s=timeout_s))


def test_a_tracker_hears_that_we_have_started_and_at_once_that_we_have_stopped() -> None:
    ways = Ways(PEERS, PEERS)
    answer = go(ways)
    assert ways.events == [STARTED, STOPPED]
    assert (answer.said, answer.withdrawn, len(answer.peers)) == (Said.PEERS, True, 1)
    assert ways.closed == 2


@pytest.mark.parametrize(
    ("started", "said"),
    [
        (b"nonsense", Said.MALFORMED),
        (b"HTTP/1.1 500 No\r\n\r\n", Said.FAILURE),
        (Lost(Loss.RESET), Said.UNREACHABLE),
    ],
)
def test_it_hears_the_end_also_where_its_answer_was_none(
    started: bytes | Exception, said: Said
) -> None:
    ways = Ways(started, PEERS)
    assert go(ways).said is said
    assert ways.events == [STARTED, STOPPED]


def test_it_hears_the_end_also_where_it_was_too_slow() -> None:
    ways = Ways(b"silence", PEERS)
    assert go(ways, timeout_s=0).said is Said.TIMED_OUT
    assert ways.events in ([], [STARTED, STOPPED])  # no deadline lets it begin


def test_an_end_that_is_not_confirmed_is_told() -> None:
    answer = go(Ways(PEERS, Lost(Loss.RESET)))
    assert (answer.said, answer.withdrawn) == (Said.PEERS, False)


def test_it_hears_the_end_also_where_we_stop_waiting() -> None:
    ways = Ways(b"silence", PEERS)

    async def cut_short() -> None:
        task = asyncio.create_task(visit(ways, HTTP, HERE, SAID, timeout_s=60))
        await ways.began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cut_short())
    assert ways.events == [STARTED, STOPPED]


def test_without_leave_nothing_more_is_tried() -> None:
    with pytest.raises(AuthorityError):
        go(Ways(AuthorityError("Over."), AuthorityError("Over.")))


def test_a_udp_tracker_that_never_answered_has_nothing_to_forget() -> None:
    ways = Ways(b"", b"")
    answer = go(ways, replace(HTTP, scheme="udp"))
    assert (answer.said, answer.withdrawn) == (Said.TIMED_OUT, True)
    assert (ways.events, ways.closed) == (["datagram"] * 3, 1)


def test_no_way_to_a_udp_tracker_is_a_result() -> None:
    assert go(Ways(b"", b""), replace(HTTP, scheme="udp", port=1)).said is Said.UNREACHABLE


def test_a_lab_asks_nobody_what_a_name_means() -> None:
    assert asyncio.run(literal_only("::1")) == (ip_address("::1"),)
    assert asyncio.run(literal_only("localhost")) == ()
