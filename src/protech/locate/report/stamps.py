"""Which moments are proved, and for which records; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LATE = timedelta(hours=1)
"""From here on a report calls a stamp late; they queue while there is no network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed state of the log: its first ``size`` records, and nothing about later ones.

    ``signed_at`` is what our own clock said; ``stamped_at`` what a time-stamping authority
    (RFC 3161) says, None where there is no token of one yet.
    """

    size: int
    root: bytes = field(repr=False)
    signed_at: datetime
    stamped_at: datetime | None = None
    certificate_sha256: bytes | None = field(default=None, repr=False)
    """Of the authority's certificate, in DER."""


def first_stamp(checkpoints: Sequence[Checkpoint], index: int) -> Checkpoint | None:
    """Return the checkpoint with the earliest stamp that covers a record; None without one."""
    covering = [one for one in checkpoints if one.size > index and one.stamped_at is not None]
    return min(covering, key=_stamped_at, default=None)


def _stamped_at(checkpoint: Checkpoint) -> datetime:
    if checkpoint.stamped_at is None:
        raise ValueError("a checkpoint without a stamp has no stamped moment")
    return checkpoint.stamped_at
