"""How requests of the detector service cross a unix socket, with a sealed memfd where large."""

import array
import asyncio
import fcntl
import os
import socket
import struct

from protech.serve.detector_wire import REQUEST

SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
"""With these seals the content is fixed: what was judged is what the caller releases."""

PEER_CREDENTIALS = struct.Struct("iII")
"""``struct ucred``: process, user, group. Source: unix(7)."""


def sealed(content: bytes | memoryview) -> int:
    """Return a new memfd that holds ``content`` for good; the caller closes it."""
    descriptor = os.memfd_create("media", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view, done = memoryview(content).cast("B"), 0
        while done < view.nbytes:
            done += os.write(descriptor, view[done:])
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS | fcntl.F_SEAL_SEAL)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def is_sealed(descriptor: int, *, size_bytes: int) -> bool:
    """Return whether ``descriptor`` is a memfd of this size whose content is fixed."""
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        return False
    return seals & SEALS == SEALS and os.fstat(descriptor).st_size == size_bytes


def is_own(connection: socket.socket) -> bool:
    """Return whether the process at the other end runs as this process's user."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER_CREDENTIALS.size)
    _, user, _ = PEER_CREDENTIALS.unpack(data)
    return bool(user == os.getuid())


async def receive(connection: socket.socket, size_bytes: int) -> bytearray:
    """Return exactly ``size_bytes``; raises ConnectionError where the other side ends first."""
    loop = asyncio.get_running_loop()
    body = bytearray(size_bytes)
    view, done = memoryview(body), 0
    while done < size_bytes:
        count = await loop.sock_recv_into(connection, view[done:])
        if count == 0:
            raise ConnectionResetError
        done += count
    return body


async def receive_head(connection: socket.socket) -> tuple[bytes, int | None]:
    """Return the bytes of a request head and the descriptor beside it, which is the caller's.

    Raises:
        ConnectionError: The other side ended.
    """
    descriptors: list[int] = []
    head = b""
    try:
        while len(head) < REQUEST.size:
            try:
                data, found = _receive_rights(connection, REQUEST.size - len(head))
            except BlockingIOError:
                await _ready(connection, is_for_reading=True)
                continue
            descriptors += found
            if not data:
                raise ConnectionResetError
            head += data
    except BaseException:
        _close(descriptors)
        raise
    _close(descriptors[1:])
    return head, descriptors[0] if descriptors else None


async def send_head(connection: socket.socket, head: bytes, *, descriptor: int) -> None:
    """Send a request head with one descriptor beside it."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))
    sent = 0
    while sent == 0:
        try:
            sent = connection.sendmsg([head], [rights])
        except BlockingIOError:
            await _ready(connection, is_for_reading=False)
    await asyncio.get_running_loop().sock_sendall(connection, head[sent:])


def _receive_rights(connection: socket.socket, size_bytes: int) -> tuple[bytes, list[int]]:
    # socket.recv_fds drops its flags (Python 3.12.1), and close-on-exec with them.
    one = array.array("i", [0])
    data, messages, _, _ = connection.recvmsg(
        size_bytes, socket.CMSG_LEN(one.itemsize), socket.MSG_CMSG_CLOEXEC
    )
    descriptors = array.array("i")
    for level, kind, rights in messages:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(rights[: len(rights) - len(rights) % one.itemsize])
    return data, list(descriptors)


async def _ready(connection: socket.socket, *, is_for_reading: bool) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    if is_for_reading:
        loop.add_reader(connection, ready.set)
    else:
        loop.add_writer(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)
        loop.remove_writer(connection)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
