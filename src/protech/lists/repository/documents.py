"""The documents that people sign: who must sign what, and how far that has come.

The root says who signs, the targets say which lists belong to whom, and each authority's
document says which versions of its lists there are. Snapshot and timestamp, which the server
signs, stand in ``repository.server``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import (
    DelegatedRole,
    Metadata,
    Role,
    Root,
    TargetFile,
    Targets,
)

from protech.errors import TrustError
from protech.lists.keys import KeySigner, key_id
from protech.lists.repository.files import newest_version, read_document
from protech.lists.root import (
    EXTENSION,
    RoleKeys,
    RootExtension,
    check_delegation,
    check_roles,
    parse_extension,
)
from protech.lists.trust import ListTarget, newest, parse_target
from protech.signing import Key

ROOT, TARGETS = "root", "targets"

type Document = Metadata[Root] | Metadata[Targets]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the signing of one document has come; the ids are of keys that may sign it."""

    role: str
    version: int
    expires_at: datetime
    signed: tuple[str, ...]
    waiting: tuple[str, ...]
    missing: int

    @property
    def is_complete(self) -> bool:
        """Whether enough have signed."""
        return self.missing == 0


class Documents:
    """What people sign, one version of each; ``former`` is the root before this one."""

    def __init__(
        self,
        root: Metadata[Root],
        targets: Metadata[Targets],
        authorities: Mapping[str, Metadata[Targets]],
        former: Metadata[Root] | None = None,
    ) -> None:
        """Take the documents; ``read`` finds them, ``repository.changes`` makes them."""
        self.root = root
        self.targets = targets
        self.authorities = dict(authorities)
        self.former = former

    @classmethod
    def read(cls, folder: Path, versions: Mapping[str, int] | None = None) -> "Documents":
        """Return the documents in a folder, of these versions where given, else the newest.

        Raises:
            TrustError: One is missing, or is none.
        """

        def targets_of(role: str) -> Metadata[Targets]:
            version = (versions or {}).get(role) or newest_version(folder, role)
            return read_document(folder / f"{version}.{role}.json", Targets)

        at = newest_version(folder, ROOT)
        root = read_document(folder / f"{at}.{ROOT}.json", Root)
        before = folder / f"{at - 1}.{ROOT}.json"
        former = read_document(before, Root) if before.exists() else None
        targets = targets_of(TARGETS)
        authorities = {name: targets_of(name) for name in _delegated(targets)}
        return cls(root, targets, authorities, former)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the content of each document."""
        if self.former is not None:
            yield f"{self.former.signed.version}.{ROOT}.json", self.former.to_bytes()
        for role, document in self.each():
            yield f"{document.signed.version}.{role}.json", document.to_bytes()

    def each(self) -> Iterator[tuple[str, Document]]:
        """Yield each document with its role."""
        yield ROOT, self.root
        yield TARGETS, self.targets
        yield from self.authorities.items()

    def versions(self) -> dict[str, int]:
        """Return the version of each document by its role."""
        return {role: document.signed.version for role, document in self.each()}

    @property
    def extension(self) -> RootExtension:
        """The log and the witnesses that the root pins."""
        return parse_extension(self.root.signed.unrecognized_fields.get(EXTENSION))

    @property
    def delegated(self) -> Mapping[str, DelegatedRole]:
        """What each authority was given."""
        return _delegated(self.targets)

    def role_keys(self) -> dict[str, RoleKeys]:
        """Return who signs for each role."""
        root, targets = self.root.signed, self.targets.signed
        keys = {name: _role_keys(role, root) for name, role in root.roles.items()}
        return keys | {name: _role_keys(role, targets) for name, role in self.delegated.items()}

    def progress(self) -> list[Progress]:
        """Return for each document who has signed it, and how many must yet."""
        return [self._progress(role, document) for role, document in self.each()]

    def sign(self, key: Key) -> list[Progress]:
        """Sign whatever waits for this key; return how far these documents have come.

        Raises:
            TrustError: Nothing waits for it.
        """
        id_ = key_id(key.public)
        may = [one for one in self.progress() if id_ in one.signed + one.waiting]
        todo = {one.role for one in may if not one.is_complete and id_ in one.waiting}
        if not todo:
            raise TrustError(
                "Nothing waits for this key's signature any more; publish it, or let another"
                " person sign."
                if may
                else "This key may sign nothing here: no role names it. Take the key whose"
                " public half was given to the repository."
            )
        for role, document in self.each():
            if role in todo:
                document.sign(KeySigner(key), append=True)
        return [one for one in self.progress() if one.role in todo]

    def check(self, now: datetime) -> None:
        """Check that the documents keep the rules, and that enough people signed each.

        Raises:
            TrustError: They do not, or one has expired.
        """
        self.check_rules()
        for one in self.progress():
            if not one.is_complete:
                raise TrustError(
                    f"The document {one.role} {one.version} has {len(one.signed)} signatures"
                    f" and needs {one.missing} more: have others run `protech lists sign`."
                )
            if now >= one.expires_at:
                raise TrustError(
                    f"The document {one.role} {one.version} has expired; run `protech lists"
                    " publish renew`, have it signed, and publish again."
                )

    def check_rules(self) -> None:
        """Check who signs, what is given to whom, and what each target says of itself.

        Raises:
            TrustError: A rule is broken.
        """
        parse_extension(self.root.signed.unrecognized_fields.get(EXTENSION))
        check_roles(self.role_keys())
        for name, role in self.delegated.items():
            check_delegation(name, role.paths, is_terminating=role.terminating)
        if self.targets.signed.targets:
            raise TrustError("The document targets has lists of its own; only authorities may.")
        for name, document in self.authorities.items():
            if document.signed.delegations is not None:
                raise TrustError(f"The authority {name} passes its lists on; it may not.")
            for list_name in {target.name for target in self.targets_of(name)}:
                if self.authority_of(list_name) != name:
                    raise TrustError(f"The list {list_name} is not {name}'s to publish.")
                newest(self.offered(list_name))

    def authority_of(self, list_name: str) -> str:
        """Return who publishes a list.

        Raises:
            TrustError: It was given to nobody.
        """
        for name, role in self.delegated.items():
            if f"{list_name}.*" in (role.paths or ()):
                return name
        raise TrustError(
            f"The list {list_name!r} belongs to no authority here; the lists that do are"
            f" {', '.join(self.lists())}. Give it to one: `protech lists publish delegate`."
        )

    def targets_of(self, authority: str) -> list[ListTarget]:
        """Return all that an authority offers.

        Raises:
            TrustError: A target says what no list may say.
        """
        targets = self.authorities[authority].signed.targets
        return [parse_target(file.custom, path=path) for path, file in targets.items()]

    def offered(self, list_name: str) -> list[ListTarget]:
        """Return the targets of one list.

        Raises:
            TrustError: It was given to nobody, or one says what no list may say.
        """
        offered = self.targets_of(self.authority_of(list_name))
        return [target for target in offered if target.name == list_name]

    def target_files(self) -> dict[str, TargetFile]:
        """Return the files of all targets by the names that they are served under."""
        return {
            file.get_prefixed_paths()[0]: file
            for document in self.authorities.values()
            for file in document.signed.targets.values()
        }

    def lists(self) -> list[str]:
        """Return the names of all lists that an authority has been given."""
        paths = (path for role in self.delegated.values() for path in role.paths or ())
        return sorted(path.removesuffix(".*") for path in paths)

    def _progress(self, role: str, document: Document) -> Progress:
        payload, signatures = document.signed_bytes, document.signatures
        if role == ROOT:
            before = self.former.signed if self.former else None
            both = self.root.signed.get_root_verification_result(before, payload, signatures)
            missing = max(both.first.missing, both.second.missing)
            signed, unsigned = set(both.signed), set(both.unsigned)
        else:
            signer = self.root.signed if role == TARGETS else self.targets.signed
            result = signer.get_verification_result(role, payload, signatures)
            missing, signed, unsigned = result.missing, set(result.signed), set(result.unsigned)
        return Progress(
            role=role,
            version=document.signed.version,
            expires_at=document.signed.expires,
            signed=tuple(sorted(signed)),
            waiting=tuple(sorted(unsigned - signed)),
            missing=missing,
        )


def _delegated(targets: Metadata[Targets]) -> Mapping[str, DelegatedRole]:
    delegations = targets.signed.delegations
    return (delegations.roles if delegations else None) or {}


def _role_keys(role: Role, holder: Root | Targets) -> RoleKeys:
    keys = {id_: str(holder.get_key(id_).keyval.get("public")) for id_ in role.keyids}
    return RoleKeys(threshold=role.threshold, keys=keys)
