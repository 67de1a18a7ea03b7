"""Who signs in a repository: making one, and changing its people, lists, witnesses and keys."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from protech.errors import ConfigError, TrustError
from protech.lists.checkpoint import log_key, witness_key
from protech.lists.keys import PublicKey, make_key, public_path, read_public
from protech.lists.publish.place import Repository
from protech.lists.repository.changes import Change, Signers
from protech.lists.repository.documents import ROOT, Documents
from protech.lists.root import RootExtension, Witness
from protech.settings import private_directory

SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a new repository is: whose it is, what it publishes, and who watches it."""

    origin: str
    owners: Signers
    authority: str
    officers: Signers
    lists: Sequence[str]
    witnesses: Sequence[PublicKey]
    quorum: int


def new(place: Path, plan: Plan, now: datetime) -> Documents:
    """Make a repository whose first documents wait for their signatures.

    Raises:
        ConfigError: Something is there already, or it cannot be written.
        TrustError: One person could sign alone, or the witnesses do not suffice.
    """
    if place.exists() and any(place.iterdir()):
        raise ConfigError(f"There is something in {place} already; name a new directory.")
    extension = RootExtension(
        log_origin=plan.origin,
        log_key=b"",
        witnesses=witnesses_of(plan.witnesses),
        quorum=plan.quorum,
    )
    _first(plan, extension, now, server=b"\0" * 32, log=b"\1" * 32).check_rules()
    private_directory(place)
    repository = Repository(place)
    server = make_key(repository.server_key, name=SERVER)
    log = make_key(repository.log_key, name=plan.origin)
    documents = _first(plan, extension, now, server=server.public, log=log.public)
    with repository.turn():
        repository.stage(documents)
    return documents


def _first(
    plan: Plan, extension: RootExtension, now: datetime, *, server: bytes, log: bytes
) -> Documents:
    log_key(extension.log_origin, log)
    pinned = replace(extension, log_key=log)
    key = PublicKey(name=SERVER, public=server)
    change = Change.first(plan.owners, key, pinned, now)
    change.authority(plan.authority, plan.officers)
    change.lists(plan.authority, plan.lists)
    return change.documents


def witnesses_of(keys: Iterable[PublicKey]) -> tuple[Witness, ...]:
    """Return witnesses as the root pins them.

    Raises:
        TrustError: A name is none that a checkpoint can hold.
    """
    for key in keys:
        witness_key(key.name, key.public)
    return tuple(Witness(name=key.name, key=key.public) for key in keys)


def delegate(
    repository: Repository,
    authority: str,
    lists: Sequence[str],
    now: datetime,
    *,
    officers: Signers | None = None,
) -> Documents:
    """Give lists to an authority; where it is new, ``officers`` are its people.

    Raises:
        TrustError: It is new and has no people, or a list is somebody's already.
    """
    with repository.turn():
        change = repository.change(now)
        if officers is not None:
            if authority in change.documents.delegated:
                raise TrustError(
                    f"The authority {authority} has people; change them with `protech lists"
                    " publish rotate`."
                )
            change.authority(authority, officers)
        change.lists(authority, lists)
        repository.stage(change.documents)
        return change.documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Keys that leave and keys that come, and how many must sign; None: as many as before."""

    removed: Sequence[PublicKey] = ()
    added: Sequence[PublicKey] = ()
    threshold: int | None = None


def rotate(repository: Repository, role: str, rotation: Rotation, now: datetime) -> Documents:
    """Change the people of a role: ``root`` for the owners, else an authority's name.

    Raises:
        TrustError: There is no such role, a key that leaves is not in it, or too few stay.
    """
    with repository.turn():
        change = repository.change(now)
        documents = change.documents
        if role not in {ROOT, *documents.delegated}:
            known = ", ".join([ROOT, *documents.delegated])
            raise TrustError(f"There is no role {role!r} here, only {known}.")
        signers = _rotated(documents, role, rotation)
        if role == ROOT:
            change.owners(signers)
        else:
            change.authority(role, signers)
        repository.stage(documents)
        return documents


def _rotated(documents: Documents, role: str, rotation: Rotation) -> Signers:
    before = documents.role_keys()[role]
    leaving = {key.id for key in rotation.removed}
    if strangers := leaving - set(before.keys):
        raise TrustError(
            f"{len(strangers)} of the keys that are to leave {role} never were in it; take the"
            " public keys that were given to it."
        )
    stay = [
        PublicKey(name=SERVER, public=bytes.fromhex(public))
        for id_, public in before.keys.items()
        if id_ not in leaving
    ]
    keys = {key.id: key for key in [*stay, *rotation.added]}
    threshold = before.threshold if rotation.threshold is None else rotation.threshold
    return Signers(keys=tuple(keys.values()), threshold=threshold)


def rotate_server(repository: Repository, now: datetime) -> Documents:
    """Give the server a new key; it is used once the owners have signed for it.

    Raises:
        ConfigError: The key cannot be written, or one waits already.
    """
    with repository.turn():
        path = next_key(repository.server_key)
        key = read_public(public_path(path)) if path.exists() else make_key(path, name=SERVER)
        change = repository.change(now)
        change.server(key)
        repository.stage(change.documents)
        return change.documents


def next_key(path: Path) -> Path:
    """Return where a key waits until it stands in for the one at ``path``."""
    return path.with_name(f"next-{path.name}")


def watch(
    repository: Repository, witnesses: Sequence[PublicKey], quorum: int, now: datetime
) -> Documents:
    """Pin other witnesses; all of them are named.

    Raises:
        TrustError: They do not suffice.
    """
    with repository.turn():
        change = repository.change(now)
        pinned = replace(
            change.documents.extension, witnesses=witnesses_of(witnesses), quorum=quorum
        )
        change.extension(pinned)
        repository.stage(change.documents)
        return change.documents


def renew(repository: Repository, now: datetime, *, roles: Sequence[str] = ()) -> Documents:
    """Let documents be signed again before they expire: these, or all of them.

    Raises:
        TrustError: There is no such document.
    """
    with repository.turn():
        change = repository.change(now)
        known = change.documents.versions()
        if strange := set(roles) - set(known):
            raise TrustError(
                f"There is no document {min(strange)!r} here, only {', '.join(known)}."
            )
        for role in roles or known:
            change.renew(role)
        repository.stage(change.documents)
        return change.documents
