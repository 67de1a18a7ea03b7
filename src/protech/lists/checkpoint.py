"""Checkpoints: what a log says of itself, signed by it and by witnesses; pure.

A checkpoint counts only when more than half of the witnesses have cosigned it: a log that shows
two devices two histories would need witnesses that cosign both; with a quorum of k of n, 2k - n
of them at least. The clock and the check of a signature come from the caller.

Source: c2sp.org/tlog-checkpoint@v1.0.0, c2sp.org/tlog-cosignature@v1.0.0.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from protech.errors import TrustError
from protech.lists.note import (
    Note,
    NoteKey,
    Sign,
    SignatureKind,
    VerifySignature,
    parse_note,
    signed_at,
    with_signature,
)
from protech.lists.root import is_majority
from protech.merkle import HASH_BYTES

WHAT = "The log's checkpoint"

LARGEST_SIZE = (1 << 63) - 1

CLOCKS_APART = timedelta(days=1)
"""A cosignature from further ahead is not counted: the witness's clock is wrong, or ours."""

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A log at one moment: which one, how many leaves, and their root.

    ``extensions`` are lines below these; ours have none, and nothing here reads them.
    """

    origin: str = field(repr=False)
    size: int
    root: bytes = field(repr=False)
    extensions: tuple[str, ...] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        """What is signed of it."""
        root = base64.b64encode(self.root).decode()
        lines = (self.origin, str(self.size), root, *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def log_key(origin: str, public: bytes) -> NoteKey:
    """Return the key of a log; its name is the log's origin.

    Raises:
        TrustError: The name or the key cannot be.
    """
    return NoteKey(name=origin, kind=SignatureKind.ED25519, public=public)


def witness_key(name: str, public: bytes) -> NoteKey:
    """Return the key of a witness.

    Raises:
        TrustError: The name or the key cannot be.
    """
    return NoteKey(name=name, kind=SignatureKind.COSIGNATURE, public=public)


def parse(content: bytes) -> Checkpoint:
    """Return what a checkpoint says; nobody has vouched for it yet.

    Raises:
        TrustError: It is none.
    """
    return _checkpoint(parse_note(content, what=WHAT))


def _checkpoint(note: Note) -> Checkpoint:
    lines = note.text[:-1].split("\n")
    if len(lines) >= 3 and all(lines) and _NUMBER.fullmatch(lines[1]):
        size = int(lines[1])
        root = _root(lines[2])
        if root is not None and size <= LARGEST_SIZE:
            return Checkpoint(
                origin=lines[0], size=size, root=root, extensions=tuple(lines[3:])
            )
    raise TrustError(
        f"{WHAT} is none: it does not say which log it is of, how long, and with which root."
        " Get it again from where it came."
    )


def _root(text: str) -> bytes | None:
    try:
        root = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    is_canonical = base64.b64encode(root).decode() == text
    return root if len(root) == HASH_BYTES and is_canonical else None


def signed(checkpoint: Checkpoint, *, key: NoteKey, sign: Sign) -> bytes:
    """Return a checkpoint signed by its log, not yet by a witness.

    Raises:
        ValueError: The key is another log's, or a witness's.
    """
    if key.kind is not SignatureKind.ED25519 or key.name != checkpoint.origin:
        raise ValueError("a checkpoint is signed with the key of its own log")
    return with_signature(Note(text=checkpoint.text, signatures=()), key, sign).content


def cosign(content: bytes, *, key: NoteKey, sign: Sign, now: datetime) -> bytes:
    """Return a checkpoint with a witness's cosignature, instead of an earlier one of its own.

    That the log only grew is for ``lists.witness`` to check before this.

    Raises:
        TrustError: It is no checkpoint.
        ValueError: The key is a log's.
    """
    if key.kind is not SignatureKind.COSIGNATURE:
        raise ValueError("a checkpoint is cosigned with the key of a witness")
    note = parse_note(content, what=WHAT)
    _checkpoint(note)
    return with_signature(note, key, sign, time_s=int(now.timestamp())).content


def verify_log(
    content: bytes, *, log_key: NoteKey, verify_signature: VerifySignature
) -> Checkpoint:
    """Return a checkpoint that its log has signed, whoever else has or has not.

    Raises:
        TrustError: It is none, of another log, or not signed by it.
    """
    return _of_log(parse_note(content, what=WHAT), log_key, verify_signature)


def _of_log(note: Note, log_key: NoteKey, verify_signature: VerifySignature) -> Checkpoint:
    checkpoint = _checkpoint(note)
    if checkpoint.origin != log_key.name:
        raise TrustError(
            f"{WHAT} is of another log than the one pinned with the root of trust: the"
            " repository was mixed up. Tell its operator."
        )
    if not signed_at(note, log_key, verify_signature, what=WHAT):
        raise TrustError(f"{WHAT} is not signed by its log. Tell the repository's operator.")
    return checkpoint


def verify(
    content: bytes,
    *,
    log_key: NoteKey,
    witnesses: Iterable[NoteKey],
    quorum: int,
    now: datetime,
    verify_signature: VerifySignature,
) -> Checkpoint:
    """Return a checkpoint that its log and enough witnesses have signed.

    Args:
        content: The note as the repository serves it.
        log_key: The log that is pinned with the root of trust.
        witnesses: Those that are pinned; each counts once, whatever its names are.
        quorum: How many of them must have cosigned it, more than half.
        now: Cosignatures from later than ``CLOCKS_APART`` ahead are not counted.
        verify_signature: ``protech.signing.verify``.

    Raises:
        TrustError: It is none, of another log, forged, or too few have seen it.
    """
    pinned = [witness_key(key.name, key.public) for key in witnesses]
    public = {key.public for key in pinned} - {log_key.public}
    if not is_majority(quorum, of=len(public)):
        raise TrustError(
            f"The root of trust asks for {quorum} of {len(public)} witnesses, which cannot be;"
            " its owners must publish another one."
        )
    note = parse_note(content, what=WHAT)
    checkpoint = _of_log(note, log_key, verify_signature)
    latest_s = int((now + CLOCKS_APART).timestamp())
    seen = {
        key.public
        for key in pinned
        if any(at <= latest_s for at in signed_at(note, key, verify_signature, what=WHAT))
    }
    count = len(seen & public)
    if count < quorum:
        raise TrustError(
            f"{WHAT} was cosigned by {count} of the {quorum} witnesses that it needs: it may be"
            " one that others are not shown. Nothing of it is used; try again later, and where"
            " it stays so, tell the repository's operator and the witnesses."
        )
    return checkpoint
