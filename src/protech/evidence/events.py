"""What the transcript of a conversation is made of; ``evidence.transcript`` reads it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What we sent."""

    at_ms: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What the peer sent."""

    at_ms: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elided:
    """The end of the message that the peer had begun; ``kind`` says of what."""

    at_ms: int
    kind: str
    length_bytes: int
    sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of a piece, or with an ``offset_bytes`` of a block in it."""

    at_ms: int
    piece: int
    offset_bytes: int | None = None
    length_bytes: int
    sha256: bytes = field(repr=False)
    sha1: bytes | None = field(default=None, repr=False)
    md4: bytes | None = field(default=None, repr=False)
    distinct_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An attempt to connect that did not stand."""

    at_ms: int
    transport: str
    outcome: str


Event = Sent | Received | Elided | Measured | Tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One conversation; ``transport`` is None where no connection stood."""

    network: str
    transport: str | None
    events: tuple[Event, ...] = field(repr=False)
