"""What a report knows of a case: runs, sightings, requests, counts; pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from protech.locate.adapter import Level
from protech.locate.report.fields import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What the kernel said of its clock; ``error_ms`` None where it said nothing."""

    is_synchronised: bool
    error_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The signed list of a run."""

    name: str
    version: int
    sha256: bytes = field(repr=False)
    issuer: str
    keys: int
    tree_root: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A dated file that says where addresses are registered, or of which kind they are."""

    name: str
    date: str
    sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run stood on. ``authorisation`` is the document, as its authority signed it."""

    index: int
    at: datetime
    case: str
    authorisation: Fields = field(repr=False)
    authorisation_sha256: bytes = field(repr=False)
    timestamp_sha256: bytes = field(repr=False)
    listed: Listed
    build_version: str
    build_commit: str
    build_code: str
    is_lab: bool
    source_addresses: tuple[str, ...] = field(repr=False)
    databases: tuple[Database, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """One end of a connection, as the record writes it."""

    address: str = field(repr=False)
    port: int = field(repr=False)

    @property
    def text(self) -> str:
        """``192.0.2.1:6881``, or ``[2001:db8::1]:6881``."""
        return (
            f"[{self.address}]:{self.port}"
            if ":" in self.address
            else f"{self.address}:{self.port}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an address is registered: what each database says, and what follows from it."""

    verdict: str
    country: str | None
    countries: tuple[tuple[str, str | None], ...]
    asn: int | None
    operator: str | None
    flags: tuple[str, ...]
    databases: tuple[Database, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Of how many pieces a peer said that it has them."""

    held: int
    total: int
    listed_held: int
    listed_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """The piece that was delivered; ``offset_bytes`` counts from the listed file's first."""

    piece: int
    offset_bytes: int
    length_bytes: int
    digest: bytes = field(repr=False)
    sha256: bytes = field(repr=False)
    distinct_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One sighting of level 3 or 4; ``index`` is its record's in the log."""

    index: int
    at: datetime
    clock: Clock
    run: int
    entry: str
    list_name: str
    list_version: int
    network: str
    level: Level
    outcome: str
    peer: Socket = field(repr=False)
    local: Socket | None = field(repr=False)
    transport: str | None
    started_at: datetime
    ended_at: datetime
    sources: tuple[str, ...]
    attempts: int
    client_id: bytes | None = field(repr=False)
    client_name: str | None = field(repr=False)
    claims: Claimed | None
    proof: Proven | None
    request_sha256: bytes | None = field(repr=False)
    place: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for pieces that two operators signed."""

    index: int
    at: datetime
    sha256: bytes = field(repr=False)
    operators: tuple[str, ...]
    terms: Mapping[str, object] = field(repr=False)
    """What it asks for, as its fields: files, pieces, term."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why a run ended."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All of a case that a report may use. ``below`` counts sightings by level, 0 to 2."""

    runs: tuple[Run, ...]
    seen: tuple[Seen, ...]
    below: Mapping[int, int]
    requests: tuple[Request, ...]
    counts: Mapping[str, int]
    stops: tuple[Stop, ...]
    records: int
    first_at: datetime
    last_at: datetime

    @property
    def name(self) -> str:
        """What the case is called in its authorisation."""
        return self.runs[-1].case

    @property
    def is_lab(self) -> bool:
        """Whether any run of it was in the laboratory: then nothing in it is of real peers."""
        return any(run.is_lab for run in self.runs)
