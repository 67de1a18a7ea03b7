"""An independent witness of logs: it cosigns what only grew since it last looked, nothing else.

It remembers for each log its key and the last checkpoint, in a file of its own. The state is on
the disk before the cosignature leaves: what was cosigned once is never forgotten by a kill.
"""

import base64
import binascii
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from protech.errors import ConfigError, TrustError
from protech.lists.checkpoint import WHAT, Checkpoint, cosign, log_key, verify_log, witness_key
from protech.lists.keys import fingerprint
from protech.lists.log import verified
from protech.lists.logbook import put_file, read_file, read_leaves, turn
from protech.lists.note import NOTE_BYTES, NoteKey
from protech.lists.root import RootExtension
from protech.merkle import HASH_BYTES
from protech.settings import PRIVATE
from protech.signing import PUBLIC_BYTES, Key
from protech.signing import verify as verify_signature

FORMAT_VERSION = 1

MAGIC = "protech_witness"

STATE_BYTES = 1 << 20
SECRET = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a witness has last seen of a log, and the log's key since it first saw it."""

    checkpoint: Checkpoint
    log_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A checkpoint with the witness's cosignature; ``before`` is what it had seen, if any."""

    content: bytes = field(repr=False)
    checkpoint: Checkpoint
    before: Checkpoint | None

    @property
    def message(self) -> str:
        """What to tell the witness."""
        size = self.checkpoint.size
        if self.before is None:
            return (
                f"Cosigned the log's {size} versions, for the first time. Keep a copy of what"
                " this key saw: without it, nothing more is cosigned."
            )
        new = size - self.before.size
        return f"Cosigned the log's {size} versions, {new} of them new; none was changed."


def sign(
    log: Path,
    checkpoint: Path,
    *,
    pinned: RootExtension,
    key: Key,
    state: Path,
    now: datetime,
    may_begin: bool = False,
) -> Cosigned:
    """Cosign the checkpoint of a repository's log where it stands, and return it.

    Args:
        log: The directory of the log, with all its leaves.
        checkpoint: The file of the checkpoint that waits for witnesses; it is changed in place.
        pinned: The log and its witnesses in the root of trust.
        key: The witness's.
        state: What this witness remembers; it is made the first time.
        now: The time that the cosignature says.
        may_begin: Whether a log is cosigned that this witness knows nothing of yet.

    Raises:
        TrustError: The log lost or changed what it had shown, or is not signed for; or this key
            is no witness of it. Nothing is cosigned.
        ConfigError: A file cannot be read or written.
    """
    named = [one.name for one in pinned.witnesses if one.key == key.public]
    if not named:
        raise TrustError(
            "This key is none of the witnesses that the root of trust names, so its cosignature"
            " would count for nothing; give its public half to the root's owners."
        )
    witness = witness_key(named[0], key.public)
    with turn(log):
        content = read_file(checkpoint, most=NOTE_BYTES)
        if content is None:
            raise ConfigError(f"No checkpoint waits at {checkpoint}; there is nothing to sign.")
        done = cosign_seen(
            content,
            read_leaves(log),
            log=log_key(pinned.log_origin, pinned.log_key),
            witness=witness,
            key=key,
            state=state,
            now=now,
            may_begin=may_begin,
        )
        put_file(checkpoint, done.content)
    return done


def cosign_seen(
    content: bytes,
    leaves: list[bytes],
    *,
    log: NoteKey,
    witness: NoteKey,
    key: Key,
    state: Path,
    now: datetime,
    may_begin: bool = False,
) -> Cosigned:
    """Cosign a checkpoint that follows from the last one in ``state``, which then holds it.

    Raises:
        TrustError: It does not follow, its log has another key than before, or it is of a log
            that the state knows nothing of and ``may_begin`` is not given.
        ConfigError: The state cannot be read or written.
    """
    found = verify_log(content, log_key=log, verify_signature=verify_signature)
    with _turn(state):
        known = read_state(state)
        before = known.get(found.origin)
        if before is None and not may_begin:
            raise _unknown(state, log)
        if before is not None and before.log_key != log.public:
            raise TrustError(
                f"{WHAT} is signed with another key than this witness knows of its log. Nothing"
                " is cosigned. Ask its operator by another way; a log with a new key is a new"
                " log, with another name."
            )
        last = before.checkpoint if before else None
        verified(leaves, found, last)
        seen = Seen(checkpoint=found, log_key=log.public)
        _write_state(state, {**known, found.origin: seen})
    signed = cosign(content, key=witness, sign=key.sign, now=now)
    return Cosigned(content=signed, checkpoint=found, before=last)


def _unknown(state: Path, log: NoteKey) -> TrustError:
    return TrustError(
        f"{state} knows nothing of this log, so nothing is cosigned. Where this key never did"
        " before, have its operator and owners read the log's key to you, which must be"
        f" {fingerprint(log.public)}, and give --first. Where it did, restore that file:"
        " without it a second history could be cosigned."
    )


def read_state(path: Path) -> dict[str, Seen]:
    """Return what a witness remembers, by the names of logs; nothing where it is new.

    Raises:
        TrustError: The file is damaged.
        ConfigError: It cannot be read.
    """
    content = read_file(path, most=STATE_BYTES)
    if content is None:
        return {}
    try:
        fields = json.loads(content)
        if fields.pop(MAGIC) != FORMAT_VERSION:
            raise ValueError
        return {origin: _seen(origin, one) for origin, one in fields["logs"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as wrong:
        raise TrustError(
            f"The witness's state {path} is damaged, or of a newer Protech. Restore its copy;"
            " without it the witness could cosign a second history. Do not begin a new one."
        ) from wrong


def _seen(origin: str, fields: Mapping[str, object]) -> Seen:
    size = fields["size"]
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError
    root = _base64(fields["root"], HASH_BYTES)
    public = _base64(fields["key"], PUBLIC_BYTES)
    return Seen(checkpoint=Checkpoint(origin=origin, size=size, root=root), log_key=public)


def _write_state(path: Path, known: Mapping[str, Seen]) -> None:
    logs = {
        origin: {
            "key": base64.b64encode(seen.log_key).decode(),
            "size": seen.checkpoint.size,
            "root": base64.b64encode(seen.checkpoint.root).decode(),
        }
        for origin, seen in sorted(known.items())
    }
    content = json.dumps({MAGIC: FORMAT_VERSION, "logs": logs}, indent=1) + "\n"
    put_file(path, content.encode(), mode=SECRET)


def _base64(value: object, length: int) -> bytes:
    try:
        raw = base64.b64decode(str(value), validate=True)
    except binascii.Error as wrong:
        raise ValueError from wrong
    if len(raw) != length:
        raise ValueError
    return raw


@contextmanager
def _turn(state: Path) -> Iterator[None]:
    """Wait until no other process signs with this state."""
    lock = state.with_name(f"{state.name}.lock")
    try:
        lock.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, SECRET)
    except OSError as refused:
        raise ConfigError(
            f"The witness's state cannot be written to {state}: {refused.strerror}; name"
            " another place."
        ) from refused
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
