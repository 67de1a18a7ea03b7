"""Transcripts: what was said in one conversation with a peer, both ways, with times.

From a transcript alone a court's expert can tell which level a sighting reaches. Third parties'
addresses and content stand in it as their length and SHA-256 only. Canonical JSON:
``{"events":[...],"network":...,"transport":...,"v":1}``, where ``transport`` is null where no
connection stood. An event is ``[ms, direction, value]``, ``ms`` since the conversation began:

- ``">"``, ``"<"``: base64 of what was sent or received, decrypted, without the transport's own;
- ``"<"`` and ``{"elided", "length", "sha256"}``: the last bytes of the message that was begun;
- ``"="`` and ``{"piece", "length", "sha256", "distinct_bytes", ...}``: what was measured of a
  piece or block in memory before it was overwritten;
- ``"!"`` and ``{"transport", "outcome"}``: an attempt that did not stand.
"""

import base64
import binascii
import json
import re
import time
from collections.abc import Callable, Mapping

from protech.evidence.events import Elided, Event, Measured, Received, Sent, Transcript, Tried

FORMAT_VERSION = 1

EVENTS = 1 << 14
"""A piece of 64 MiB in blocks of 16 KiB, each asked for and answered."""
DATA_BYTES = 4 << 20
"""Of both directions together: the longest bitfield takes 2 MiB."""
TRANSCRIPT_BYTES = 12 << 20
"""More than so much data and so many events take when they are written down."""

LATEST_MS = 24 * 3600 * 1000
LONGEST_BYTES = 1 << 32
"""Of one message or piece."""

WORD = re.compile(r"[a-z0-9_]{1,32}")

DIGESTS = {"md4": 32, "sha1": 40, "sha256": 64}
"""How many hex digits each has."""
NUMBERS = frozenset({"piece", "offset", "length", "distinct_bytes"})
MEASURED = frozenset({"piece", "length", "sha256", "distinct_bytes"})
"""What is said of every piece; ``offset`` is said of a block in it."""


class NoTranscript(Exception):
    """Why bytes are no transcript; it quotes nothing of them."""


class TranscriptFull(Exception):
    """The peer said more than a transcript holds: the conversation must end here."""


