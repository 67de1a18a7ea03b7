"""What peers say in extension messages: who they are, and whom else they know; pure.

Sources: BEP 10 (extended handshake), BEP 11 (peer exchange), BEP 21 (partial seeds).
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from protech.locate.adapter import Candidate, Endpoint, Source
from protech.locate.bittorrent import bencode
from protech.locate.bittorrent.bencode import Bencoded, NotBencoded
from protech.locate.bittorrent.messages import Kind, Malformed, framed

INTRODUCTION = 0
OUR_PEX = 1
OUR_METADATA = 2

NAME_LETTERS = 64
LEARNT = 200
"""Peers taken from one conversation; BEP 11 sends 50 a minute."""

KNOWN = frozenset(
    {
        "LT_metadata",
        "lt_donthave",
        "share_mode",
        "upload_only",
        "ut_comment",
        "ut_holepunch",
        "ut_metadata",
        "ut_pex",
    }
)
"""Extensions that a record names; others could be any text."""

OUR_INTRODUCTION = framed(
    Kind.EXTENDED,
    bytes([INTRODUCTION])
    + bencode.encode({b"m": {b"ut_metadata": OUR_METADATA, b"ut_pex": OUR_PEX}}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """What a peer says of itself."""

    name: str | None = field(default=None, repr=False)
    extensions: tuple[str, ...] = ()
    is_upload_only: bool = False
    metadata_number: int = 0
    """What it calls BEP 9; 0 where it does not speak it."""
    metadata_bytes: int = 0


def parse_introduction(content: bytes) -> Introduction:
    """Return what an extended handshake says.

    Raises:
        Malformed: It is none.
    """
    fields = _fields(content)
    names = fields.get(b"m")
    supported = names if isinstance(names, dict) else {}
    found = {
        name.decode("ascii", "replace") for name, number in supported.items() if number != 0
    }
    number = supported.get(b"ut_metadata")
    size = fields.get(b"metadata_size")
    is_told = isinstance(number, int) and isinstance(size, int) and 0 < number < 256
    return Introduction(
        name=_name(fields.get(b"v")),
        extensions=tuple(sorted(found & KNOWN)),
        is_upload_only=fields.get(b"upload_only") == 1,
        metadata_number=number if is_told and isinstance(number, int) else 0,
        metadata_bytes=size if is_told and isinstance(size, int) else 0,
    )


def parse_pex(content: bytes) -> tuple[Candidate, ...]:
    """Return the peers that a peer names, at most ``LEARNT``.

    Raises:
        Malformed: It is no such message.
    """
    fields = _fields(content)
    endpoints = _endpoints(fields.get(b"added"), 4) + _endpoints(fields.get(b"added6"), 16)
    return tuple(
        Candidate(endpoint=endpoint, source=Source.PEX)
        for endpoint in endpoints[:LEARNT]
        if endpoint.port
    )


def _fields(content: bytes) -> dict[bytes, Bencoded]:
    try:
        return bencode.decode(content)
    except NotBencoded as refused:
        raise Malformed(f"an extension message: {refused}") from None


def _name(value: object) -> str | None:
    if not isinstance(value, bytes):
        return None
    text = value[: 4 * NAME_LETTERS].decode("utf-8", "replace")
    return "".join(letter for letter in text if letter.isprintable())[:NAME_LETTERS] or None


def _endpoints(value: object, width: int) -> list[Endpoint]:
    if not isinstance(value, bytes) or len(value) % (width + 2):
        return []
    make = IPv4Address if width == 4 else IPv6Address
    starts = range(0, min(len(value), LEARNT * (width + 2)), width + 2)
    return [
        Endpoint(
            address=make(value[at : at + width]),
            port=int.from_bytes(value[at + width : at + width + 2]),
        )
        for at in starts
    ]
