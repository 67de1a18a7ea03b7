"""What this device keeps: the lists of the repositories that it trusts, and its own key.

Everything stands below one directory of this user alone (0700, files 0600). ``lists.sync``
fills it and is the only one that writes, in its turn; whoever scans only reads.
"""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from protech.errors import ConfigError, SourceError, TrustError
from protech.lists.entries import Use
from protech.lists.locked import locked_file
from protech.lists.pinned import RECORD, Pinned, id_of, read_pinned
from protech.lists.seal import unseal
from protech.lists.shelf import HeldList
from protech.lists.trust import NAME, TargetKind, check_use
from protech.settings import Places, private_directory

FOLDER = "lists"
KEY = "device.key"
LOCK = "lock"
REPOSITORIES = "repositories"

CHUNK_BYTES = 1 << 20

ATTEMPTS = 3
"""A sync may take a version away between the look for it and its opening."""


class DeviceLists:
    """The lists of one user's device; any number of processes may read it."""

    def __init__(self, folder: Path) -> None:
        """Name its directory; nothing is read or made yet."""
        self.folder = folder

    @classmethod
    def of_user(cls) -> "DeviceLists":
        """Return those of the user who runs this process."""
        return cls(Places.of_user().state / FOLDER)

    @contextmanager
    def turn(self, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the right to change what is here; wait while another process holds it.

        Raises:
            ConfigError: The directory cannot be made.
            TrustError: It is open to others.
        """
        with self._lock() as descriptor:
            if not _is_free(descriptor):
                if on_wait is not None:
                    on_wait()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _lock(self) -> Iterator[int]:
        private_directory(self.folder)
        private_directory(self.folder / REPOSITORIES)
        descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @property
    def key(self) -> Path:
        """Where this device's own key stands; `protech lists keys device` makes it."""
        return self.folder / KEY

    def identity(self) -> str:
        """Return the secret that lists for this device are encrypted to.

        Raises:
            ConfigError: There is none yet, or it cannot be read.
            TrustError: Others can read it, or it is damaged.
        """
        from protech.lists.keys import device_identity  # a tenth of a second; scans need none

        return device_identity(self.key)

    def repositories(self) -> list[Pinned]:
        """Return the repositories that this device trusts.

        Raises:
            TrustError: The record of one is damaged.
        """
        folder = self.folder / REPOSITORIES
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        return [pinned for pinned in map(read_pinned, found) if pinned is not None]

    def new_repository(self, root: bytes, address: str, uses: frozenset[Use]) -> Pinned:
        """Return a repository to be proved, with its place here; hold the turn."""
        return Pinned(
            folder=self.folder / REPOSITORIES / id_of(root), address=address, uses=uses
        )

    def forget(self, pinned: Pinned) -> None:
        """Delete a repository and its lists; hold the turn."""
        (pinned.folder / RECORD).unlink(missing_ok=True)  # a kill leaves what ``sweep`` takes
        shutil.rmtree(pinned.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what a first sync that was killed left behind; hold the turn."""
        for folder in (self.folder / REPOSITORIES).iterdir():
            if read_pinned(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)

    def lists(
        self, use: Use | None = None, *, kind: TargetKind = TargetKind.FULL
    ) -> tuple[HeldList, ...]:
        """Return the current version of every list that may be used so, by name.

        Raises:
            TrustError: A record is damaged.
        """
        held = (shelf.current() for pinned in self.repositories() for shelf in pinned.shelves())
        fitting = (
            one
            for one in held
            if one is not None
            and one.target.kind is kind
            and (use is None or use in one.target.uses)
        )
        return tuple(sorted(fitting, key=lambda one: one.name))

    def find(
        self, name: str, use: Use | None = None, *, kind: TargetKind = TargetKind.FULL
    ) -> HeldList:
        """Return the current version of one list; those beside it are not looked at.

        Raises:
            SourceError: There is no such list here.
            TrustError: It does not allow this use, or its record is damaged.
        """
        for pinned in self.repositories() if NAME.fullmatch(name) else ():
            held = pinned.shelf(name).current()
            if held is not None and held.target.kind is kind:
                if use is not None:
                    check_use(held.target, use)
                return held
        raise SourceError(
            f"There is no list {name!r} on this device; `protech lists sync` brings those that"
            " are for it."
        )

    def has(self, name: str, *, kind: TargetKind = TargetKind.FULL) -> bool:
        """Return whether there is such a list here, whatever it may be used for.

        Raises:
            TrustError: Its record is damaged.
        """
        try:
            self.find(name, kind=kind)
        except SourceError:
            return False
        return True

    def lists_beside(self, held: HeldList) -> frozenset[str]:
        """Return the names of all lists of the authority that a list is of.

        Raises:
            TrustError: A record is damaged.
        """
        for pinned in self.repositories():
            if pinned.folder in held.path.parents:
                return pinned.lists_beside(held.name)
        return frozenset()

    @contextmanager
    def opened(
        self, name: str, use: Use | None = None, *, kind: TargetKind = TargetKind.FULL
    ) -> Iterator[tuple[HeldList, int]]:
        """Give a list and the descriptor of its plain content, whose digest was checked.

        A sealed list is decrypted into locked memory and gone when the ``with`` ends; any other
        one is its file.

        Raises:
            SourceError, TrustError: As ``find``; or the file is damaged.
            ConfigError: It cannot be read, or the memory for a sealed list not be locked.
        """
        held, descriptor = self._open(name, use, kind)
        try:
            if not held.target.is_sealed:
                check_digest(descriptor, held)
                yield held, descriptor
                return
            with locked_file(held.target.size_bytes) as plain:
                unsealed(held, descriptor, plain, self.identity())
                yield held, plain
        finally:
            os.close(descriptor)

    def _open(self, name: str, use: Use | None, kind: TargetKind) -> tuple[HeldList, int]:
        for _ in range(ATTEMPTS):
            held = self.find(name, use, kind=kind)
            try:
                return held, os.open(held.path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as refused:
                if refused.errno != errno.ENOENT:
                    raise ConfigError(
                        f"The list {name} cannot be read: {refused.strerror}; make its file"
                        " yours."
                    ) from refused
        raise _damaged(name)

    def settle(self, held: HeldList) -> None:
        """Let go of the version before ``held``, which is in use now.

        Nobody waits for a sync here: whoever opens the list next does it then.

        Raises:
            ConfigError: The directory cannot be written to.
        """
        with self._lock() as descriptor:
            for pinned in self.repositories() if _is_free(descriptor) else ():
                shelf = pinned.shelf(held.name)
                if shelf.current() == held:
                    shelf.settle()


def _is_free(descriptor: int) -> bool:
    """Take the lock and return True, unless another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unsealed(held: HeldList, sealed: int, plain: int, identity: str) -> None:
    """Decrypt a sealed list from one descriptor into the other, and check its digest.

    Raises:
        TrustError: It is not for this identity, or damaged.
    """
    with os.fdopen(os.dup(sealed), "rb") as source, os.fdopen(os.dup(plain), "wb") as out:
        source.seek(0)
        unseal(source, out, identity)
    check_digest(plain, held)


def check_digest(descriptor: int, held: HeldList) -> None:
    """Check that a plain list is what its authority signed.

    Raises:
        TrustError: It is not.
    """
    digest = hashlib.sha256()
    at = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, at):
        digest.update(chunk)
        at += len(chunk)
    if at != held.target.size_bytes or digest.digest() != held.target.sha256:
        raise _damaged(held.name)


def _damaged(name: str) -> TrustError:
    return TrustError(
        f"The list {name} was damaged on this device; take it again with `protech lists sync`."
    )
