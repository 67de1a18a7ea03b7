"""The versions of one list on a device: one is current, swapped by a rename that comes last.

``current.json`` names the file of the current version. A kill at any moment leaves the old
record and the old file, or the new ones; what neither record names is swept away.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from protech.errors import ConfigError, TrustError
from protech.lists.trust import ListTarget, custom_of, parse_target
from protech.settings import private_directory, settle, write_private

FORMAT_VERSION = 1

CURRENT = "current.json"
PREVIOUS = "previous.json"
"""The version before, kept until the current one is in use."""

RECORDS = (CURRENT, PREVIOUS)

RECORD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldList:
    """One version of a list on this device.

    ``target`` is what its authority signed of it. ``path`` is the plain list, or where
    ``target.is_sealed`` the list as it was encrypted to this device. After ``fresh_until``
    nobody has vouched that it is the newest: it stays in use, and is stale.
    """

    target: ListTarget
    fresh_until: datetime
    path: Path = field(repr=False)

    @property
    def name(self) -> str:
        """What verdicts call it."""
        return self.target.name

    def is_stale(self, now: datetime) -> bool:
        """Whether a sync is overdue, or the list itself has expired."""
        return now >= self.fresh_until


class Shelf:
    """A directory with the versions of one list; who writes to it holds the device's turn."""

    def __init__(self, folder: Path) -> None:
        """Name the directory; ``put`` makes it."""
        self._folder = folder

    def current(self) -> HeldList | None:
        """Return the version in use; None where there is none yet.

        Raises:
            TrustError: Its record is damaged.
        """
        return self._read(CURRENT)

    def previous(self) -> HeldList | None:
        """Return the version before it, where it is still kept.

        Raises:
            TrustError: Its record is damaged.
        """
        return self._read(PREVIOUS)

    def put(self, file: Path, target: ListTarget, fresh_until: datetime) -> HeldList:
        """Move a whole, checked ``file`` here and make it the current version.

        Raises:
            ConfigError: It cannot be written.
        """
        private_directory(self._folder)
        held = HeldList(
            target=target, fresh_until=fresh_until, path=self._folder / _name_of(target)
        )
        settle(file)
        file.replace(held.path)
        settle(self._folder)
        self._keep_current_as_previous(held)
        self._write(held)
        self.sweep()
        return held

    def renew(self, held: HeldList) -> None:
        """Say of the current version that it is still the newest, and until when.

        Raises:
            ConfigError: It cannot be written.
        """
        self._write(held)

    def settle(self) -> None:
        """Let go of the version before: the current one is in use."""
        (self._folder / PREVIOUS).unlink(missing_ok=True)
        self.sweep()

    def sweep(self) -> None:
        """Delete what no record names: it was never current, or is not any more."""
        kept = set(RECORDS)
        for record in RECORDS:
            try:
                held = self._read(record)
            except TrustError:
                if record == CURRENT:  # nobody can say what is not needed
                    return
                held = None
            if held is not None:
                kept.add(held.path.name)
        for path in self._folder.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def _keep_current_as_previous(self, coming: HeldList) -> None:
        try:
            now = self.current()
        except TrustError:  # a damaged record names nothing that could be kept
            return
        if now is not None and now.path != coming.path:
            content = (self._folder / CURRENT).read_bytes()
            write_private(self._folder / PREVIOUS, content)

    def _write(self, held: HeldList) -> None:
        record = {
            "v": FORMAT_VERSION,
            "file": held.path.name,
            "fresh_until": held.fresh_until.astimezone(UTC).isoformat(),
            "target": custom_of(held.target),
        }
        write_private(self._folder / CURRENT, json.dumps(record, indent=1).encode())
        settle(self._folder)

    def _read(self, record: str) -> HeldList | None:
        try:
            with (self._folder / record).open("rb") as file:
                content = file.read(RECORD_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as refused:
            raise ConfigError(
                f"What is in {self._folder} cannot be read: {refused.strerror}; make it yours."
            ) from refused
        try:
            fields = json.loads(content)
            target = parse_target(fields["target"])
            if fields["v"] != FORMAT_VERSION or fields["file"] != _name_of(target):
                raise ValueError
            fresh_until = datetime.fromisoformat(fields["fresh_until"]).astimezone(UTC)
        except (ValueError, TypeError, KeyError, RecursionError, TrustError) as wrong:
            raise _damaged(self._folder) from wrong
        return HeldList(
            target=target, fresh_until=fresh_until, path=self._folder / fields["file"]
        )


def _name_of(target: ListTarget) -> str:
    ending = "age" if target.is_sealed else "list"
    return f"{target.version}-{target.sha256.hex()[:16]}.{target.kind}.{ending}"


def _damaged(folder: Path) -> TrustError:
    return TrustError(
        f"What is in {folder} was damaged, or written by a newer Protech; take the list again"
        " with `protech lists sync`."
    )
