"""Addresses of trackers that are named: asked of the operator's own name servers, by the door.

The system's resolver would send packets that no authority was asked about. Answers come over
UDP from whom was asked, or not at all; what is cut short is not asked for again.
Sources: RFC 1035, RFC 3596 (AAAA).
"""

import asyncio
import secrets
import struct
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from time import monotonic
from typing import Protocol

from protech.locate.adapter import Address, Endpoint
from protech.locate.bittorrent.tracker import literal
from protech.locate.bittorrent.tracker_udp import Datagrams
from protech.locate.loss import Lost

NAME_BYTES = 253
LABEL_BYTES = 63
ANSWER_BYTES = 1232
"""What answers over UDP keep to (DNS flag day 2020)."""

RECORDS = 64
"""Of one answer."""
ALIASES = 8
"""A name may lead to another so often."""
STEPS = 128
"""A name has no more parts and pointers."""

KEPT_S = 900.0
"""How long an answer is used again: trackers seldom move."""
KEPT = 4096
"""Names whose addresses are remembered."""

WAITS_S = (1.0, 2.0)
STRAYS = 16

_HEAD = struct.Struct(">HHHHHH")
_QUESTION = struct.Struct(">HH")
_RECORD = struct.Struct(">HHIH")
_ASKED_TO_RECURSE = 0x0100
_IS_ANSWER, _CODE = 0x8000, 0x000F
_INTERNET = 1
_POINTER = 0xC0
_ALIAS = 5


class Kind(IntEnum):
    """What is asked for."""

    IPV4 = 1
    IPV6 = 28


class Ways(Protocol):
    """What the door opens."""

    def datagrams(self, peer: Endpoint) -> Datagrams:
        """Open a socket for datagrams to and from one peer."""
        ...


class _Bad(Exception):
    """An answer breaks the protocol, or a limit."""


class Resolver:
    """Asks name servers in turn, until one answers; called with a name, gives addresses."""

    def __init__(
        self,
        ways: Ways,
        servers: Sequence[Endpoint],
        *,
        waits_s: Sequence[float] = WAITS_S,
        now: Callable[[], float] = monotonic,
    ) -> None:
        """Ask nobody yet.

        Args:
            ways: The door; it asks leave before each packet.
            servers: The operator's, which do the whole search.
            waits_s: How long each sending of a question waits for its answer.
            now: A clock in seconds.
        """
        self._ways = ways
        self._servers = tuple(servers)
        self._waits_s = tuple(waits_s)
        self._now = now
        self._known: OrderedDict[bytes, tuple[float, tuple[Address, ...]]] = OrderedDict()

    async def __call__(self, host: str) -> Sequence[Address]:
        """Return the addresses of a name; none where nobody knows it.

        Raises:
            AuthorityError: The authority does not cover the next packet; it was not sent.
        """
        if (written := literal(host)) is not None:
            return (written,)
        if (name := packed_name(host)) is None:
            return ()
        until, known = self._known.get(name, (self._now(), ()))
        if until > self._now():
            return known
        for server in self._servers:
            with suppress(Lost, TimeoutError):
                found = [one for kind in Kind for one in await self._ask(server, name, kind)]
                self._keep(name, tuple(found))
                return found
        return ()

    def _keep(self, name: bytes, found: tuple[Address, ...]) -> None:
        self._known[name] = self._now() + KEPT_S, found
        self._known.move_to_end(name)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)

    async def _ask(self, server: Endpoint, name: bytes, kind: Kind) -> tuple[Address, ...]:
        number = secrets.randbits(16)
        datagrams = self._ways.datagrams(server)
        memory = memoryview(bytearray(ANSWER_BYTES))
        strays = 0
        try:
            for wait_s in self._waits_s:
                datagrams.send(question(name, kind, number))
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        while strays < STRAYS:
                            size = await datagrams.receive_into(memory)
                            found = addresses(bytes(memory[:size]), name, kind, number)
                            if found is not None:
                                return found
                            strays += 1
        finally:
            datagrams.close()
        raise TimeoutError


def packed_name(host: str) -> bytes | None:
    """Return a name as packets hold it, in small letters; None for what is no name."""
    labels = host.lower().removesuffix(".").encode("ascii", "replace").split(b".")
    if len(host) > NAME_BYTES or any(not 0 < len(one) <= LABEL_BYTES for one in labels):
        return None
    return b"".join(bytes([len(one)]) + one for one in labels) + b"\0"


def question(name: bytes, kind: Kind, number: int) -> bytes:
    """Return a question for the addresses of a packed name."""
    head = _HEAD.pack(number, _ASKED_TO_RECURSE, 1, 0, 0, 0)
    return head + name + _QUESTION.pack(kind, _INTERNET)


def addresses(
    answer: bytes, name: bytes, kind: Kind, number: int
) -> tuple[Address, ...] | None:
    """Return the addresses in an answer; None where it answers another question, or none.

    Names that lead to others are followed within the answer.
    """
    try:
        return _addresses(answer, name, kind, number)
    except (_Bad, struct.error, IndexError):
        return None


def _addresses(
    answer: bytes, name: bytes, kind: Kind, number: int
) -> tuple[Address, ...] | None:
    given, flags, questions, records, _, _ = _HEAD.unpack_from(answer)
    asked, at = _name(answer, _HEAD.size)
    repeated = _QUESTION.unpack_from(answer, at)
    if (given, questions, asked) != (number, 1, name) or repeated != (kind, _INTERNET):
        return None
    if not flags & _IS_ANSWER:
        return None
    if flags & _CODE or records > RECORDS:
        return ()
    at += _QUESTION.size
    aliases: dict[bytes, bytes] = {}
    found: list[tuple[bytes, bytes]] = []
    for _ in range(records):
        owner, at = _name(answer, at)
        what, group, _, size = _RECORD.unpack_from(answer, at)
        at += _RECORD.size
        data = answer[at : at + size]
        if group == _INTERNET and what == _ALIAS:
            aliases[owner], _ = _name(answer, at)
        elif (group, what) == (_INTERNET, kind):
            found.append((owner, data))
        at += size
    for _ in range(ALIASES):
        name = aliases.get(name, name)
    width, make = (4, IPv4Address) if kind is Kind.IPV4 else (16, IPv6Address)
    return tuple(make(data) for owner, data in found if owner == name and len(data) == width)


def _name(answer: bytes, at: int) -> tuple[bytes, int]:
    """Return a packed name in small letters, and where what follows it begins."""
    labels = bytearray()
    end: int | None = None
    for _ in range(STEPS):
        length = answer[at]
        if length >= _POINTER:
            end = at + 2 if end is None else end
            at = (length - _POINTER) << 8 | answer[at + 1]
        elif length > LABEL_BYTES:
            break
        else:
            labels += answer[at : at + 1 + length]
            at += 1 + length
            if not length:
                return bytes(labels).lower(), at if end is None else end
    raise _Bad
