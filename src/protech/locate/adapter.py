"""What every network gives and takes: targets, candidates, sightings and their levels.

The levels mean the same on every network; nothing above this module knows a protocol.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from protech.lists.fetch_key import Ed2kFile, FetchKey

type Address = IPv4Address | IPv6Address


class Level(IntEnum):
    """How far a sighting goes; each is a proof of itself and of nothing above it."""

    MENTIONED = 0
    """A tracker, the DHT or another peer named it: anybody can be named."""
    ANSWERS = 1
    """Something accepted a connection there."""
    HANDSHAKE = 2
    """It answered with a valid handshake for this info-hash, and is no echo of ours."""
    CLAIMS = 3
    """It says that it has pieces of the listed file: it may lie."""
    DELIVERED = 4
    """It sent a piece of the listed file that is the listed one: not the whole file, no device
    and no person."""


class Network(StrEnum):
    """A peer-to-peer network."""

    BITTORRENT = "bittorrent"
    ED2K = "ed2k"


class Source(StrEnum):
    """Who named a peer."""

    TRACKER = "tracker"
    DHT = "dht"
    PEX = "pex"
    KAD = "kad"
    SERVER = "server"


class Transport(StrEnum):
    """What carried a conversation."""

    TCP = "tcp"
    MSE = "mse"
    """Message stream encryption over TCP."""
    UTP = "utp"
    """BEP 29, over UDP."""
    UTP_MSE = "utp_mse"


class Outcome(StrEnum):
    """How a conversation ended; what hostile peers do is one of these, never an exception."""

    UNREACHABLE = "unreachable"
    """Refused, no route, or no answer in time, on every transport."""
    SILENT = "silent"
    """Connected and said nothing valid in time."""
    OTHER_PROTOCOL = "other_protocol"
    """It spoke something else."""
    ECHO = "echo"
    """It sent back what we had sent."""
    OTHER_FILE = "other_file"
    """A valid handshake for another info-hash."""
    MALFORMED = "malformed"
    """A message that breaks the protocol, or a limit."""
    CLOSED = "closed"
    """It hung up after its handshake."""
    NOTHING_HELD = "nothing_held"
    """A valid conversation; it has no piece of the listed file."""
    CLAIMED = "claimed"
    """It has pieces of the listed file, as it says; no piece was asked for."""
    CHOKED = "choked"
    """A piece was asked for and it gave none in time: busy, or unwilling."""
    REFUSED = "refused"
    """It refused the request, or asks us to stop."""
    BAD_PIECE = "bad_piece"
    """What it sent is not the listed piece."""
    WEAK_PIECE = "weak_piece"
    """It sent the listed piece, which is of too low entropy to prove anything."""
    SERVED = "served"
    """It sent the listed piece."""
    STOPPED = "stopped"
    """The authority does not cover the next packet: none was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address and port; ``repr`` shows neither."""

    address: Address = field(repr=False)
    port: int = field(repr=False)

    @property
    def text(self) -> str:
        """``192.0.2.1:6881``, or ``[2001:db8::1]:6881``."""
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListName:
    """Which signed list, in which version."""

    name: str
    version: int
    sha256: bytes = field(repr=False)
    """Of the whole list, as its authority signed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One listed file on one network.

    ``entry`` is what pages and reports call it; no fetch key can be made from it. ``number`` is
    its place among the keys of the list, counted from 0. ``weak`` holds the places of pieces
    that prove nothing: those that the list names, and those found in other keys or twice.
    """

    entry: str
    number: int
    list_name: ListName
    key: FetchKey = field(repr=False)
    weak: frozenset[int] = frozenset()

    @property
    def network(self) -> Network:
        """Where it is looked for."""
        return Network.ED2K if isinstance(self.key, Ed2kFile) else Network.BITTORRENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A peer that somebody named for a target."""

    endpoint: Endpoint = field(repr=False)
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a peer says it has; a lower bound (lazy bitfields, super-seeding, BEP 21).

    Counts are of pieces; ``listed_*`` of those that lie in the listed file in whole or part.
    """

    held: int
    total: int
    listed_held: int
    listed_total: int
    bitfield_sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A piece of the listed file that the peer delivered and whose digest is the listed one.

    ``offset_bytes`` is from the beginning of the listed file: whoever lawfully holds it can
    compute ``sha256`` of that range. ``digest`` is what the list holds of it: SHA-1 of a piece,
    SHA-256 of a block (BEP 52), or eD2k's of a part or block.
    """

    piece: int
    offset_bytes: int
    length_bytes: int
    digest: bytes = field(repr=False)
    sha256: bytes = field(repr=False)
    distinct_bytes: int
    """How many of the 256 values of a byte it has, against pieces that are almost blank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One conversation with one peer about one target, and what it shows.

    Times are UTC. ``local`` is our side of the connection that went furthest; None where none
    stood. ``transcript`` is the whole conversation as ``evidence.transcript`` writes it.
    ``learnt`` are peers that it named (PEX).
    """

    entry: str
    network: Network
    level: Level
    outcome: Outcome
    peer: Endpoint = field(repr=False)
    local: Endpoint | None = field(default=None, repr=False)
    transport: Transport | None = None
    started_at: datetime
    ended_at: datetime
    sources: tuple[Source, ...] = ()
    attempts: int = 0
    """Connections that were tried, on all transports."""
    client_id: bytes | None = field(default=None, repr=False)
    """What the peer calls itself (peer id, user hash): never an identity."""
    client_name: str | None = field(default=None, repr=False)
    """The program it says it is; printable, at most 64 characters."""
    claims: Claims | None = None
    proof: Proof | None = None
    transcript: bytes = field(default=b"", repr=False)
    learnt: tuple[Candidate, ...] = field(default=(), repr=False)
    facts: Mapping[str, object] = field(default_factory=dict, repr=False)
    """What only this network knows, as JSON values (metadata verified, extensions)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Leave to ask for pieces of a target (level 4): two operators signed it."""

    request_sha256: bytes = field(repr=False)
    not_after: datetime


class Encounter(Protocol):
    """A conversation that stands: it can be asked for a piece before it is closed."""

    @property
    def sighting(self) -> Sighting:
        """What it shows up to now."""
        ...


class Adapter(Protocol):
    """One network. Whatever a peer sends is a result; only a bug or our own end raises."""

    network: Network

    def discover(self, target: Target) -> AsyncGenerator[Candidate, None]:
        """Yield peers that are named for a target as they come; the same one may come again.

        Whoever stops early closes it (``contextlib.aclosing``).
        """
        ...

    def probe(
        self, candidate: Candidate, target: Target
    ) -> AbstractAsyncContextManager[Encounter]:
        """Speak to a peer up to what it claims; the conversation ends with the context."""
        ...

    async def prove(self, encounter: Encounter, target: Target, grant: Grant) -> Sighting:
        """Ask for one piece of the target in the same conversation, and return all it shows."""
        ...
