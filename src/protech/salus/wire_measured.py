"""How a worker writes what it measured: a fixed layout of numbers, every count capped.

measured: sequence, reason, is scaled, width, height, frame count; then for each frame
    track, hash count, has scores; hashes (32 bytes, quality); explicit, person count; persons
"""

import struct
from typing import Any

from protech.types import Frame, Measured, PdqHash, Person, Scores, Unscannable

MAX_FRAMES = 36_000
"""Of a video, one a second for ten hours."""
MAX_HASHES = 192
"""Of one frame: twelve forms, without borders too, each turned and mirrored eight ways."""
MAX_PERSONS = 1024
"""BlazeFace looks at 896 places."""
MAX_SIDE_PX = 2**31 - 1
"""The largest side that PNG can declare."""
PDQ_BYTES = 32
NOT_SCORED = -1.0
"""On the wire, a score that no model gave."""

_MEASURED = struct.Struct("<QBBIII")
_FRAME = struct.Struct("<BBB")
_HASH = struct.Struct("<32sB")
_SCORES = struct.Struct("<dH")
_PERSON = struct.Struct("<d")
_REASONS = tuple(Unscannable)


class WireError(Exception):
    """The bytes are not a message of this layout: the worker that sent them is not kept."""


class Reader:
    """Takes fixed layouts off the front of ``data``; too few or too many are refused."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, layout: struct.Struct) -> tuple[Any, ...]:
        """Return the values of the next ``layout``."""
        if len(self._data) - self._at < layout.size:
            raise WireError("it ends too early")
        values = layout.unpack_from(self._data, self._at)
        self._at += layout.size
        return values

    def rest(self) -> bytes:
        """Return all that is left."""
        rest, self._at = self._data[self._at :], len(self._data)
        return rest

    def end(self) -> None:
        """Refuse bytes that are left over."""
        if self._at != len(self._data):
            raise WireError("bytes are left over")


def within(value: float, low: float, high: float) -> None:
    """Refuse a value that is not between ``low`` and ``high``, both included."""
    # Written so that NaN, which compares false with everything, is refused.
    if not low <= value <= high:
        raise WireError("a value out of range")


def measured_bytes(sequence: int, measured: Measured) -> bytes:
    """Return the body of an answer.

    Raises:
        ValueError: A value is beyond its cap or range.
    """
    parts = [
        _packed(
            _MEASURED,
            sequence,
            0 if measured.unscannable is None else _REASONS.index(measured.unscannable) + 1,
            measured.is_scaled,
            measured.width_px or 0,
            measured.height_px or 0,
            len(measured.frames),
        )
    ]
    for frame in measured.frames:
        parts.append(_packed(_FRAME, frame.track, len(frame.hashes), frame.scores is not None))
        parts += [_hash_bytes(form) for form in frame.hashes]
        if frame.scores is not None:
            scores = frame.scores
            parts.append(_packed(_SCORES, _score(scores.explicit), len(scores.persons)))
            parts += [_packed(_PERSON, _score(one.apparent_minor)) for one in scores.persons]
    return b"".join(parts)


def _packed(layout: struct.Struct, *values: object) -> bytes:
    try:
        return layout.pack(*values)
    except struct.error as beyond:
        raise ValueError("a value is beyond what the layout holds") from beyond


def _hash_bytes(form: PdqHash) -> bytes:
    if len(form.bits) != PDQ_BYTES:  # struct would pad or cut it
        raise ValueError("a PDQ hash has 32 bytes")
    return _packed(_HASH, form.bits, form.quality)


def _score(value: float | None) -> float:
    if value is None:
        return NOT_SCORED
    if not 0 <= value <= 1:
        raise ValueError("a score is not within [0, 1]")
    return value


def read_measured(reader: Reader) -> tuple[int, Measured]:
    """Return the sequence and what was measured; any bytes give this or a WireError.

    Raises:
        WireError: A count is above its cap, a score NaN or out of range, or bytes are missing.
    """
    sequence, reason, is_scaled, width_px, height_px, frames = reader.take(_MEASURED)
    within(reason, 0, len(_REASONS))
    within(is_scaled, 0, 1)
    within(width_px, 0, MAX_SIDE_PX)
    within(height_px, 0, MAX_SIDE_PX)
    within(frames, 0, MAX_FRAMES)
    measured = Measured(
        unscannable=_REASONS[reason - 1] if reason else None,
        width_px=width_px or None,
        height_px=height_px or None,
        frames=tuple(_read_frame(reader) for _ in range(frames)),
        is_scaled=bool(is_scaled),
    )
    return sequence, measured


def _read_frame(reader: Reader) -> Frame:
    track, hashes, has_scores = reader.take(_FRAME)
    within(hashes, 0, MAX_HASHES)
    within(has_scores, 0, 1)
    return Frame(
        track=track,
        hashes=tuple(_read_hash(reader) for _ in range(hashes)),
        scores=_read_scores(reader) if has_scores else None,
    )


def _read_hash(reader: Reader) -> PdqHash:
    bits, quality = reader.take(_HASH)
    within(quality, 0, 100)
    return PdqHash(bits=bits, quality=quality)


def _read_scores(reader: Reader) -> Scores:
    explicit, persons = reader.take(_SCORES)
    within(persons, 0, MAX_PERSONS)
    return Scores(
        explicit=_read_score(explicit),
        persons=tuple(
            Person(apparent_minor=_read_score(*reader.take(_PERSON))) for _ in range(persons)
        ),
    )


def _read_score(value: float) -> float | None:
    if value == NOT_SCORED:
        return None
    within(value, 0, 1)
    return value
