"""The words with which libtorrent asks a proxy to carry its datagrams: one request, no other.

Sources: RFC 1928 (SOCKS5), RFC 1929 (its password). libtorrent 2.1 reads only an IPv4 address
in the answer, so that IPv4 alone is carried.
"""

import asyncio
import hmac
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from protech.locate.adapter import Endpoint

USER = "protech"

_VERSION, _PASSWORD_VERSION = 5, 1
_PASSWORD, _NO_METHOD = 2, 0xFF
_ASSOCIATE, _IPV4 = 3, 1
_DONE, _REFUSED = 0, 1
_NO_COMMAND = 7

_REQUEST = struct.Struct(">BBBB4sH")
_HEADER = struct.Struct(">HBB4sH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A datagram and the node that it is for, or comes from."""

    node: Endpoint = field(repr=False)
    data: bytes = field(repr=False)


async def associate(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    secret: str,
    open_port: Callable[[int], Awaitable[int]],
) -> bool:
    """Answer a client, and return whether its datagrams are to be carried.

    Args:
        reader: What the client says.
        writer: What it hears.
        secret: What it must know.
        open_port: Given the client's UDP port, opens ours for it, and returns that.

    Raises:
        asyncio.IncompleteReadError: It hung up.
    """
    version, count = await reader.readexactly(2)
    methods = await reader.readexactly(count)
    if version != _VERSION or _PASSWORD not in methods:
        writer.write(bytes([_VERSION, _NO_METHOD]))
        return False
    writer.write(bytes([_VERSION, _PASSWORD]))
    if not await _knows(reader, secret):
        writer.write(bytes([_PASSWORD_VERSION, _REFUSED]))
        return False
    writer.write(bytes([_PASSWORD_VERSION, _DONE]))
    request = await reader.readexactly(_REQUEST.size)
    version, command, _, kind, _, port = _REQUEST.unpack(request)
    if (version, command, kind) != (_VERSION, _ASSOCIATE, _IPV4) or not port:
        writer.write(_REQUEST.pack(_VERSION, _NO_COMMAND, 0, _IPV4, bytes(4), 0))
        return False
    ours = await open_port(port)
    loopback = IPv4Address("127.0.0.1").packed
    writer.write(_REQUEST.pack(_VERSION, _DONE, 0, _IPV4, loopback, ours))
    return True


async def _knows(reader: asyncio.StreamReader, secret: str) -> bool:
    version, length = await reader.readexactly(2)
    user = await reader.readexactly(length)
    (length,) = await reader.readexactly(1)
    password = await reader.readexactly(length)
    said = bytes([version]) + user + b":" + password
    return hmac.compare_digest(said, f"{chr(_PASSWORD_VERSION)}{USER}:{secret}".encode())


def unwrap(datagram: bytes) -> Carried | None:
    """Return what a client wants to be sent; None for a name, IPv6, a fragment or a stump."""
    if len(datagram) < _HEADER.size:
        return None
    _, fragment, kind, address, port = _HEADER.unpack_from(datagram)
    if fragment or kind != _IPV4:
        return None
    node = Endpoint(address=IPv4Address(address), port=port)
    return Carried(node=node, data=datagram[_HEADER.size :])


def wrap(carried: Carried) -> bytes:
    """Return a node's answer as the client reads it."""
    node = carried.node
    return _HEADER.pack(0, 0, _IPV4, node.address.packed, node.port) + carried.data
