"""The lab's trackers, over HTTP and UDP: announce, stop, and be named."""

import asyncio
import struct
from random import Random
from typing import cast

from protech.locate.bittorrent.bencode import decode
from protech.locate.lab.trackers import (
    UDP_PROTOCOL,
    Announced,
    Registry,
    UdpTracker,
    announce,
    compact,
    read_target,
    serve_http,
)

HASH = b"h" * 20
QUOTED = "%68" * 20
HERE = ("127.0.0.5", 99)


def announced(*, is_stopped: bool = False, port: int = 99) -> Announced:
    return Announced(info_hash=HASH, place=("127.0.0.5", port), is_stopped=is_stopped)


def test_who_announces_is_named_until_it_stops() -> None:
    registry = Registry()
    assert registry.take(announced()) == [HERE]
    assert registry.take(announced(is_stopped=True)) == []


def test_who_has_no_port_is_not_named() -> None:
    assert Registry().take(announced(port=0)) == []


def test_a_poisoned_tracker_names_its_victims_for_everything() -> None:
    registry = Registry([("127.0.0.66", 9100)])
    assert registry.take(announced(is_stopped=True)) == [("127.0.0.66", 9100)]


def test_places_are_packed_by_version() -> None:
    fours, sixes = compact([HERE, ("::1", 7)])
    assert fours == bytes([127, 0, 0, 5, 0, 99])
    assert sixes == bytes(15) + b"\x01\x00\x07"


def test_a_target_is_an_announcement_or_nothing() -> None:
    path = f"/announce?info_hash={QUOTED}&port=99"
    assert read_target(path, "127.0.0.5") == announced()
    assert read_target(path + "&event=stopped", "127.0.0.5") == announced(is_stopped=True)
    for wrong in ("/announce", path + "9999", f"/announce?info_hash={QUOTED}&port=x"):
        assert read_target(wrong, "127.0.0.5") is None


def test_a_peer_that_announces_over_http_is_answered_with_its_peers() -> None:
    async def go() -> bytes:
        registry = Registry()
        server = await serve_http(registry, "127.0.0.1", 0)
        place = server.sockets[0].getsockname()
        await announce(place, HERE, HASH)
        reader, writer = await asyncio.open_connection(*place)
        writer.write(f"GET /announce?info_hash={QUOTED}&port=0 HTTP/1.1\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        server.close()
        return answer

    head, _, body = asyncio.run(go()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert decode(body)[b"peers"] == compact([HERE])[0]


def test_what_is_no_request_is_hung_up_on_or_refused() -> None:
    async def go(said: bytes) -> bytes:
        server = await serve_http(Registry(), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(said)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        server.close()
        return answer

    assert asyncio.run(go(b"nothing")) == b""
    assert b"failure reason" in asyncio.run(go(b"GET\r\n\r\n"))


class Sent:
    """A datagram transport that keeps what is sent."""

    def __init__(self) -> None:
        self.content: list[bytes] = []

    def sendto(self, data: bytes, addr: object) -> None:
        self.content.append(data)


def tracker() -> tuple[UdpTracker, Sent]:
    made, sent = UdpTracker(Registry(), Random(1)), Sent()
    made._transport = cast("asyncio.DatagramTransport", sent)
    return made, sent


def announcement(connection: int) -> bytes:
    head = struct.pack(">QII", connection, 1, 7) + HASH + bytes(20) + bytes(24)
    return head + struct.pack(">IIIIH", 0, 0, 0, 50, 99)


def test_a_peer_that_announces_over_udp_is_named() -> None:
    made, sent = tracker()
    made.datagram_received(struct.pack(">QII", UDP_PROTOCOL, 0, 5), HERE)
    action, transaction, connection = struct.unpack(">IIQ", sent.content[0])
    assert (action, transaction) == (0, 5)
    made.datagram_received(announcement(connection), HERE)
    assert sent.content[1] == struct.pack(">IIIII", 1, 7, 120, 0, 1) + compact([HERE])[0]


def test_an_announcement_without_a_connection_is_refused() -> None:
    made, sent = tracker()
    made.datagram_received(announcement(1234), HERE)
    assert sent.content[0].startswith(struct.pack(">II", 3, 7))
    made.datagram_received(b"short", HERE)
    assert len(sent.content) == 1
