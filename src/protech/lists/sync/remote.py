"""A repository as TUF shows it: signed metadata that held, its targets, its log's files.

python-tuf checks signatures, thresholds, versions, expiry, lengths and hashes; what
``lists.root`` and ``lists.trust`` ask for on top is checked here before anything is used.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    SlowRetrievalError,
    UnsignedMetadataError,
)
from tuf.api.metadata import (
    DelegatedRole,
    Key,
    Metadata,
    Role,
    Root,
    Snapshot,
    Targets,
    Timestamp,
)
from tuf.api.metadata import TargetFile as SignedFile
from tuf.ngclient import Updater

from protech.errors import ConfigError, ProtechError, SourceError, TrustError
from protech.lists.root import (
    EXTENSION,
    RoleKeys,
    RootExtension,
    check_delegation,
    check_roles,
    parse_extension,
)
from protech.lists.sync.fetch import Fetcher, Redirected
from protech.lists.trust import ListTarget, parse_target

AUTHORITIES = 256
"""Delegated roles that a repository may have."""

PROBE = "probe"
"""Stands for any target of a list: looking for it makes python-tuf load the role."""

PRIVATE_FILE = 0o600

MESSAGES = {
    ExpiredMetadataError: "The repository's signed metadata has expired: its authority has"
    " stopped signing, or someone holds back what is new. Check this device's clock; the lists"
    " that are here stay in use, and become stale.",
    UnsignedMetadataError: "The repository's metadata is not signed by enough of the keys that"
    " this device trusts. Nothing of it is used; tell its authority.",
    BadVersionNumberError: "The repository serves metadata that is older than what this device"
    " has seen, or that does not fit together. Nothing of it is used; tell its authority.",
    LengthOrHashMismatchError: "A file of the repository is not the one that was signed."
    " Nothing of it is used; try again later, and where it stays so, tell its authority.",
    DownloadLengthMismatchError: "A file of the repository is longer than it may be. Nothing of"
    " it is used; tell its authority.",
    RepositoryError: "What answers is not the repository that this device trusts: its metadata"
    " cannot be read, or contradicts itself. A sign-in page of the network may stand before it;"
    " otherwise tell its authority.",
}
UNREACHABLE = {
    SlowRetrievalError: "The repository's server answered too slowly and was given up; try"
    " again later. The lists that are here stay in use.",
    Redirected: "The repository's server sends us to another address, which is not followed;"
    " ask its authority where the repository is.",
    DownloadHTTPError: "The repository's server does not give a file that belongs to it; check"
    " the address, and where it is right tell the server's operator.",
    DownloadError: "The repository cannot be reached, or the connection broke; try again later."
    " The lists that are here stay in use.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A target that its authority offers: what it says of itself, and the file as signed."""

    target: ListTarget
    file: SignedFile = field(repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256 of the encrypted file, in hex."""
        return self.file.hashes.get("sha256", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """What the newest root of trust says, and until when the newest timestamp speaks."""

    extension: RootExtension
    version: int
    fresh_until: datetime


class Remote:
    """One repository during one sync."""

    def __init__(
        self, *, metadata: Path, coming: Path, address: str, root: bytes, fetcher: Fetcher
    ) -> None:
        """Take what is pinned.

        Raises:
            TrustError: The root of trust is none.
        """
        self._metadata = metadata
        self._coming = coming
        self._address = address
        self._fetcher = fetcher
        with explained():
            try:
                self._updater = Updater(
                    metadata_dir=str(metadata),
                    metadata_base_url=f"{address}metadata/",
                    target_dir=str(coming),
                    target_base_url=f"{address}targets/",
                    fetcher=fetcher,
                    bootstrap=root,
                )
            except RepositoryError:
                raise TrustError(
                    "The root of trust is none, or is not signed by enough of its own keys; get"
                    " it again from the authority, and compare its SHA-256 by telephone."
                ) from None

    def refresh(self) -> Pins:
        """Bring root, timestamp, snapshot and targets up to date; return what they pin.

        Raises:
            TrustError: They do not hold, or ask for less than they must.
            SourceError: They cannot be had.
            ConfigError: They cannot be written here.
        """
        with explained():
            self._updater.refresh()
            root = self._read(Root)
            timestamp = self._read(Timestamp)
        check_roles(_signers(root, self._read(Targets)))
        return Pins(
            extension=parse_extension(root.unrecognized_fields.get(EXTENSION)),
            version=root.version,
            fresh_until=timestamp.expires,
        )

    def signers(self) -> Mapping[str, RoleKeys]:
        """Return who signs what, by role; ``refresh`` comes first."""
        return _signers(self._read(Root), self._read(Targets))

    def expiries(self) -> Mapping[str, datetime]:
        """Return until when each of the four roles was signed; ``refresh`` comes first."""
        return {
            Root.type: self._read(Root).expires,
            Targets.type: self._read(Targets).expires,
            Snapshot.type: self._read(Snapshot).expires,
            Timestamp.type: self._read(Timestamp).expires,
        }

    def delegations(self) -> Mapping[str, DelegatedRole]:
        """Return the authorities' roles by name; ``refresh`` comes first."""
        delegations = self._read(Targets).delegations
        return (delegations.roles if delegations is not None else None) or {}

    def offers(self, authority: DelegatedRole) -> list[Offer]:
        """Return what an authority offers, as TUF resolves each name.

        Raises:
            TrustError, SourceError, ConfigError: As ``refresh``.
        """
        with explained():
            for pattern in authority.paths or ():
                self._updater.get_targetinfo(pattern.replace("*", PROBE))
            targets = self._read(Targets, authority.name)
            if targets.delegations is not None:
                raise TrustError(
                    f"The authority {authority.name} delegates to others, which it may not;"
                    " tell the repository's owners."
                )
            names = [name for name in targets.targets if authority.is_delegated_path(name)]
            files = [self._updater.get_targetinfo(name) for name in names]
        return [
            Offer(target=parse_target(file.custom, path=file.path), file=file)
            for file in files
            if file is not None
        ]

    @contextmanager
    def downloaded(self, offer: Offer) -> Iterator[Path]:
        """Give the encrypted file of an offer; its length and hash are those that were signed.

        Raises:
            TrustError, SourceError, ConfigError: As ``refresh``.
        """
        path = self._coming / "target"
        try:
            with explained():
                self._updater.download_target(offer.file, str(path))
                path.chmod(PRIVATE_FILE)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def file(self, name: str, *, most_bytes: int) -> bytes:
        """Return a file that TUF does not sign, such as the log's.

        Raises:
            SourceError: It cannot be had.
            TrustError: It is longer than it may be.
        """
        with explained():
            return self._fetcher.download_bytes(f"{self._address}{name}", most_bytes)

    def _read[T: (Root, Timestamp, Snapshot, Targets)](
        self, kind: type[T], name: str = ""
    ) -> T:
        """Return metadata that python-tuf has checked and put where only this user writes."""
        path = self._metadata / f"{name or kind.type}.json"
        return Metadata[T].from_file(str(path)).signed


@contextmanager
def explained() -> Iterator[None]:
    """Turn what python-tuf raises into what a person can act on; its texts name addresses."""
    try:
        yield
    except ProtechError:
        raise
    except (RepositoryError, DownloadLengthMismatchError) as wrong:
        raise TrustError(_message(MESSAGES, wrong)) from None
    except DownloadError as failed:
        raise SourceError(_message(UNREACHABLE, failed)) from None
    except OSError as refused:
        raise ConfigError(
            f"What was downloaded cannot be written: {refused.strerror}; make room. The lists"
            " that are here stay in use."
        ) from refused


def _message(messages: Mapping[type[Exception], str], error: Exception) -> str:
    return next(text for kind, text in messages.items() if isinstance(error, kind))


def _signers(root: Root, targets: Targets) -> dict[str, RoleKeys]:
    """Return who signs the four roles, and the authorities' that targets delegates to."""
    signers = {name: _role_keys(role, root.keys) for name, role in root.roles.items()}
    if targets.targets:
        raise TrustError("The repository's targets hold lists; only authorities publish them.")
    if targets.delegations is not None:
        roles = targets.delegations.roles
        if roles is None or len(roles) > AUTHORITIES:
            raise TrustError(
                f"The repository does not delegate to at most {AUTHORITIES} named authorities;"
                " its owners must publish it again."
            )
        for role in roles.values():
            check_delegation(role.name, role.paths, is_terminating=role.terminating)
            signers[role.name] = _role_keys(role, targets.delegations.keys)
    return signers


def _role_keys(role: Role, keys: Mapping[str, Key]) -> RoleKeys:
    return RoleKeys(
        threshold=role.threshold,
        keys={keyid: str(keys[keyid].keyval["public"]) for keyid in role.keyids},
    )
