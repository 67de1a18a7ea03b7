"""Who vouches for a list on a device: its repository's metadata, all of it checked once more.

A sync has checked it when it came. Who acts against others on a list's word checks it again, on
the device alone, from the first root of trust to the target: files in a user's folder may have
changed since.
"""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from protech.errors import TrustError
from protech.lists.repository.documents import ROOT, TARGETS, Documents
from protech.lists.repository.files import read_document
from protech.lists.trust import ListTarget, newest

HISTORY = "root_history"
"""Where python-tuf keeps the roots that it has trusted, each by its version."""

ROOTS = 256
"""More changes of who signs are no repository's life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who stands behind a target: public keys as they are (Ed25519, 32 bytes).

    ``signers`` are those of ``authority`` that signed it; ``speakers`` all that the repository
    has for anything. ``fresh_until`` is when the first of all that vouches for it expires.
    """

    authority: str
    root_sha256: bytes = field(repr=False)
    signers: frozenset[bytes] = field(repr=False)
    speakers: frozenset[bytes] = field(repr=False)
    fresh_until: datetime


def standing(metadata: Path, first: bytes, target: ListTarget, *, now: datetime) -> Standing:
    """Return who stands behind a target, which must be the newest of its list.

    Args:
        metadata: Where a sync has put what it trusted.
        first: The first root of trust.
        target: What a device holds.
        now: For what expires.

    Raises:
        TrustError: Something is missing, has expired, or is not signed as it must be.
    """
    try:
        return _standing(metadata, first, target, now)
    except (TrustError, RepositoryError, DeserializationError, ValueError) as wrong:
        raise TrustError(
            f"What this device keeps of the repository of {target.name} does not show any more"
            " who vouches for this version: something has expired, is newer than the list, or"
            " was changed. Run `protech lists sync`; where that does not help, tell its"
            " authority."
        ) from wrong


def _standing(metadata: Path, first: bytes, target: ListTarget, now: datetime) -> Standing:
    root, former = _root(metadata, first)
    targets = read_document(metadata / f"{TARGETS}.json", Targets)
    names = Documents(root, targets, {}, former)
    authority = names.authority_of(target.name)
    role = read_document(metadata / f"{authority}.json", Targets)
    documents = Documents(root, targets, {authority: role}, former)
    documents.check(now)
    vouched_until = _vouched_until(metadata, documents)
    if newest(documents.offered(target.name)) != target:
        raise TrustError("the list that is here is not the one that is offered")
    progress = {one.role: one for one in documents.progress()}
    keys = documents.role_keys()
    ends = [vouched_until, *(one.expires_at for one in progress.values())]
    if target.expires_at is not None:
        ends.append(target.expires_at)
    if now >= min(ends):
        raise TrustError("the list has expired")
    return Standing(
        authority=authority,
        root_sha256=sha256(first).digest(),
        signers=frozenset(
            bytes.fromhex(keys[authority].keys[id_]) for id_ in progress[authority].signed
        ),
        speakers=frozenset(
            bytes.fromhex(public) for role in keys.values() for public in role.keys.values()
        ),
        fresh_until=min(ends),
    )


def _root(metadata: Path, first: bytes) -> tuple[Metadata[Root], Metadata[Root] | None]:
    """Return the newest root that follows from the first, and the one before it."""
    root: Metadata[Root] = Metadata.from_bytes(first)
    former: Metadata[Root] | None = None
    if not isinstance(root.signed, Root):
        raise TrustError("the first root of trust is none")
    _check_root(root, None)
    for _ in range(ROOTS):
        path = metadata / HISTORY / f"{root.signed.version + 1}.{ROOT}.json"
        if not path.exists():
            return root, former
        former, root = root, read_document(path, Root)
        if root.signed.version != former.signed.version + 1:
            raise TrustError("a root of trust is in another version than its name says")
        _check_root(root, former)
    raise TrustError(f"there are more than {ROOTS} roots of trust")


def _check_root(root: Metadata[Root], former: Metadata[Root] | None) -> None:
    result = root.signed.get_root_verification_result(
        None if former is None else former.signed, root.signed_bytes, root.signatures
    )
    if not result.verified:
        raise TrustError("a root of trust is not signed by enough of those before it")


def _vouched_until(metadata: Path, documents: Documents) -> datetime:
    """Return until when the server's keys say that these documents are the newest."""
    root = documents.root.signed
    timestamp = read_document(metadata / "timestamp.json", Timestamp)
    snapshot = read_document(metadata / "snapshot.json", Snapshot)
    root.verify_delegate("timestamp", timestamp.signed_bytes, timestamp.signatures)
    root.verify_delegate("snapshot", snapshot.signed_bytes, snapshot.signatures)
    versions = {f"{role}.json": version for role, version in documents.versions().items()}
    del versions[f"{ROOT}.json"]  # a root vouches for itself, from one to the next
    told = {name: meta.version for name, meta in snapshot.signed.meta.items()}
    if timestamp.signed.snapshot_meta.version != snapshot.signed.version or any(
        told.get(name) != version for name, version in versions.items()
    ):
        raise TrustError("the documents here are not those that the server vouched for")
    return min(timestamp.signed.expires, snapshot.signed.expires)
