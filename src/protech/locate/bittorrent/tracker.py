"""What a tracker is asked and what it may answer, whichever protocol carries it; pure.

Everything in an answer is hostile: what cannot be a peer is dropped and counted, and an answer
that breaks the protocol is a result. Sources: BEP 3, BEP 7, BEP 15, BEP 23.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from protech.locate.adapter import Address, Endpoint
from protech.locate.bittorrent import bencode
from protech.locate.bittorrent.bencode import Bencoded, NotBencoded

NOBODY_LISTENS_PORT = 9
"""The port of RFC 863 (discard): no program of ours listens on it, and no peer of anybody's."""

WANTED_PEERS = 200
"""What an ordinary client asks for (libtorrent's ``num_want``); more is asked for later."""

INFO_HASH_BYTES = 20
"""A longer one (BEP 52) is cut to this for trackers and the DHT."""

PEER_ID_BYTES = 20
ANSWER_BYTES = 128 * 1024
"""More than 5,000 peers with names as dictionaries; a longer answer is refused."""

INTERVAL_S = 1800
"""What holds where a tracker names none."""
LEAST_INTERVAL_S = 60
MOST_INTERVAL_S = 24 * 3600

COMPACT_BYTES = {4: 6, 6: 18}
"""The width of a peer in a compact answer, by the version of its address."""

HOST = re.compile(r"[0-9A-Za-z_](?:[-0-9A-Za-z._]{0,252})|[0-9A-Fa-f:.]{2,45}")
DEFAULT_PORTS = {"http": 80, "https": 443}


class Said(StrEnum):
    """How asking a tracker ended."""

    PEERS = "peers"
    """It answered; it may have named nobody."""
    FAILURE = "failure"
    """It refused, with a reason of its own, or sends us elsewhere."""
    NO_ADDRESS = "no_address"
    """Its name leads nowhere, or to where nothing may be sent."""
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    UNTRUSTED = "untrusted"
    """Its certificate does not hold."""
    MALFORMED = "malformed"
    """It broke the protocol, or a limit."""


class Event(StrEnum):
    """Why a tracker is told anything."""

    STARTED = "started"
    STOPPED = "stopped"


class BadTracker(Exception):
    """Why an answer breaks the protocol; it quotes nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracker:
    """Where a tracker is, as the signed key names it."""

    scheme: str
    host: str = field(repr=False)
    port: int = field(repr=False)
    path: str = field(default="/", repr=False)
    """With its query; "/" for UDP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """What is said about one file: that somebody takes it, and listens nowhere."""

    info_hash: bytes = field(repr=False)
    """Cut to 20 bytes."""
    peer_id: bytes = field(repr=False)
    key: bytes = field(repr=False)
    """Four random bytes, by which a tracker knows us under another address."""
    left_bytes: int
    """What we lack: everything, as whoever takes."""
    port: int = NOBODY_LISTENS_PORT
    wanted: int = WANTED_PEERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What asking one tracker gave; ``dropped`` counts entries that can be no peer."""

    said: Said
    peers: tuple[Endpoint, ...] = field(default=(), repr=False)
    dropped: int = 0
    interval_s: int = INTERVAL_S
    """How long it is left alone."""
    strays: int = 0
    """Datagrams that came from elsewhere, or to no question of ours."""
    withdrawn: bool = True
    """Whether it has confirmed that we are in its list no longer, or never had us in it."""
    ourselves: Address | None = field(default=None, repr=False)
    """Our address as the tracker says it (BEP 24), or else as our socket has it."""


def parse_tracker(url: str) -> Tracker | None:
    """Return where a tracker is; None for what no packet can be sent to."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.username is not None or parts.password is not None or parts.fragment:
        return None
    if parts.scheme not in {"udp", *DEFAULT_PORTS} or not HOST.fullmatch(parts.hostname or ""):
        return None
    port = DEFAULT_PORTS.get(parts.scheme) if port is None else port
    if not port:
        return None
    path = "/" if parts.scheme == "udp" else (parts.path or "/")
    query = f"?{parts.query}" if parts.query and parts.scheme != "udp" else ""
    return Tracker(scheme=parts.scheme, host=parts.hostname or "", port=port, path=path + query)


