"""Makes visible what people have signed: log, witnesses, snapshot, and the timestamp last.

Whatever is written before the timestamp changes nothing for a device, so a kill at any moment
leaves the former state served, and the same command goes on from there.
"""

import hashlib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from protech.errors import ConfigError, TrustError
from protech.lists import logbook
from protech.lists.checkpoint import Checkpoint, log_key, verify, verify_log, witness_key
from protech.lists.keys import key_id, public_path
from protech.lists.log import CHECKPOINT, ENTRIES, LOG_BYTES, leaf_of
from protech.lists.logbook import put_file
from protech.lists.note import NOTE_BYTES
from protech.lists.publish.place import Repository
from protech.lists.publish.setup import next_key
from protech.lists.repository.documents import ROOT, Documents
from protech.lists.repository.server import (
    SNAPSHOT,
    TIMESTAMP_FILE,
    check_server_key,
    vouch,
    vouch_again,
)
from protech.lists.root import RootExtension
from protech.lists.trust import ListTarget, TargetKind
from protech.settings import settle
from protech.signing import Key
from protech.signing import verify as verify_signature

GRACE = timedelta(days=1)
"""How long a ciphertext that is not offered any more stays for devices that are loading it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """How long the log is, how many witnesses must cosign that, and whether they have."""

    log_size: int
    quorum: int
    is_cosigned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What is served now."""

    timestamp: int
    lists: tuple[ListTarget, ...]
    log_size: int
    expires_at: datetime


def enter(repository: Repository, now: datetime) -> Entered:
    """Enter what is staged and signed into the log; its checkpoint then waits for witnesses.

    Raises:
        TrustError: Nothing is staged, signatures are missing, or a file is damaged.
        ConfigError: It cannot be written, or a key is not there.
    """
    with repository.turn():
        documents = _checked(repository, now)
        checkpoint = _append(repository, documents, now)
        pinned = documents.extension
        is_seen = _witnessed(repository, pinned, now) is not None
        return Entered(log_size=checkpoint.size, quorum=pinned.quorum, is_cosigned=is_seen)


def publish(repository: Repository, now: datetime) -> Released:
    """Publish what is staged, once enough people and enough witnesses have signed it.

    Raises:
        TrustError: Nothing is staged, signatures or cosignatures are missing, or a file is
            damaged.
        ConfigError: It cannot be written, or a key is not there.
    """
    with repository.turn():
        documents = _checked(repository, now)
        server = _server_key(repository, documents)
        checkpoint = _append(repository, documents, now)
        cosigned = _witnessed(repository, documents.extension, now)
        if cosigned is None:
            raise TrustError(
                f"The log's checkpoint needs the cosignatures of {documents.extension.quorum}"
                f" witnesses, and has too few. Hand {repository.staged} to one after the other,"
                " for `protech lists witness`, then publish again."
            )
        _move_ciphertexts(repository)
        put_file(repository.log / CHECKPOINT, cosigned)
        _make_visible(repository, documents, server, now)
        _clear(repository, documents)
        return _released(repository, documents, checkpoint)


def refresh(repository: Repository, now: datetime) -> datetime:
    """Vouch again that what is served is the newest; return until when.

    Raises:
        TrustError: Nothing was published yet, or a document is damaged.
        ConfigError: It cannot be written, or the key is not there.
    """
    with repository.turn():
        before = repository.published()
        if before is None:
            raise TrustError("Nothing was published yet; there is nothing to refresh.")
        server = _server_key(repository, repository.served())
        for name, content in vouch_again(repository.metadata, server, before, now):
            put_file(repository.metadata / name, content)
        after = repository.published()
    return before.expires_at if after is None else after.expires_at


def _checked(repository: Repository, now: datetime) -> Documents:
    """Return what is staged, when it keeps the rules, is whole, and enough people signed it."""
    if not repository.is_staged:
        raise TrustError("Nothing waits to be published; stage a list first.")
    documents = repository.documents()
    documents.check(now)
    _check_ciphertexts(repository, documents)
    return documents


def _server_key(repository: Repository, documents: Documents) -> Key:
    """Return the server's key that the root names: the one in use, or the one that waits."""
    waiting = next_key(repository.server_key)
    if waiting.exists():
        key = Key.load(waiting)
        if _is_named(key, documents):
            return key
    key = Key.load(repository.server_key)
    check_server_key(documents, key)
    return key


def _is_named(key: Key, documents: Documents) -> bool:
    return key_id(key.public) in documents.root.signed.roles[SNAPSHOT].keyids


