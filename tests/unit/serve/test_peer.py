"""Whose socket is at the other end: real connections over IPv4, IPv6 and mapped addresses."""

import os
import socket
from pathlib import Path

import pytest

from protech.serve.peer import peer_uid


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_own_connection_is_recognised(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as server, socket.socket(family) as client:
        server.bind((address, 0))
        server.listen()
        client.connect(server.getsockname()[:2])
        near, far = client.getsockname()[:2], server.getsockname()[:2]
        assert peer_uid(near, far) == os.getuid()


def test_dual_stack_client_is_recognised_under_its_mapped_address() -> None:
    with socket.socket() as server, socket.socket(socket.AF_INET6) as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        client.connect(("::ffff:127.0.0.1", port))
        near = ("127.0.0.1", client.getsockname()[1])
        assert peer_uid(near, ("127.0.0.1", port)) == os.getuid()


def test_unknown_connection_has_no_owner(tmp_path: Path) -> None:
    assert peer_uid(("127.0.0.1", 1), ("127.0.0.1", 2)) is None
    assert peer_uid(("127.0.0.1", 1), ("127.0.0.1", 2), proc=tmp_path) is None
    assert peer_uid(("not an address", 1), ("127.0.0.1", 2)) is None
