"""Signed documents as files: ``VERSION.ROLE.json``, read strictly and found by version."""

import re
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from protech.errors import TrustError

DOCUMENT_BYTES = 5_000_000
"""What python-tuf's client takes of a document of targets at most."""


def newest_version(folder: Path, role: str) -> int:
    """Return the newest version of a document in a folder.

    Raises:
        TrustError: There is none.
    """
    named = re.compile(rf"([1-9][0-9]{{0,9}})\.{re.escape(role)}\.json")
    found = (named.fullmatch(path.name) for path in folder.glob(f"*.{role}.json"))
    version = max((int(match[1]) for match in found if match), default=0)
    if not version:
        raise TrustError(
            f"There is no document {role} in {folder}; name the directory of a repository, as"
            " `protech lists publish new` made it."
        )
    return version


def read_document[T: (Root, Targets, Snapshot, Timestamp)](
    path: Path, kind: type[T]
) -> Metadata[T]:
    """Return the document in a file; its signatures are not looked at.

    Raises:
        TrustError: It cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            content = file.read(DOCUMENT_BYTES + 1)
        if len(content) > DOCUMENT_BYTES:
            raise TrustError(
                f"{path} is no document: it is larger than {DOCUMENT_BYTES} bytes."
            )
        document: Metadata[T] = Metadata.from_bytes(content)
    except OSError as refused:
        raise TrustError(
            f"{path} cannot be read: {refused.strerror}; restore the repository's copy."
        ) from refused
    except (DeserializationError, RepositoryError, RecursionError) as wrong:
        raise TrustError(
            f"{path} is no document of TUF; restore the repository's copy."
        ) from wrong
    if not isinstance(document.signed, kind):
        raise TrustError(f"{path} is a document of another kind than its name says.")
    return document


def lists_beside(path: Path, name: str) -> frozenset[str]:
    """Return all lists of the authority that a document of targets gives the list ``name`` to.

    Nothing, where it gives it to nobody.

    Raises:
        TrustError: It cannot be read, or is none.
    """
    delegations = read_document(path, Targets).signed.delegations
    for role in ((delegations and delegations.roles) or {}).values():
        lists = frozenset(pattern.removesuffix(".*") for pattern in role.paths or ())
        if name in lists:
            return lists
    return frozenset()
