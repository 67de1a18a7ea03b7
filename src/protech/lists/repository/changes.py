"""Changes to what people sign: each makes the next version, which nobody has signed yet."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    Role,
    Root,
    TargetFile,
    Targets,
)

from protech.errors import TrustError
from protech.lists.keys import PublicKey, key_id, tuf_key
from protech.lists.repository.documents import ROOT, TARGETS, Documents
from protech.lists.root import (
    EXTENSION,
    ONLINE_ROLES,
    RootExtension,
    build_extension,
)
from protech.lists.trust import ListTarget, custom_of

OWNERS_SIGN_FOR = timedelta(days=365)
"""Root and targets: signed rarely, with keys that come out of a safe."""

AUTHORITY_SIGNS_FOR = timedelta(days=180)
"""Lists: an authority that has been silent for half a year has to say that it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """The people of a role, and how many of them must sign."""

    keys: tuple[PublicKey, ...]
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ciphertext:
    """An encrypted target: its size, and its SHA-256 in hex."""

    target: ListTarget
    size_bytes: int
    sha256: str = field(repr=False)

    @property
    def name(self) -> str:
        """What it is served as (consistent snapshots, TUF 1.0.31 section 6.2)."""
        return f"{self.sha256}.{self.target.path}"


class Change:
    """Documents on their way to the next version of some; ``check_rules`` says if it may be."""

    def __init__(
        self, documents: Documents, published: Mapping[str, int], now: datetime
    ) -> None:
        """Take documents, changed or not, and which versions of them are published."""
        self.documents = documents
        self._published = published
        self._now = now

    @classmethod
    def first(
        cls, owners: Signers, server: PublicKey, extension: RootExtension, now: datetime
    ) -> "Change":
        """Begin a repository that has no authority yet."""
        root = Root(consistent_snapshot=True)
        targets = Targets(delegations=Delegations({}, {}))
        change = cls(Documents(Metadata(root), Metadata(targets), {}), {}, now)
        change.owners(owners)
        change.server(server)
        change.extension(extension)
        return change

    def owners(self, owners: Signers) -> None:
        """Let these people sign the root and say which lists belong to whom."""
        for role in (ROOT, TARGETS):
            self._touch(role)
            self._keys_of(role, owners)

    def server(self, server: PublicKey) -> None:
        """Let this key sign what is newest."""
        self._touch(ROOT)
        for role in sorted(ONLINE_ROLES):
            self._keys_of(role, Signers(keys=(server,), threshold=1))

    def extension(self, extension: RootExtension) -> None:
        """Pin a log and its witnesses."""
        self._touch(ROOT)
        fields = self.documents.root.signed.unrecognized_fields
        fields[EXTENSION] = build_extension(extension)

    def authority(self, name: str, signers: Signers) -> None:
        """Let these people sign an authority's lists; it is new, or its people change."""
        self.documents.authorities.setdefault(name, Metadata(Targets()))
        self._touch(TARGETS)
        self._touch(name)
        delegations = self._delegations()
        before = self.documents.delegated.get(name)
        paths = list(before.paths or ()) if before else []
        ids = [key_id(key.public) for key in signers.keys]
        role = DelegatedRole(name, ids, signers.threshold, terminating=True, paths=paths)
        delegations.roles = {**(delegations.roles or {}), name: role}
        given = {key_id(key.public): tuf_key(key.public) for key in signers.keys}
        used = {id_ for one in delegations.roles.values() for id_ in one.keyids}
        keys = delegations.keys | given
        delegations.keys = {id_: key for id_, key in keys.items() if id_ in used}

    def lists(self, authority: str, names: Iterable[str]) -> None:
        """Give lists to an authority.

        Raises:
            TrustError: There is no such authority, or a list is somebody's already.
        """
        role = self.documents.delegated.get(authority)
        if role is None:
            raise TrustError(f"There is no authority {authority!r} here; name its people, too.")
        given = [f"{name}.*" for name in dict.fromkeys(names)]
        taken = {path for one in self.documents.delegated.values() for path in one.paths or ()}
        if both := sorted(set(given) & taken):
            raise TrustError(f"The list {both[0].removesuffix('.*')} is somebody's already.")
        self._touch(TARGETS)
        role.paths = [*(role.paths or ()), *given]

    def targets(self, list_name: str, files: Iterable[Ciphertext]) -> None:
        """Offer these files of a list, and no others."""
        authority = self.documents.authority_of(list_name)
        offered = self.documents.offered(list_name)
        self._touch(authority)
        targets = self.documents.authorities[authority].signed.targets
        for target in offered:
            del targets[target.path]
        for file in files:
            path = file.target.path
            custom = {"custom": custom_of(file.target)}
            targets[path] = TargetFile(file.size_bytes, {"sha256": file.sha256}, path, custom)

    def renew(self, role: str) -> None:
        """Let a document be signed again, for the next while."""
        self._touch(role)

    def _delegations(self) -> Delegations:
        signed = self.documents.targets.signed
        if signed.delegations is None:
            signed.delegations = Delegations({}, {})
        return signed.delegations

    def _keys_of(self, role: str, signers: Signers) -> None:
        root = self.documents.root.signed
        for id_ in list(root.roles[role].keyids):
            root.revoke_key(id_, role)
        root.roles[role] = Role([], signers.threshold)
        for key in signers.keys:
            root.add_key(tuf_key(key.public), role)

    def _touch(self, role: str) -> None:
        """Make the next version of a document; one that is not published yet stays the next."""
        documents = self.documents
        document = dict(documents.each())[role]
        published = self._published.get(role, 0)
        if role == ROOT and documents.root.signed.version == published:
            documents.former = deepcopy(documents.root)
        document.signatures.clear()
        document.signed.version = published + 1
        lasts = OWNERS_SIGN_FOR if role in {ROOT, TARGETS} else AUTHORITY_SIGNS_FOR
        document.signed.expires = self._now + lasts
