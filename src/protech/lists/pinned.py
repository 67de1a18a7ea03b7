"""A repository that this device trusts: its pinned root, and what was last seen of it.

A directory of this user alone. ``repository.json`` is written once the repository has proved
itself; without it the directory is what a first sync left behind, and is swept away.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from protech.errors import ConfigError, TrustError
from protech.lists.entries import Use
from protech.lists.shelf import Shelf
from protech.settings import private_directory, write_private

FORMAT_VERSION = 1

RECORD = "repository.json"
ROOT = "pinned.root.json"
METADATA = "metadata"
COMING = "coming"
"""What is being downloaded or put together; emptied by the next sync."""
SHELVES = "lists"
CHECKPOINT = "checkpoint"
UNREADABLE = "unreadable.json"

ID_CHARACTERS = 16
"""64 bits of the digest of the root: the name of the directory, not what is trusted."""

FILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A repository as this device knows it; ``uses`` are those that its lists are taken for."""

    folder: Path = field(repr=False)
    address: str = field(repr=False)
    uses: frozenset[Use]

    @property
    def metadata(self) -> Path:
        """Where python-tuf keeps what it trusts."""
        return self.folder / METADATA

    @property
    def _later_roots(self) -> Path:
        return self.metadata / "root_history"

    @property
    def coming(self) -> Path:
        """Where downloads stand until they are checked."""
        return self.folder / COMING

    @property
    def root(self) -> bytes:
        """The root of trust that the person gave, byte for byte.

        Raises:
            TrustError: It is damaged.
        """
        root = _read(self.folder / ROOT)
        if root is None or id_of(root) != self.folder.name:
            raise TrustError(
                f"The pinned root of trust in {self.folder} is gone or was changed; remove this"
                " directory, and sync with --root again."
            )
        return root

    @property
    def checkpoint(self) -> bytes | None:
        """The last checkpoint of the log that held; None before the first."""
        return _read(self.folder / CHECKPOINT)

    def keep_checkpoint(self, content: bytes) -> None:
        """Remember what the log said."""
        write_private(self.folder / CHECKPOINT, content)

    @property
    def unreadable(self) -> frozenset[str]:
        """Digests, in hex, of targets that are for others; they are not fetched again."""
        try:
            known = json.loads(_read(self.folder / UNREADABLE) or b"[]")
        except ValueError:
            known = []
        return frozenset(map(str, known))

    def keep_unreadable(self, digests: frozenset[str]) -> None:
        """Remember which targets are encrypted to others."""
        if digests != self.unreadable:
            write_private(self.folder / UNREADABLE, json.dumps(sorted(digests)).encode())

    def shelf(self, name: str) -> Shelf:
        """Return where the versions of a list are; ``lists.trust`` has checked its name."""
        return Shelf(self.folder / SHELVES / name)

    def shelves(self) -> Iterator[Shelf]:
        """Yield those of all its lists, by name."""
        folder = self.folder / SHELVES
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            yield Shelf(path)

    def lists_beside(self, name: str) -> frozenset[str]:
        """Return all lists of the authority that one belongs to, as its owners signed last.

        Raises:
            TrustError: What they signed is damaged here.
        """
        from protech.lists.repository.files import lists_beside  # tuf: a tenth of a second

        return lists_beside(self.metadata / "targets.json", name)

    def begin(self, root: bytes) -> None:
        """Make the directory, empty of what an earlier sync was downloading.

        Raises:
            ConfigError: It cannot be made.
            TrustError: It is open to others.
        """
        private_directory(self.folder)
        if not (self.folder / ROOT).exists():
            write_private(self.folder / ROOT, root)
        shutil.rmtree(self.coming, ignore_errors=True)
        for folder in (self.metadata, self._later_roots, self.coming, self.folder / SHELVES):
            private_directory(folder)

    def keep(self) -> None:
        """Remember the repository: it has proved itself."""
        record = {"v": FORMAT_VERSION, "address": self.address, "uses": sorted(self.uses)}
        write_private(self.folder / RECORD, json.dumps(record, indent=1).encode())

    def knows(self, root: bytes) -> bool:
        """Whether it has ever trusted this root of trust: the pinned one or a later one."""
        return id_of(root) == self.folder.name or any(
            path.read_bytes() == root for path in self._later_roots.glob("*.root.json")
        )


def id_of(root: bytes) -> str:
    """Return the name of the directory of a repository, from its first root of trust."""
    return hashlib.sha256(root).hexdigest()[:ID_CHARACTERS]


def read_pinned(folder: Path) -> Pinned | None:
    """Return the repository in a directory; None where it has never proved itself.

    Raises:
        TrustError: Its record is damaged.
    """
    content = _read(folder / RECORD)
    if content is None:
        return None
    try:
        record = json.loads(content)
        if record["v"] != FORMAT_VERSION:
            raise ValueError
        return Pinned(
            folder=folder,
            address=str(record["address"]),
            uses=frozenset(Use(use) for use in record["uses"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as wrong:
        raise TrustError(
            f"What is in {folder} was damaged, or written by a newer Protech; remove this"
            " directory, and sync with --root again."
        ) from wrong


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as refused:
        raise ConfigError(
            f"{path} cannot be read: {refused.strerror}; make it yours."
        ) from refused
