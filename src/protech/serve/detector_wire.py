"""The bytes between the detector service and its clients: fixed layouts, every length capped.

A request is a head, then the body inline when it is small; a large body comes as a sealed memfd
beside the head (SCM_RIGHTS). An answer is one fixed block; a state answer adds capped JSON.
"""

import json
import struct
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from protech.types import Decision, Kind, Reason

FORMAT = b"PTD1"
"""Format name and version in one; anything else is refused."""

INLINE_BYTES = 256 * 1024
"""Bodies above this come as a memfd, so that neither side buffers them."""

STATE_BYTES = 64 * 1024
DEADLINE_MS = 120_000

REQUEST = struct.Struct("<4sBBBBIQ")
ANSWER = struct.Struct("<4sBBBBBBxxII")
STATE_HEAD = struct.Struct("<4sI")


class WireError(ValueError):
    """The other side does not speak this format; the connection is of no more use."""


class Surface(StrEnum):
    """Where an item was met."""

    PROXY = "proxy"
    FILE = "file"
    BROWSER = "browser"
    ICAP = "icap"


class Operation(IntEnum):
    """What a request asks for."""

    INSPECT = 1
    STATE = 2


class Status(IntEnum):
    """How a request ended; only OK carries a judgement."""

    OK = 0
    LATE = 1
    FAILED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The head of a request; the body follows or comes as a descriptor."""

    operation: Operation
    claims: Kind | None = None
    surface: Surface = Surface.PROXY
    has_descriptor: bool = False
    deadline_ms: int = DEADLINE_MS
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client learns of one item: no score, distance, entry or digest.

    ``width_px`` and ``height_px`` are as displayed, None where they are not known.
    """

    decision: Decision
    reason: Reason
    rule: int
    kind: Kind
    width_px: int | None = None
    height_px: int | None = None
    is_stale: bool = False
    has_models: bool = False


_KINDS: tuple[Kind | None, ...] = (None, *Kind)
_SURFACES = tuple(Surface)
_DECISIONS = tuple(Decision)
_REASONS = tuple(Reason)


def pack_request(request: Request) -> bytes:
    """Return the head as bytes."""
    return REQUEST.pack(
        FORMAT,
        request.operation,
        _KINDS.index(request.claims),
        _SURFACES.index(request.surface),
        request.has_descriptor,
        request.deadline_ms,
        request.size_bytes,
    )


def unpack_request(data: bytes) -> Request:
    """Return the head that ``data`` holds.

    Raises:
        WireError: A length, number or the format name is out of bounds.
    """
    try:
        name, operation, claims, surface, flag, deadline_ms, size = REQUEST.unpack(data)
        request = Request(
            operation=Operation(operation),
            claims=_KINDS[claims],
            surface=_SURFACES[surface],
            has_descriptor=bool(flag),
            deadline_ms=deadline_ms,
            size_bytes=size,
        )
    except (struct.error, ValueError, IndexError) as broken:
        raise WireError("not a request") from broken
    if name != FORMAT or flag > 1 or not 0 < deadline_ms <= DEADLINE_MS:
        raise WireError("not a request of this version")
    if not request.has_descriptor and size > INLINE_BYTES:
        raise WireError("an inline body is too long")
    return request


def pack_answer(status: Status, answer: Answer | None = None) -> bytes:
    """Return an answer as bytes; ``answer`` is there only with OK."""
    if answer is None:
        return ANSWER.pack(FORMAT, status, 0, 0, 0, 0, 0, 0, 0)
    flags = answer.is_stale | answer.has_models << 1
    return ANSWER.pack(
        FORMAT,
        status,
        _DECISIONS.index(answer.decision),
        _REASONS.index(answer.reason),
        answer.rule,
        _KINDS.index(answer.kind),
        flags,
        answer.width_px or 0,
        answer.height_px or 0,
    )


def unpack_answer(data: bytes) -> tuple[Status, Answer | None]:
    """Return the status and, with OK, the answer.

    Raises:
        WireError: A number or the format name is out of bounds.
    """
    try:
        name, code, decision, reason, rule, kind, flags, width, height = ANSWER.unpack(data)
        status, judged = Status(code), _KINDS[kind]
        if name != FORMAT or flags > 3 or (status is Status.OK and judged is None):
            raise WireError("not an answer of this version")
        if judged is None or status is not Status.OK:
            return status, None
        return status, Answer(
            decision=_DECISIONS[decision],
            reason=_REASONS[reason],
            rule=rule,
            kind=judged,
            width_px=width or None,
            height_px=height or None,
            is_stale=bool(flags & 1),
            has_models=bool(flags & 2),
        )
    except (struct.error, ValueError, IndexError) as broken:
        raise WireError("not an answer") from broken


def pack_state(state: dict[str, Any]) -> bytes:
    """Return the service's state as a length and JSON."""
    text = json.dumps(state).encode()
    return STATE_HEAD.pack(FORMAT, len(text)) + text


def unpack_state_head(data: bytes) -> int:
    """Return how many bytes of JSON follow.

    Raises:
        WireError: Not a state answer, or a longer one than can be.
    """
    try:
        name, length = STATE_HEAD.unpack(data)
    except struct.error as broken:
        raise WireError("not a state") from broken
    if name != FORMAT or length > STATE_BYTES:
        raise WireError("not a state of this version")
    return int(length)
