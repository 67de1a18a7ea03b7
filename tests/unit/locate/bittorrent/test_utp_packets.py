"""The packets of uTP are read within their bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.bittorrent import utp_packets
from protech.locate.bittorrent.utp_packets import PacketKind

DATA = bytes.fromhex("01000102000000030000000400000005000600077061796c6f6164")


def test_a_packet_is_read() -> None:
    packet = utp_packets.parse(memoryview(DATA))
    assert packet is not None
    assert packet.kind is PacketKind.DATA
    assert (packet.connection, packet.sent_us, packet.window) == (0x0102, 3, 5)
    assert (packet.sequence, packet.acknowledged) == (6, 7)
    assert DATA[packet.payload_at :] == b"payload"


def test_extensions_are_passed_over() -> None:
    extended = DATA[:1] + b"\1" + DATA[2:20] + b"\2\4abcd\0\1x" + DATA[20:]
    packet = utp_packets.parse(memoryview(extended))
    assert packet is not None
    assert extended[packet.payload_at :] == b"payload"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        DATA[:19],
        b"\2" + DATA[1:],
        b"\x51" + DATA[1:],
        DATA[:1] + b"\1" + DATA[2:20],
        DATA[:1] + b"\1" + DATA[2:20] + b"\0\5abcd",
        DATA[:1] + b"\1" + DATA[2:20] + b"\1\0" * 50,
    ],
)
def test_what_is_no_packet_is_none(data: bytes) -> None:
    assert utp_packets.parse(memoryview(data)) is None


@given(
    st.binary(max_size=100) | st.binary(max_size=60).map(lambda rest: DATA[:1] + b"\1" + rest)
)
def test_whatever_the_bytes_are_the_payload_is_inside(data: bytes) -> None:
    packet = utp_packets.parse(memoryview(data))
    assert packet is None or 20 <= packet.payload_at <= len(data)


@given(st.integers(0, 65535), st.integers(-32767, 32767))
def test_numbers_go_round(number: int, distance: int) -> None:
    assert utp_packets.ahead((number + distance) % 65536, number) == distance