def parse_peers(answer: bytes) -> Answer:
    """Return what the body of an HTTP tracker's answer says.

    Raises:
        BadTracker: It is no answer of a tracker.
    """
    try:
        fields = bencode.decode(answer, limit_bytes=ANSWER_BYTES)
    except NotBencoded as bad:
        raise BadTracker(str(bad)) from bad
    interval_s = _interval(fields)
    if b"failure reason" in fields:
        return Answer(said=Said.FAILURE, interval_s=interval_s)
    if b"peers" not in fields and b"peers6" not in fields:
        raise BadTracker("it names neither peers nor a failure")
    old, old_dropped = _named(fields.get(b"peers", b""), version=4)
    new, new_dropped = _named(fields.get(b"peers6", b""), version=6)
    return Answer(
        said=Said.PEERS,
        peers=(*old, *new),
        dropped=old_dropped + new_dropped,
        interval_s=interval_s,
        ourselves=_packed(fields.get(b"external ip")),
    )


def compact(data: bytes, *, version: int) -> tuple[tuple[Endpoint, ...], int]:
    """Return the peers in a compact list, and how many entries can be none.

    Bytes at the end that make no whole entry count as one.
    """
    width = COMPACT_BYTES[version]
    whole = len(data) - len(data) % width
    found = [
        peer_at(
            _packed(data[i : i + width - 2]), int.from_bytes(data[i + width - 2 : i + width])
        )
        for i in range(0, whole, width)
    ]
    peers = tuple(one for one in found if one is not None)
    return peers, len(found) - len(peers) + (whole < len(data))


def peer_at(address: Address | None, port: int) -> Endpoint | None:
    """Return a peer's place, or None where no peer can be."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address is None or not 0 < port < 1 << 16 or not is_unicast(address):
        return None
    return Endpoint(address=address, port=port)


def is_unicast(address: Address) -> bool:
    """Return whether an address may be one machine's on a network that is not only its own."""
    if isinstance(address, IPv4Address) and address.packed[0] in {0, 255}:
        return False
    return not (
        address.is_multicast
        or address.is_unspecified
        or address.is_link_local
        or (address.is_reserved and not address.is_loopback)
    )


def clamped_interval(*seconds: Bencoded | None) -> int:
    """Return the longest of the intervals that a tracker names, within bounds of ours."""
    named = [one for one in seconds if isinstance(one, int)]
    return min(max([LEAST_INTERVAL_S, *(named or [INTERVAL_S])]), MOST_INTERVAL_S)


def _interval(fields: dict[bytes, Bencoded]) -> int:
    return clamped_interval(fields.get(b"interval"), fields.get(b"min interval"))


def _named(value: Bencoded, *, version: int) -> tuple[tuple[Endpoint, ...], int]:
    """Return the peers of a list in either form: compact, or dictionaries (BEP 3)."""
    if isinstance(value, bytes):
        return compact(value, version=version)
    if not isinstance(value, list):
        raise BadTracker("its peers are no list")
    found = [_one(fields) for fields in value]
    peers = tuple(one for one in found if one is not None)
    return peers, len(found) - len(peers)


def _one(fields: Bencoded) -> Endpoint | None:
    if not isinstance(fields, dict):
        return None
    address, port = fields.get(b"ip"), fields.get(b"port")
    if not isinstance(address, bytes) or not isinstance(port, int):
        return None
    return peer_at(literal(address.decode("ascii", "replace")), port)


def literal(text: str) -> Address | None:
    """Return the address that a text writes out; None for a name."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return None if isinstance(found, IPv6Address) and found.scope_id else found


def _packed(value: Bencoded | None) -> Address | None:
    if isinstance(value, bytes) and len(value) == 4:
        return IPv4Address(value)
    return IPv6Address(value) if isinstance(value, bytes) and len(value) == 16 else None
