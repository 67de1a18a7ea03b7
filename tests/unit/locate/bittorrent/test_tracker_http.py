"""HTTP trackers: what is asked, and every way in which an answer may be framed or broken."""

import asyncio
from ipaddress import ip_address

import pytest

from protech.locate.adapter import Endpoint
from protech.locate.bittorrent import bencode
from protech.locate.bittorrent.tracker import (
    ANSWER_BYTES,
    Announce,
    Answer,
    Event,
    Said,
    Tracker,
)
from protech.locate.bittorrent.tracker_http import HEAD_BYTES, HttpTalk, request
from protech.locate.loss import Loss, Lost

HERE = ip_address("127.0.0.1")
TRACKER = Tracker(scheme="http", host="127.0.0.1", port=6969, path="/announce")
SAID = Announce(info_hash=bytes(range(20)), peer_id=b"p" * 20, key=b"keyk", left_bytes=9)
PEERS = bencode.encode({b"interval": 600, b"peers": b"\xc6\x12\x00\x01\x1a\xe1"})
NAMED = (Endpoint(address=ip_address("198.18.0.1"), port=6881),)


class Wire:
    """Gives an answer a few bytes at a time."""

    local = Endpoint(address=ip_address("127.8.0.1"), port=4000)

    def __init__(self, answer: bytes, *, step: int) -> None:
        self._left = answer
        self._step = step
        self.sent = b""
        self.closed = 0

    async def send(self, data: bytes) -> None:
        self.sent += data

    async def receive_into(self, buffer: memoryview) -> int:
        size = min(self._step, len(self._left), len(buffer))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def close(self) -> None:
        self.closed += 1


def ask(answer: bytes, *, step: int = 7) -> Answer:
    wire = Wire(answer, step=step)

    async def connect(peer: Endpoint) -> Wire:
        assert peer == Endpoint(address=HERE, port=6969)
        return wire

    talk = HttpTalk(connect, TRACKER, HERE)
    found = asyncio.run(talk.ask(SAID, Event.STARTED))
    assert (wire.closed, talk.told) == (1, True)
    assert wire.sent == request(TRACKER, SAID, Event.STARTED)
    return found


def framed(body: bytes, *lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join([status, *lines, b"", body])


def test_a_request_asks_for_what_bep_3_names_and_no_more() -> None:
    first, host, *rest = request(TRACKER, SAID, Event.STARTED).decode().split("\r\n")
    assert first == (
        "GET /announce?info_hash=%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13"
        "&peer_id=pppppppppppppppppppp&port=9&uploaded=0&downloaded=0&left=9&compact=1"
        "&no_peer_id=1&numwant=200&key=6b65796b&event=started HTTP/1.1"
    )
    assert host == "Host: 127.0.0.1:6969"
    assert rest == ["Accept-Encoding: identity", "Connection: close", "", ""]


def test_stopping_asks_for_nobody() -> None:
    assert b"&numwant=0&key=6b65796b&event=stopped " in request(TRACKER, SAID, Event.STOPPED)


def test_a_query_and_an_ipv6_host_are_kept() -> None:
    tracker = Tracker(scheme="http", host="::1", port=80, path="/a?pass=1")
    asked = request(tracker, SAID, Event.STARTED)
    assert asked.startswith(b"GET /a?pass=1&info_hash=")
    assert b"\r\nHost: [::1]:80\r\n" in asked


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize(
    "answer",
    [
        framed(PEERS),
        framed(PEERS, status=b"HTTP/1.0 200"),
        framed(PEERS, b"Content-Length: %d" % len(PEERS)),
        framed(PEERS + b"more", b"content-length:%d" % len(PEERS)),
        framed(
            b"4;name=value\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n"
            % (PEERS[:4], len(PEERS) - 4, PEERS[4:]),
            b"Transfer-Encoding: Chunked",
        ),
    ],
)
def test_each_framing_is_read(answer: bytes, step: int) -> None:
    found = ask(answer, step=step)
    assert (found.said, found.peers, found.interval_s) == (Said.PEERS, NAMED, 600)
    assert found.ourselves == Wire.local.address


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"403 No", b"500 Oh", b"204"])
def test_no_redirect_is_followed_and_no_other_status_read(status: bytes) -> None:
    answer = framed(PEERS, b"Location: http://127.0.0.2/", status=b"HTTP/1.1 " + status)
    assert ask(answer).said is Said.FAILURE


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        framed(PEERS, status=b"HTTP/2 200"),
        framed(PEERS, b"Content-Length: -1"),
        framed(PEERS, b"Content-Length: 12345678901"),
        framed(PEERS, b"Content-Length: %d" % (len(PEERS) + 1)),
        framed(b"xyz\r\n", b"Transfer-Encoding: chunked"),
        framed(b"-4\r\n", b"Transfer-Encoding: chunked"),
        framed(b"4\r\nd1:a____", b"Transfer-Encoding: chunked"),
        framed(b"%x\r\n" % (ANSWER_BYTES + 1), b"Transfer-Encoding: chunked"),
        framed(b"5" * 1000, b"Transfer-Encoding: chunked"),
        framed(b"not bencoded"),
    ],
)
def test_a_broken_answer_is_a_result(answer: bytes) -> None:
    assert ask(answer).said is Said.MALFORMED


def test_a_head_as_long_as_allowed_is_read_and_a_longer_one_is_not() -> None:
    bare = len(framed(b"", b"X: ")) - len(b"\r\n\r\n")
    for over, said in ((0, Said.PEERS), (1, Said.MALFORMED)):
        padding = b"x" * (HEAD_BYTES - bare + over)
        assert ask(framed(PEERS, b"X: " + padding), step=1000).said is said


def test_a_body_as_long_as_allowed_is_read_and_a_longer_one_is_not() -> None:
    for over, said in ((0, Said.PEERS), (1, Said.MALFORMED)):
        body = PEERS + b"x" * (ANSWER_BYTES - len(PEERS) + over)
        assert ask(framed(body, b"Content-Length: %d" % len(body)), step=9999).said is said
        assert ask(framed(body), step=9999).said is said


def test_a_failure_of_the_tracker_is_a_result() -> None:
    assert ask(framed(bencode.encode({b"failure reason": b"no"}))).said is Said.FAILURE


def test_nobody_there_is_a_result_and_nothing_was_told() -> None:
    async def connect(peer: Endpoint) -> Wire:
        raise Lost(Loss.REFUSED)

    talk = HttpTalk(connect, TRACKER, HERE)
    assert asyncio.run(talk.ask(SAID, Event.STARTED)).said is Said.UNREACHABLE
    assert not talk.told
    talk.close()
