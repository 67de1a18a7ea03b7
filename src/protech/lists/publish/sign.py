"""What people look at before they sign, and their signatures.

Needs the folder of what is staged and nothing else of the repository, so it can be carried to
the machine that holds the key, from one person to the next, and back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from protech.errors import TrustError
from protech.lists.logbook import put_file
from protech.lists.repository.documents import ROOT, TARGETS, Documents, Progress
from protech.lists.root import RoleKeys, RootExtension
from protech.lists.trust import ListTarget
from protech.signing import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One document that waits for signatures, as who signs it needs to see it."""

    progress: Progress
    roles: Mapping[str, RoleKeys]
    """Who will sign for which role, where the document says so."""
    lists: Mapping[str, tuple[str, ...]]
    """Which lists are given to which authority."""
    pinned: RootExtension | None
    """The log and its witnesses, where the document pins them."""
    targets: tuple[ListTarget, ...]
    """What is offered."""
    payload: bytes = field(repr=False)
    """What is signed of it, byte for byte."""


def papers(folder: Path) -> list[Paper]:
    """Return what waits for signatures in the folder of what is staged.

    Raises:
        TrustError: There is nothing, it is damaged, or it breaks a rule.
    """
    return _papers(_read(folder))


def sign(folder: Path, key: Key, shown: Iterable[Paper]) -> list[Progress]:
    """Sign what waits for a key, and return how far these documents have come.

    Args:
        folder: What is staged.
        key: A person's.
        shown: What that person has looked at; nothing else is signed.

    Raises:
        TrustError: Nothing waits for it, what is staged is damaged, breaks a rule, or is not
            what was shown any more.
        ConfigError: The folder cannot be written to.
    """
    documents = _read(folder)
    seen = {paper.progress.role: paper.payload for paper in shown}
    if any(seen.get(one.progress.role) != one.payload for one in _papers(documents)):
        raise TrustError(
            f"What waits in {folder} was changed after it was shown, so nothing was signed; run"
            " the same again, and look at it anew."
        )
    signed = documents.sign(key)
    names = {f"{one.version}.{one.role}.json" for one in signed}
    for name, content in documents.files():
        if name in names:
            put_file(folder / name, content)
    return signed


def _read(folder: Path) -> Documents:
    if not any(folder.glob("*.*.json")):
        raise TrustError(
            f"Nothing in {folder} waits for signatures; name the folder `staged` of a"
            " repository, or its copy."
        )
    documents = Documents.read(folder)
    documents.check_rules()
    return documents


def _papers(documents: Documents) -> list[Paper]:
    return [_paper(documents, one) for one in documents.progress() if not one.is_complete]


def _paper(documents: Documents, progress: Progress) -> Paper:
    authorities = documents.delegated
    roles = documents.role_keys()
    if progress.role == ROOT:
        shown = {name: role for name, role in roles.items() if name not in authorities}
    elif progress.role == TARGETS:
        shown = {name: role for name, role in roles.items() if name in authorities}
    else:
        shown = {}
    lists = {
        name: tuple(path.removesuffix(".*") for path in role.paths or ())
        for name, role in authorities.items()
    }
    is_authority = progress.role in authorities
    return Paper(
        progress=progress,
        roles=shown,
        lists=lists if progress.role == TARGETS else {},
        pinned=documents.extension if progress.role == ROOT else None,
        targets=tuple(documents.targets_of(progress.role)) if is_authority else (),
        payload=dict(documents.each())[progress.role].signed_bytes,
    )
