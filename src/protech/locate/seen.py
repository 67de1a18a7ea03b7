"""What a case has seen of what grows old: its newest timestamp, and its lists' versions.

A timestamp counts for a day, so that an older one which still names a revoked authorisation
could be put back, and a list of yesterday likewise. What was seen once is kept beside the log,
under the case's key; where it is gone, no timestamp counts from before the log was last signed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from protech.errors import TrustError
from protech.lists.logbook import read_file
from protech.locate.vault import Vault
from protech.settings import settle, write_private

FILE_BYTES = 1 << 20
NAME = b"seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """When the newest timestamp was made, and the newest version of each list by its name."""

    timestamp_at: datetime | None = None
    versions: Mapping[str, int] = field(default_factory=dict)


class SeenFile:
    """What was seen, in a file of the case; it only grows."""

    def __init__(self, path: Path, *, vault: Vault, logged_at: datetime | None) -> None:
        """Take the file, which need not be there yet.

        Args:
            path: Where it is.
            vault: Hides what is in it.
            logged_at: When the case's log was last signed: what counts where it is gone.

        Raises:
            ConfigError: It cannot be read.
            TrustError: It was changed.
        """
        self._path = path
        self._vault = vault
        sealed = read_file(path, most=FILE_BYTES)
        self._is_new = sealed is None
        self.seen = Seen(timestamp_at=logged_at) if sealed is None else self._opened(sealed)

    def note_timestamp(self, at: datetime) -> None:
        """Keep that a timestamp of ``at`` was seen, whether or not anything may go under it.

        Raises:
            ConfigError: It cannot be written.
        """
        newest = self.seen.timestamp_at
        if newest is None or at > newest or self._is_new:
            self._keep(replace(self.seen, timestamp_at=max(at, newest or at)))

    def note_list(self, name: str, version: int) -> None:
        """Keep that a version of a list was used.

        Raises:
            ConfigError: It cannot be written.
        """
        if version > self.seen.versions.get(name, 0):
            self._keep(replace(self.seen, versions={**self.seen.versions, name: version}))

    def _keep(self, seen: Seen) -> None:
        at = seen.timestamp_at
        told = {
            "timestamp_at": None if at is None else at.astimezone(UTC).isoformat(),
            "versions": dict(seen.versions),
        }
        write_private(self._path, self._vault.seal(told, NAME))
        settle(self._path.parent)
        self.seen, self._is_new = seen, False

    def _opened(self, sealed: bytes) -> Seen:
        told = self._vault.open(sealed, NAME)
        at, versions = told.get("timestamp_at"), told.get("versions")
        if not isinstance(versions, dict) or not isinstance(at, str | None):
            raise TrustError("What the case has seen has another form than this version's.")
        return Seen(
            timestamp_at=None if at is None else datetime.fromisoformat(at), versions=versions
        )