def _check_ciphertexts(repository: Repository, documents: Documents) -> None:
    for name, file in documents.target_files().items():
        places = [repository.staged_targets / name, repository.targets / name]
        path = next((place for place in places if place.exists()), None)
        if path is None or path.stat().st_size != file.length or _sha256(path) != name[:64]:
            raise TrustError(
                f"The ciphertext of {file.path} is missing or damaged; stage the list again and"
                " have it signed."
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _append(repository: Repository, documents: Documents, now: datetime) -> Checkpoint:
    pinned = documents.extension
    wanted = [
        leaf_of(target, published_at=now)
        for name in documents.authorities
        for target in documents.targets_of(name)
        if target.kind is not TargetKind.DELTA
    ]
    checkpoint = logbook.append(
        repository.log,
        wanted,
        log_key=log_key(pinned.log_origin, pinned.log_key),
        sign=Key.load(repository.log_key).sign,
        verify_signature=verify_signature,
        into=repository.checkpoint,
    )
    leaves = logbook.read_file(repository.log / ENTRIES, most=LOG_BYTES) or b""
    put_file(repository.staged / ENTRIES, leaves)
    return checkpoint


def _witnessed(repository: Repository, pinned: RootExtension, now: datetime) -> bytes | None:
    """Return the log's checkpoint if enough witnesses cosigned it; else it waits for them."""
    content = logbook.read_file(repository.checkpoint, most=NOTE_BYTES)
    if content is None:
        content = logbook.read_file(repository.log / CHECKPOINT, most=NOTE_BYTES) or b""
    key = log_key(pinned.log_origin, pinned.log_key)
    verify_log(content, log_key=key, verify_signature=verify_signature)
    try:
        verify(
            content,
            log_key=key,
            witnesses=[witness_key(one.name, one.key) for one in pinned.witnesses],
            quorum=pinned.quorum,
            now=now,
            verify_signature=verify_signature,
        )
    except TrustError:
        put_file(repository.checkpoint, content)
        return None
    return content


def _move_ciphertexts(repository: Repository) -> None:
    try:
        repository.targets.mkdir(parents=True, exist_ok=True)
        if repository.staged_targets.exists():
            for path in repository.staged_targets.iterdir():
                path.replace(repository.targets / path.name)
    except OSError as refused:
        raise ConfigError(
            f"{repository.targets} cannot be written: {refused.strerror}; make room."
        ) from refused
    settle(repository.targets)


def _make_visible(
    repository: Repository, documents: Documents, server: Key, now: datetime
) -> None:
    """Write documents, snapshot, root and timestamp, each needed by the next."""
    before = repository.published()
    versions = repository.versions()
    served: dict[str, tuple[int, bytes]] = {}
    for role, document in documents.each():
        version = document.signed.version
        path = repository.metadata / f"{version}.{role}.json"
        is_served = versions.get(role) == version
        content = path.read_bytes() if is_served else document.to_bytes()
        served[role] = (version, content)
    root_version, root = served.pop(ROOT)
    for role, (version, content) in served.items():
        put_file(repository.metadata / f"{version}.{role}.json", content)
    snapshot, timestamp = vouch(served, server, before, now)
    put_file(repository.metadata / snapshot[0], snapshot[1])
    put_file(repository.metadata / f"{root_version}.{ROOT}.json", root)
    put_file(repository.metadata / timestamp[0], timestamp[1])


def _clear(repository: Repository, documents: Documents) -> None:
    """Take away what waited, and ciphertexts that have not been offered for a while."""
    repository.unstage()
    path = repository.server_key
    waiting = next_key(path)
    if (
        waiting.exists()
        and _server_key(repository, documents).public == Key.load(waiting).public
    ):
        public_path(waiting).replace(public_path(path))
        waiting.replace(path)
    offered = documents.target_files()
    before_s = time.time() - GRACE.total_seconds()
    for path in repository.targets.iterdir():
        if path.name not in offered and path.stat().st_mtime < before_s:
            path.unlink()


def _released(repository: Repository, documents: Documents, checkpoint: Checkpoint) -> Released:
    after = repository.published()
    if after is None:
        raise TrustError(
            f"{repository.metadata / TIMESTAMP_FILE} was taken away; publish again."
        )
    lists = [
        target
        for name in documents.authorities
        for target in documents.targets_of(name)
        if target.kind is not TargetKind.DELTA
    ]
    return Released(
        timestamp=after.timestamp,
        lists=tuple(lists),
        log_size=checkpoint.size,
        expires_at=after.expires_at,
    )
