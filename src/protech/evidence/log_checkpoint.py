"""Checkpoints of a case's log: how many records, their root, and when, signed by its key.

A C2SP checkpoint with one line more, ``time`` and the moment. What a moment is worth that the
log's own key signed is the same as the log's clock; a stamp (``evidence.stamp``) is worth more.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from protech.errors import TrustError
from protech.lists.checkpoint import Checkpoint, signed, verify_log
from protech.lists.logbook import read_file
from protech.lists.note import NOTE_BYTES, NoteKey
from protech.signing import Key, verify

_TIME = "time "


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedState:
    """A checkpoint whose signature holds: the log's first ``size`` records, at a moment."""

    note: bytes = field(repr=False)
    """The signed note, as it is passed on."""
    size: int
    root: bytes = field(repr=False)
    at: datetime


def sign_state(key: NoteKey, size: int, root: bytes, at: datetime, signer: Key) -> SignedState:
    """Return a new checkpoint, its time cut to milliseconds.

    Raises:
        ValueError: The time has no zone.
    """
    if at.tzinfo is None:
        raise ValueError("the time of a checkpoint has a zone")
    at = at.astimezone(UTC)
    text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    checkpoint = Checkpoint(
        origin=key.name, size=size, root=root, extensions=(f"{_TIME}{text}",)
    )
    note = signed(checkpoint, key=key, sign=signer.sign)
    return SignedState(note=note, size=size, root=root, at=datetime.fromisoformat(text))


def parse_state(note: bytes, key: NoteKey) -> SignedState:
    """Return what a checkpoint of this log says.

    Raises:
        TrustError: It is none, of another log, or its signature does not hold.
    """
    checkpoint = verify_log(note, log_key=key, verify_signature=verify)
    line = checkpoint.extensions[0] if len(checkpoint.extensions) == 1 else ""
    try:
        at = datetime.fromisoformat(line.removeprefix(_TIME))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not line.startswith(_TIME):
        raise TrustError(
            "The log's checkpoint does not say its time; put back the copy of the log."
        )
    return SignedState(note=note, size=checkpoint.size, root=checkpoint.root, at=at)


def read_state(path: Path, key: NoteKey) -> SignedState | None:
    """Return the checkpoint in a file; None where there is none.

    Raises:
        ConfigError: It cannot be read.
        TrustError: It is none of this log, or was changed.
    """
    content = read_file(path, most=NOTE_BYTES)
    return None if content is None else parse_state(content, key)
