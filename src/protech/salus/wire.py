"""The bytes between the pool and a worker: fixed layouts, every length capped.

A worker is taken for hostile from its first item on. Whatever it sends is one of three messages
or a ``WireError``; nothing is ever unpickled, evaluated or allocated by a number that it chose.

    request:  magic, op, sampling, source, sequence, media type, size, seconds; the bytes
              follow, or come as a descriptor beside it
    message:  magic, kind, body length; then the body of READY, REFUSED or MEASURED
"""

import math
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import assert_never

from protech.salus.sampling import Sampling
from protech.salus.sniff import MediaType
from protech.salus.wire_measured import (
    Reader,
    WireError,
    measured_bytes,
    read_measured,
    within,
)
from protech.types import Measured

FORMAT_VERSION = 2
REQUEST_MAGIC = b"PQ\x00" + bytes([FORMAT_VERSION])
MESSAGE_MAGIC = b"PA\x00" + bytes([FORMAT_VERSION])

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Longest body of a message; 36,000 frames of a video, in two forms each, take 2.5 MB."""
MAX_TEXT_BYTES = 1000

_REQUEST = struct.Struct("<4sBBBQ16sQd")
_MESSAGE = struct.Struct("<4sBI")
_READY = struct.Struct("<BBBQ")
_REFUSED = struct.Struct("<B")

REQUEST_BYTES = _REQUEST.size
MESSAGE_BYTES = _MESSAGE.size


class Operation(IntEnum):
    """What is asked of a worker."""

    MEASURE = 1
    HEADER = 2
    REHASH = 3


class MessageKind(IntEnum):
    """What a worker says."""

    READY = 1
    REFUSED = 2
    MEASURED = 3


class Refusal(IntEnum):
    """Why a worker cannot start; each is an error that the operator can repair."""

    SANDBOX = 1
    MODEL = 2
    CONFIG = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One item to measure; its ``size_bytes`` follow inline, or in a descriptor sent with it.

    ``sequence`` comes back with the answer. The worker ends itself some time after ``seconds``,
    for the case that nobody is left to end it. ``sampling`` is of videos.
    """

    operation: Operation
    sampling: Sampling = Sampling.PER_SECOND
    media_type: MediaType
    size_bytes: int
    sequence: int
    seconds: float
    has_descriptor: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A worker is loaded and locked; which layers hold it and what it weighs."""

    has_seccomp: bool
    landlock_abi: int
    has_namespaces: bool
    warm_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A worker cannot start; ``text`` says why, for the operator."""

    refusal: Refusal
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was measured of the item with this ``sequence``."""

    sequence: int
    measured: Measured


Message = Ready | Refused | Answer


def request_bytes(request: Request) -> bytes:
    """Return the fixed head of a request."""
    return _REQUEST.pack(
        REQUEST_MAGIC,
        request.operation,
        request.sampling,
        request.has_descriptor,
        request.sequence,
        request.media_type.encode("ascii"),
        request.size_bytes,
        request.seconds,
    )


def parse_request(head: bytes) -> Request:
    """Return the request that ``REQUEST_BYTES`` say.

    Raises:
        WireError: They say none.
    """
    reader = Reader(head)
    magic, operation, sampling, has_descriptor, sequence, name, size_bytes, seconds = (
        reader.take(_REQUEST)
    )
    reader.end()
    if magic != REQUEST_MAGIC or has_descriptor > 1 or not 0 < seconds < math.inf:
        raise WireError("not a request")
    try:
        return Request(
            operation=Operation(operation),
            sampling=Sampling(sampling),
            media_type=MediaType(name.rstrip(b"\0").decode("ascii")),
            size_bytes=size_bytes,
            sequence=sequence,
            seconds=seconds,
            has_descriptor=bool(has_descriptor),
        )
    except ValueError as unknown:
        raise WireError("not a known operation, sampling or media type") from unknown


def message_bytes(message: Message) -> bytes:
    """Return a message as a worker sends it.

    Raises:
        ValueError: It goes beyond a cap or out of range.
    """
    match message:
        case Ready():
            kind, body = MessageKind.READY, _ready_bytes(message)
        case Refused():
            text = message.text.encode("utf-8")[:MAX_TEXT_BYTES]
            kind, body = MessageKind.REFUSED, _REFUSED.pack(message.refusal) + text
        case Answer():
            kind, body = (
                MessageKind.MEASURED,
                measured_bytes(message.sequence, message.measured),
            )
        case _:
            assert_never(message)
    try:
        parse_message(kind, body)
    except WireError as beyond:
        raise ValueError("a value is beyond what the layout holds") from beyond
    return _MESSAGE.pack(MESSAGE_MAGIC, kind, len(body)) + body


def parse_head(head: bytes) -> tuple[MessageKind, int]:
    """Return kind and body length of the message that ``MESSAGE_BYTES`` begin.

    Raises:
        WireError: They begin none, or its body is longer than ``MAX_BODY_BYTES``.
    """
    reader = Reader(head)
    magic, kind, size_bytes = reader.take(_MESSAGE)
    reader.end()
    if magic != MESSAGE_MAGIC or size_bytes > MAX_BODY_BYTES:
        raise WireError("not a message")
    return _member(MessageKind, kind), size_bytes


def parse_message(kind: MessageKind, body: bytes) -> Message:
    """Return the message of this kind that ``body`` holds, to its last byte.

    Raises:
        WireError: It holds none, or a value is out of its range.
    """
    if len(body) > MAX_BODY_BYTES:
        raise WireError("longer than any message")
    reader = Reader(body)
    match kind:
        case MessageKind.READY:
            message: Message = _read_ready(reader)
        case MessageKind.REFUSED:
            message = _read_refused(reader)
        case MessageKind.MEASURED:
            sequence, measured = read_measured(reader)
            message = Answer(sequence=sequence, measured=measured)
        case _:
            assert_never(kind)
    reader.end()
    return message


def _member[E: IntEnum](kinds: type[E], number: int) -> E:
    try:
        return kinds(number)
    except ValueError as unknown:
        raise WireError("an unknown number") from unknown


def _ready_bytes(ready: Ready) -> bytes:
    return _READY.pack(
        ready.has_seccomp, ready.landlock_abi, ready.has_namespaces, ready.warm_bytes
    )


def _read_ready(reader: Reader) -> Ready:
    has_seccomp, landlock_abi, has_namespaces, warm_bytes = reader.take(_READY)
    within(has_seccomp, 0, 1)
    within(has_namespaces, 0, 1)
    return Ready(
        has_seccomp=bool(has_seccomp),
        landlock_abi=landlock_abi,
        has_namespaces=bool(has_namespaces),
        warm_bytes=warm_bytes,
    )


def _read_refused(reader: Reader) -> Refused:
    (number,) = reader.take(_REFUSED)
    rest = reader.rest()
    within(len(rest), 0, MAX_TEXT_BYTES)
    # It is printed for the operator: no control character may steer the terminal.
    words = "".join(c if c.isprintable() else " " for c in rest.decode("utf-8", "replace"))
    return Refused(refusal=_member(Refusal, number), text=words)
