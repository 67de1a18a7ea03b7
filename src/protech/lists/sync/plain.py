"""From what was fetched to a list that may be put in place: decrypted, its digest checked."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from protech.errors import ConfigError, ListFormatError, TrustError
from protech.lists import delta
from protech.lists.device import check_digest
from protech.lists.formats.own import LINE_BYTES, parse_header
from protech.lists.seal import unseal
from protech.lists.shelf import HeldList
from protech.lists.sync.remote import Offer, Remote
from protech.lists.trust import ListTarget, TargetKind


def fetched(remote: Remote, offer: Offer, *, ready: Path, identity: str) -> bool:
    """Put a whole version at ``ready``, sealed or plain as it says; False if it is for others.

    Raises:
        TrustError: It is not what was signed.
        SourceError: It cannot be had.
        ConfigError: It cannot be written.
    """
    goal = offer.target
    with remote.downloaded(offer) as sealed:
        with nullcontext() if goal.is_sealed else _written(ready) as out:
            sink = Sink(out, most_bytes=goal.size_bytes)
            if not _opens(sealed, sink, identity):
                return False
        sink.check(goal)
        if goal.is_sealed:
            sealed.replace(ready)
    return True


def patched(
    remote: Remote, base: Path, chain: Sequence[Offer], *, coming: Path, identity: str
) -> Path:
    """Return what the deltas of ``chain``, in order, make of the plain list at ``base``.

    Raises:
        TrustError: A step is not what was signed, or leads elsewhere.
        ListFormatError: A step does not fit.
        SourceError: A step cannot be had.
        ConfigError: It cannot be written.
    """
    step = coming / "delta"
    for number, offer in enumerate(chain):
        with remote.downloaded(offer) as sealed, _written(step) as plain:
            if not _opens(sealed, plain, identity):
                raise TrustError("A delta of the list is encrypted to others.")
        out = coming / f"patched-{number}"
        with _written(out) as new, base.open("rb") as old, step.open("rb") as change:
            digest = delta.apply(old, change, new)
        if digest != offer.target.sha256 or out.stat().st_size != offer.target.size_bytes:
            raise TrustError("A delta does not lead to the version that was signed.")
        with out.open("rb") as new:
            _check_header(new.readline(LINE_BYTES + 1), offer.target)
        base = out
    return base


def is_whole(held: HeldList, identity: str) -> bool:
    """Return whether a version that is here is still what was signed, and can be opened."""
    try:
        with held.path.open("rb") as file:
            if not held.target.is_sealed:
                check_digest(file.fileno(), held)
                return True
            sink = Sink(most_bytes=0)
            unseal(file, cast("BinaryIO", sink), identity)
            sink.check(held.target)
    except (TrustError, OSError):
        return False
    return True


class Sink:
    """Takes a plain list piece by piece: hashes it, keeps its first line, and writes it or not.

    A sealed list is only hashed: nothing of it but its header outlives the piece it came in.
    """

    def __init__(self, out: BinaryIO | None = None, *, most_bytes: int) -> None:
        """Take where it is written, if anywhere; more than ``most_bytes`` is not."""
        self._most_bytes = most_bytes
        self._out = out
        self._digest = hashlib.sha256()
        self._first = bytearray()
        self._size_bytes = 0

    def write(self, piece: bytes) -> int:
        """Take one piece."""
        if not self._first.endswith(b"\n"):
            line, end, _ = piece.partition(b"\n")
            self._first += (line + end)[: LINE_BYTES + 1 - len(self._first)]
        self._digest.update(piece)
        self._size_bytes += len(piece)
        if self._out is not None and self._size_bytes <= self._most_bytes:
            self._out.write(piece)
        return len(piece)

    def flush(self) -> None:
        """Do nothing: leaving the ``with`` does."""

    def check(self, target: ListTarget) -> None:
        """Check that what was taken is what was signed, and says the same of itself.

        Raises:
            TrustError: It is not.
        """
        is_signed = self._digest.digest() == target.sha256
        if not is_signed or self._size_bytes != target.size_bytes:
            raise TrustError(
                f"What is encrypted as version {target.version} of the list {target.name} is"
                " not what was signed. It is not used; tell its authority."
            )
        if target.kind is TargetKind.FULL:
            _check_header(bytes(self._first), target)


def _check_header(line: bytes, target: ListTarget) -> None:
    try:
        header = parse_header(line)
    except ListFormatError as wrong:
        raise _contradiction(target) from wrong
    said = (header.name, header.version, header.category, header.uses, header.count)
    signed = (target.name, target.version, target.category, target.uses, target.entries)
    rest = (header.is_sealed, header.expires_at) == (target.is_sealed, target.expires_at)
    if said != signed or not rest:
        raise _contradiction(target)


def _contradiction(target: ListTarget) -> TrustError:
    return TrustError(
        f"Version {target.version} of the list {target.name} says otherwise of itself than was"
        " signed. It is not used; its authority must publish it again."
    )


def _opens(sealed: Path, out: BinaryIO | Sink, identity: str) -> bool:
    """Decrypt into ``out``; return False where it is for others: its hash was right."""
    try:
        with sealed.open("rb") as source:
            unseal(source, cast("BinaryIO", out), identity)
    except TrustError:
        return False
    return True


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """Give a new file of this user alone."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            yield file
    except OSError as refused:
        raise ConfigError(
            f"The list cannot be written: {refused.strerror}; make room. The one that is here"
            " stays in use."
        ) from refused
