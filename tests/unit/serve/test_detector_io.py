"""Bodies and descriptors across a socket pair."""

import asyncio
import os
import socket
from collections.abc import Iterator

import pytest

from protech.serve.detector_io import (
    is_own,
    is_sealed,
    receive,
    receive_head,
    sealed,
    send_head,
)
from protech.serve.detector_wire import REQUEST, Operation, Request, pack_request

HEAD = pack_request(Request(operation=Operation.INSPECT, has_descriptor=True, size_bytes=4))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.settimeout(0)
    theirs.settimeout(0)
    with ours, theirs:
        yield ours, theirs


def test_a_sealed_body_cannot_change() -> None:
    descriptor = sealed(b"body")
    try:
        assert os.pread(descriptor, 9, 0) == b"body"
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 0)
        assert is_sealed(descriptor, size_bytes=4)
        assert not is_sealed(descriptor, size_bytes=5)
    finally:
        os.close(descriptor)


def test_what_can_change_is_not_sealed() -> None:
    descriptor = os.memfd_create("open", os.MFD_ALLOW_SEALING)
    reading, writing = os.pipe()
    try:
        assert not is_sealed(descriptor, size_bytes=0)
        assert not is_sealed(reading, size_bytes=0)
    finally:
        for each in (descriptor, reading, writing):
            os.close(each)


def test_a_descriptor_travels_beside_the_head(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    async def travel() -> bytes:
        descriptor = sealed(b"body")
        (head, received), _ = await asyncio.gather(
            receive_head(pair[1]), send_head(pair[0], HEAD, descriptor=descriptor)
        )
        os.close(descriptor)
        assert head == HEAD
        assert received is not None
        assert not os.get_inheritable(received)
        content = os.pread(received, 9, 0)
        os.close(received)
        return content

    assert asyncio.run(travel()) == b"body"


def test_a_head_in_pieces_is_put_together(pair: tuple[socket.socket, socket.socket]) -> None:
    async def travel() -> tuple[bytes, int | None]:
        reading = asyncio.create_task(receive_head(pair[1]))
        for i in range(REQUEST.size):
            pair[0].send(HEAD[i : i + 1])
            await asyncio.sleep(0)
        return await reading

    assert asyncio.run(travel()) == (HEAD, None)


def test_an_early_end_is_a_connection_error(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].send(b"ab")
    pair[0].close()

    async def both() -> None:
        with pytest.raises(ConnectionResetError):
            await receive(pair[1], 3)
        with pytest.raises(ConnectionResetError):
            await receive_head(pair[1])

    asyncio.run(both())


def test_surplus_descriptors_do_not_stay_open(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    reading, writing = os.pipe()
    socket.send_fds(pair[0], [HEAD], [writing, writing, writing])
    os.close(writing)
    head, descriptor = asyncio.run(receive_head(pair[1]))
    assert head == HEAD
    assert descriptor is not None
    os.close(descriptor)
    try:
        assert os.read(reading, 1) == b""  # every writing end is closed
    finally:
        os.close(reading)


def test_the_own_user_is_known(pair: tuple[socket.socket, socket.socket]) -> None:
    assert is_own(pair[0])
