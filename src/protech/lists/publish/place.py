"""Where an authority keeps a repository: what is served, what waits, what is secret.

public/    served by any static web server: metadata/, targets/, log/
staged/    the next documents, waiting for signatures, and their ciphertexts; without these it
           is small, and all that signers and witnesses need
private/   plain lists and who receives them; 0700
keys/      the server's key and the log's; people's keys are elsewhere, offline
"""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from protech.errors import ConfigError, TrustError
from protech.lists.log import CHECKPOINT, ENTRIES
from protech.lists.logbook import put_file
from protech.lists.repository.changes import Change
from protech.lists.repository.documents import ROOT, TARGETS, Documents
from protech.lists.repository.files import newest_version
from protech.lists.repository.server import Published, published
from protech.lists.seal import check_recipient
from protech.settings import private_directory, write_private

DOCUMENTS = "*.*.json"

RECIPIENTS_FILE = "recipients.json"

NEW = ".new-"
"""What is being written; it is of no use after a kill, and the next that comes deletes it."""


@contextmanager
def new_file(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Give a file of this user alone to write, which is moved to its place within the ``with``.

    Raises:
        ConfigError: There is no room.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=NEW)
        try:
            with os.fdopen(descriptor, "wb") as out:
                yield out, Path(name)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as refused:
        raise ConfigError(
            f"What was being made cannot be read or written in {folder}: {refused.strerror};"
            " make room, or restore the copy of the repository."
        ) from refused


def settle(out: BinaryIO) -> None:
    """See to it that a power cut does not undo what was written."""
    out.flush()
    os.fsync(out.fileno())


class Repository:
    """The directory of a repository."""

    def __init__(self, place: Path) -> None:
        """Name it; ``publish.setup.new`` makes it."""
        self.place = place
        self.metadata = place / "public" / "metadata"
        self.targets = place / "public" / "targets"
        self.log = place / "public" / "log"
        self.staged = place / "staged"
        self.staged_targets = self.staged / "targets"
        self.checkpoint = self.staged / CHECKPOINT
        self.log_copy = (self.checkpoint, self.staged / ENTRIES)
        self.private = place / "private"
        self.server_key = place / "keys" / "server.key"
        self.log_key = place / "keys" / "log.key"

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until no other process changes this repository.

        Raises:
            ConfigError: There is none.
        """
        try:
            descriptor = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as refused:
            raise ConfigError(
                f"There is no repository at {self.place}: {refused.strerror}; make one with"
                " `protech lists publish new`."
            ) from refused
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def published(self) -> Published | None:
        """Return what is served now; None where nothing was published yet."""
        return published(self.metadata)

    def versions(self) -> dict[str, int]:
        """Return the published version of each document, nothing before the first time."""
        now = self.published()
        if now is None:
            return {}
        return {**now.versions, ROOT: newest_version(self.metadata, ROOT)}

    def documents(self) -> Documents:
        """Return the next documents where some wait, else those that are served.

        Raises:
            TrustError: There are none, or one is damaged.
        """
        if self.is_staged:
            return Documents.read(self.staged)
        return self.served()

    def served(self) -> Documents:
        """Return the documents that are served.

        Raises:
            TrustError: Nothing was published yet, or a document is damaged.
        """
        return Documents.read(self.metadata, self.versions())

    @property
    def is_staged(self) -> bool:
        """Whether documents wait for signatures, or to be published."""
        return any(self.staged.glob(f"*.{TARGETS}.json"))

    def unstage(self) -> None:
        """Take away what waited: first the document that says that something does."""
        documents = sorted(self.staged.glob(DOCUMENTS), key=_comes_last)
        for path in [*documents, *self.log_copy]:
            path.unlink(missing_ok=True)

    def change(self, now: datetime) -> Change:
        """Begin a change to the next documents."""
        return Change(self.documents(), self.versions(), now)

    def stage(self, documents: Documents) -> None:
        """Keep documents until they are signed and published; delete those before them.

        Raises:
            TrustError: They break a rule.
            ConfigError: They cannot be written.
        """
        documents.check_rules()
        private_directory(self.staged)
        named = dict(documents.files())
        for name in sorted(named, key=lambda name: _comes_last(Path(name)), reverse=True):
            put_file(self.staged / name, named[name])
        for path in self.staged.glob(DOCUMENTS):
            if path.name not in named:
                path.unlink()
        wanted = documents.target_files()
        if self.staged_targets.exists():
            for path in self.staged_targets.iterdir():
                if path.name not in wanted:
                    path.unlink()

    def plain(self, list_name: str) -> Path:
        """Return the directory of a list's plain versions, 0700."""
        private_directory(self.private)
        folder = private_directory(self.private / list_name)
        for left in folder.glob(f"{NEW}*"):
            left.unlink(missing_ok=True)
        return folder

    def recipients(self, list_name: str) -> dict[str, str]:
        """Return who receives a list: devices' names and what it is encrypted to.

        Raises:
            TrustError: The file was damaged.
        """
        path = self._recipients(list_name)
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as wrong:
            raise TrustError(f"{path} is damaged; restore its copy.") from wrong
        return {str(name): str(text) for name, text in found.items()}

    def keep_recipients(self, list_name: str, recipients: Mapping[str, str]) -> None:
        """Write down who receives a list.

        Raises:
            TrustError: One is no recipient.
        """
        for text in recipients.values():
            check_recipient(text)
        content = json.dumps(dict(sorted(recipients.items())), indent=1).encode()
        self.plain(list_name)
        write_private(self._recipients(list_name), content)

    def _recipients(self, list_name: str) -> Path:
        return self.private / list_name / RECIPIENTS_FILE


def _comes_last(path: Path) -> bool:
    """Order documents: the targets are written last and deleted first, as they name others."""
    return not path.name.endswith(f".{TARGETS}.json")
