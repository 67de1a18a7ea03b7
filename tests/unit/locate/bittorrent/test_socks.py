"""What a client of the relay may say: the secret and one request, and nothing else."""

import asyncio
import socket
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.adapter import Endpoint
from protech.locate.bittorrent.socks import USER, Carried, associate, unwrap, wrap

SECRET = "secret"
HELLO = b"\x05\x02\x00\x02"
NODE = Endpoint(address=ip_address("198.18.0.1"), port=6881)


def password(secret: str, *, user: str = USER, version: int = 1) -> bytes:
    return bytes([version, len(user)]) + user.encode() + bytes([len(secret)]) + secret.encode()


def wanted(*, command: int = 3, kind: int = 1, port: int = 4000) -> bytes:
    return bytes([5, command, 0, kind, 127, 0, 0, 1]) + port.to_bytes(2)


def talk(said: bytes) -> tuple[bool, bytes, list[int]]:
    """Return whether it is served, what it hears, and the ports that were opened for it."""
    opened: list[int] = []

    async def open_port(port: int) -> int:
        opened.append(port)
        return 5000

    async def both() -> tuple[bool, bytes]:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        with theirs:
            theirs.sendall(said)
            theirs.shutdown(socket.SHUT_WR)
            try:
                served = await associate(reader, writer, secret=SECRET, open_port=open_port)
            finally:
                writer.close()
                await writer.wait_closed()
            return served, theirs.recv(100)

    served, heard = asyncio.run(both())
    return served, heard, opened


def test_who_knows_the_secret_may_have_its_datagrams_carried() -> None:
    served, heard, opened = talk(HELLO + password(SECRET) + wanted())
    assert (served, opened) == (True, [4000])
    assert heard == b"\x05\x02" + b"\x01\x00" + b"\x05\x00\x00\x01\x7f\x00\x00\x01\x13\x88"


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"\x04\x01\x02", b"\x05\xff"),
        (b"\x05\x01\x00", b"\x05\xff"),
        (HELLO + password("wrong"), b"\x05\x02\x01\x01"),
        (HELLO + password(""), b"\x05\x02\x01\x01"),
        (HELLO + password(SECRET, user="other"), b"\x05\x02\x01\x01"),
        (HELLO + password(SECRET, version=2), b"\x05\x02\x01\x01"),
    ],
)
def test_nobody_else_is_served(said: bytes, heard: bytes) -> None:
    assert talk(said) == (False, heard, [])


@pytest.mark.parametrize(
    "request_", [wanted(command=1), wanted(command=2), wanted(kind=4), wanted(port=0)]
)
def test_no_connection_is_made_for_anybody(request_: bytes) -> None:
    served, heard, opened = talk(HELLO + password(SECRET) + request_)
    assert (served, opened) == (False, [])
    assert heard.endswith(b"\x05\x07\x00\x01" + bytes(6))


def test_who_hangs_up_is_not_served() -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        talk(HELLO + b"\x01")


def test_a_datagram_is_wrapped_and_unwrapped() -> None:
    carried = Carried(node=NODE, data=b"ping")
    assert wrap(carried) == b"\0\0\0\1\xc6\x12\0\1\x1a\xe1ping"
    assert unwrap(wrap(carried)) == carried


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        bytes(9),
        b"\0\0\1\1" + bytes(6),
        b"\0\0\0\3\x09localhost" + bytes(2),
        b"\0\0\0\4" + bytes(18),
    ],
)
def test_what_is_for_no_ipv4_address_is_not_carried(datagram: bytes) -> None:
    assert unwrap(datagram) is None


@given(st.binary(max_size=40))
def test_no_datagram_makes_it_fail(datagram: bytes) -> None:
    carried = unwrap(datagram)
    assert carried is None or datagram.endswith(carried.data)
