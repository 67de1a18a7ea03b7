"""What the server signs by itself: which documents are the newest, and that this was so lately.

Its key stays online, so it can freeze a repository for as long as its signatures last, and
nothing else: it can neither make a list nor bring an old one back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tuf.api.metadata import Metadata, MetaFile, Snapshot, Timestamp

from protech.errors import TrustError
from protech.lists.keys import KeySigner, key_id
from protech.lists.repository.documents import ROOT, Documents
from protech.lists.repository.files import read_document
from protech.signing import Key

SNAPSHOT, TIMESTAMP = "snapshot", "timestamp"
TIMESTAMP_FILE = f"{TIMESTAMP}.json"

TIMESTAMP_LASTS = timedelta(days=3)
"""How long someone between server and device could hide a newer version."""

SNAPSHOT_LASTS = timedelta(days=30)

MARGIN = timedelta(days=10)
"""A snapshot that expires within it is made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a repository serves now: versions by role, and until when the server vouches."""

    timestamp: int
    snapshot: int
    versions: Mapping[str, int]
    snapshot_until: datetime
    expires_at: datetime


def published(metadata: Path) -> Published | None:
    """Return what is served now; None where nothing was published yet.

    Raises:
        TrustError: A document is missing or damaged.
    """
    path = metadata / TIMESTAMP_FILE
    if not path.exists():
        return None
    timestamp = read_document(path, Timestamp).signed
    at = timestamp.snapshot_meta.version
    snapshot = read_document(metadata / f"{at}.{SNAPSHOT}.json", Snapshot).signed
    versions = {
        name.removesuffix(".json"): meta.version for name, meta in snapshot.meta.items()
    }
    return Published(
        timestamp=timestamp.version,
        snapshot=at,
        versions=versions,
        snapshot_until=snapshot.expires,
        expires_at=timestamp.expires,
    )


def vouch(
    documents: Mapping[str, tuple[int, bytes]],
    key: Key,
    before: Published | None,
    now: datetime,
) -> list[tuple[str, bytes]]:
    """Return snapshot and timestamp as files, in the order in which they are put in place.

    Args:
        documents: Version and content, as served, of each document but the root.
        key: The server's.
        before: What is served now.
        now: From when they count.
    """
    snapshot = Snapshot(
        version=before.snapshot + 1 if before else 1,
        expires=now + SNAPSHOT_LASTS,
        meta={
            f"{role}.json": MetaFile.from_data(version, content, ["sha256"])
            for role, (version, content) in documents.items()
        },
    )
    content = _signed(Metadata(snapshot), key)
    return [
        (f"{snapshot.version}.{SNAPSHOT}.json", content),
        _timestamp(snapshot.version, content, key, before, now),
    ]


def vouch_again(
    metadata: Path, key: Key, before: Published, now: datetime
) -> list[tuple[str, bytes]]:
    """Return a new timestamp for what is served, and a new snapshot when that is due.

    Raises:
        TrustError: A document is missing.
    """
    if before.snapshot_until - now > MARGIN:
        name = f"{before.snapshot}.{SNAPSHOT}.json"
        content = (metadata / name).read_bytes()
        return [_timestamp(before.snapshot, content, key, before, now)]
    served = {
        role: (version, (metadata / f"{version}.{role}.json").read_bytes())
        for role, version in before.versions.items()
    }
    return vouch(served, key, before, now)


def check_server_key(documents: Documents, key: Key) -> None:
    """Check that the root lets this key sign what is newest.

    Raises:
        TrustError: It names another one.
    """
    for role in (SNAPSHOT, TIMESTAMP):
        if key_id(key.public) not in documents.root.signed.roles[role].keyids:
            raise TrustError(
                "The server's key is not the one that the root of trust names; restore it, or"
                f" let the owners sign a {ROOT} that names this one: `protech lists publish"
                " rotate`."
            )


def _timestamp(
    version: int, snapshot: bytes, key: Key, before: Published | None, now: datetime
) -> tuple[str, bytes]:
    timestamp = Timestamp(
        version=before.timestamp + 1 if before else 1,
        expires=now + TIMESTAMP_LASTS,
        snapshot_meta=MetaFile.from_data(version, snapshot, ["sha256"]),
    )
    return TIMESTAMP_FILE, _signed(Metadata(timestamp), key)


def _signed(document: Metadata[Snapshot] | Metadata[Timestamp], key: Key) -> bytes:
    document.sign(KeySigner(key))
    return document.to_bytes()
