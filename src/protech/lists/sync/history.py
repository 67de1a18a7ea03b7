"""The log of a repository during one sync: what was published, witnessed and never undone."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from protech.lists.checkpoint import Checkpoint, log_key, parse, verify, witness_key
from protech.lists.log import LOG_BYTES, lines, require, verified
from protech.lists.note import NOTE_BYTES
from protech.lists.root import RootExtension
from protech.lists.sync.remote import Remote
from protech.lists.trust import ListTarget
from protech.signing import verify as verify_signature

CHECKPOINT = "log/checkpoint"
ENTRIES = "log/entries"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What enough witnesses have seen: the leaves, and the signed checkpoint they stand in."""

    checkpoint: Checkpoint
    note: bytes = field(repr=False)
    leaves: tuple[bytes, ...] = field(repr=False)

    def require(self, targets: Iterable[ListTarget]) -> None:
        """Check that each target's version is in the log, and in it only once.

        Raises:
            TrustError: It is not.
        """
        require(self.leaves, targets)


def read_history(
    remote: Remote, extension: RootExtension, *, earlier: bytes | None, now: datetime
) -> History:
    """Return the log as it is now; its past is the one that was seen before.

    Args:
        remote: Where it is fetched from; the checkpoint first, for leaves may follow it.
        extension: Which log and which witnesses the root of trust pins.
        earlier: The last checkpoint that held; None the first time.
        now: For the times of cosignatures.

    Raises:
        TrustError: It is forged, too few have seen it, or it shows another past.
        SourceError: It cannot be had.
    """
    note = remote.file(CHECKPOINT, most_bytes=NOTE_BYTES)
    entries = remote.file(ENTRIES, most_bytes=LOG_BYTES)
    seen = None if earlier is None else parse(earlier)
    if seen is not None and seen.origin != extension.log_origin:
        seen = None  # the root's owners have begun another log, as many as must have signed it
    checkpoint = verify(
        note,
        log_key=log_key(extension.log_origin, extension.log_key),
        witnesses=[witness_key(one.name, one.key) for one in extension.witnesses],
        quorum=extension.quorum,
        now=now,
        verify_signature=verify_signature,
    )
    leaves = verified(lines(entries), checkpoint, seen)
    return History(checkpoint=checkpoint, note=note, leaves=tuple(leaves))