class Recorder:
    """Takes down one conversation while it is held.

    ``transport`` is to be set once a connection stands. Whatever takes something down raises
    ``TranscriptFull`` where there is no room for it.
    """

    __slots__ = (
        "_clock",
        "_events",
        "_is_said",
        "_last_ms",
        "_network",
        "_room",
        "_started_s",
        "transport",
    )

    def __init__(
        self,
        network: str,
        *,
        started_s: float | None = None,
        room_bytes: int = DATA_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin at ``started_s`` of ``clock``, which never goes back; now, if it is None.

        No more data than ``room_bytes`` is taken down.
        """
        self.transport: str | None = None
        self._network = network
        self._clock = clock
        self._started_s = clock() if started_s is None else started_s
        self._events: list[str] = []  # as they will stand in it
        self._is_said = False
        self._room = min(room_bytes, DATA_BYTES)
        self._last_ms = 0

    def sent(self, data: bytes) -> None:
        """Take down what was sent."""
        self._take(">", data)

    def received(self, data: bytes | bytearray | memoryview) -> None:
        """Take down what was received; it is copied."""
        self._take("<", data)

    def elided(self, kind: str, length_bytes: int, sha256: bytes) -> None:
        """Take down that the message begun ends with ``length_bytes`` that are not kept."""
        self._add("<", {"elided": kind, "length": length_bytes, "sha256": sha256.hex()})

    def measured(self, fields: Mapping[str, int | str | bytes]) -> None:
        """Take down what was measured of a piece: the fields of ``Measured``, as in JSON.

        Args:
            fields: ``piece``, ``length``, ``sha256``, ``distinct_bytes``; of a block also
                ``offset``; ``sha1`` or ``md4`` where the list knows the piece by it.
        """
        plain: dict[str, object] = {
            key: value.hex() if isinstance(value, bytes) else value
            for key, value in fields.items()
        }
        self._add("=", plain)

    def tried(self, transport: str, outcome: str) -> None:
        """Take down an attempt that did not stand."""
        self._write("!", _encode({"transport": transport, "outcome": outcome}))

    def finish(self) -> bytes:
        """Return the transcript.

        Raises:
            ValueError: ``transport`` was not set, and something was said.
        """
        if self.transport is None and self._is_said:
            raise ValueError("something was said, and the session set no transport")
        events = ",".join(self._events)
        ends = f'"network":{_encode(self._network)},"transport":{_encode(self.transport)}'
        return f'{{"events":[{events}],{ends},"v":{FORMAT_VERSION}}}'.encode()

    def _take(self, direction: str, data: bytes | bytearray | memoryview) -> None:
        if not data:
            return
        if len(data) > self._room:
            raise TranscriptFull("the conversation has more bytes than a transcript may")
        self._write(direction, f'"{binascii.b2a_base64(data, newline=False).decode()}"')
        self._room -= len(data)
        self._is_said = True

    def _add(self, direction: str, fields: dict[str, object]) -> None:
        self._write(direction, _encode(fields))
        self._is_said = True

    def _write(self, direction: str, value: str) -> None:
        """Write an event as it will stand in the transcript; ``value`` is JSON already."""
        if len(self._events) >= EVENTS:
            raise TranscriptFull("the conversation has more events than a transcript may")
        at_ms = int((self._clock() - self._started_s) * 1000)
        # What is taken down later never seems earlier, whatever the clock does.
        if at_ms < self._last_ms:
            at_ms = self._last_ms
        elif at_ms > LATEST_MS:
            at_ms = LATEST_MS
        self._last_ms = at_ms
        self._events.append(f'[{at_ms},"{direction}",{value}]')


def parse(content: bytes) -> Transcript:
    """Return the transcript in bytes of whoever's making.

    Raises:
        NoTranscript: They are none, or not written as transcripts are.
    """
    fields = _fields(content)
    transport, events = fields["transport"], fields["events"]
    if not isinstance(events, list) or len(events) > EVENTS:
        raise NoTranscript(f"it has no list of at most {EVENTS} events")
    found = tuple(_event(event) for event in events)
    times = [event.at_ms for event in found]
    if times != sorted(times):
        raise NoTranscript("its times go back")
    data = [event.data for event in found if isinstance(event, Sent | Received)]
    if sum(map(len, data)) > DATA_BYTES:
        raise NoTranscript(f"it holds more than {DATA_BYTES} bytes of data")
    if transport is None and not all(isinstance(event, Tried) for event in found):
        raise NoTranscript("something was said, and no connection stood")
    return Transcript(
        network=_word(fields["network"]),
        transport=None if transport is None else _word(transport),
        events=found,
    )


def _fields(content: bytes) -> dict[str, object]:
    if len(content) > TRANSCRIPT_BYTES:
        raise NoTranscript(f"it is larger than {TRANSCRIPT_BYTES} bytes")
    try:
        fields = json.loads(content)
        is_canonical = _canonical(fields) == content
    except (ValueError, RecursionError):
        raise NoTranscript("it is no JSON in UTF-8") from None
    if not isinstance(fields, dict) or set(fields) != {"events", "network", "transport", "v"}:
        raise NoTranscript("it is no object with the keys of a transcript")
    if not is_canonical:
        raise NoTranscript("it is not written as transcripts are")
    if fields["v"] != FORMAT_VERSION or isinstance(fields["v"], bool):
        raise NoTranscript(f"it is in another version than {FORMAT_VERSION}, which is read")
    return fields


def _event(event: object) -> Event:
    if not isinstance(event, list) or len(event) != 3:
        raise NoTranscript("an event is no list of three")
    at_ms, direction, value = _number(event[0], LATEST_MS), event[1], event[2]
    match direction, value:
        case ">", str():
            return Sent(at_ms=at_ms, data=_data(value))
        case "<", str():
            return Received(at_ms=at_ms, data=_data(value))
        case "<", {"elided": kind, "length": length, "sha256": sha256, **rest} if not rest:
            return Elided(
                at_ms=at_ms,
                kind=_word(kind),
                length_bytes=_number(length, LONGEST_BYTES),
                sha256=_digest(sha256, DIGESTS["sha256"]),
            )
        case "=", dict():
            return _measured(at_ms, value)
        case "!", {"transport": transport, "outcome": outcome, **rest} if not rest:
            return Tried(at_ms=at_ms, transport=_word(transport), outcome=_word(outcome))
        case _:
            raise NoTranscript("an event is of no known kind")


def _measured(at_ms: int, fields: dict[str, object]) -> Measured:
    if not MEASURED <= set(fields) <= NUMBERS | set(DIGESTS):
        raise NoTranscript("a measurement has other fields than measurements have")
    numbers = {key: _number(fields[key], LONGEST_BYTES) for key in NUMBERS & set(fields)}
    digests = {key: _digest(fields[key], DIGESTS[key]) for key in DIGESTS if key in fields}
    if numbers["distinct_bytes"] > 256:
        raise NoTranscript("a measurement counts more than 256 values of a byte")
    return Measured(
        at_ms=at_ms,
        piece=numbers["piece"],
        offset_bytes=numbers.get("offset"),
        length_bytes=numbers["length"],
        sha256=digests["sha256"],
        sha1=digests.get("sha1"),
        md4=digests.get("md4"),
        distinct_bytes=numbers["distinct_bytes"],
    )


def _number(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise NoTranscript(f"a number is no whole one from 0 to {most}")
    return value


def _word(value: object) -> str:
    if not isinstance(value, str) or not WORD.fullmatch(value):
        raise NoTranscript("a name is none of lower-case letters, digits and underscores")
    return value


def _digest(value: object, digits: int) -> bytes:
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if 2 * len(raw) != digits or raw.hex() != value:
        raise NoTranscript(f"a digest is not {digits} hex digits")
    return raw


def _data(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if not raw or _text(raw) != text:
        raise NoTranscript("what was said is no canonical base64")
    return raw


def _text(data: bytes | bytearray | memoryview) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False
).encode


def _canonical(value: object) -> bytes:
    return _encode(value).encode()
