"""Known lists opened by what a person calls them: the name of a synced list, or a file.

The synced list comes first: a file that somebody put into the directory that is scanned must
not take the place of an authority's list. A file of the same name is meant by ``./NAME``.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protech.errors import ConfigError, ListFormatError, SourceError, TrustError
from protech.lists.clock import Clock, utc_now
from protech.lists.confined import unchanged
from protech.lists.device import DeviceLists
from protech.lists.entries import Use
from protech.lists.exceptions import Exceptions, open_exceptions, pinned_keys, refuse_guard
from protech.lists.formats import circl
from protech.lists.formats.circl import Bloom
from protech.lists.indexes import index_of
from protech.lists.known_list import KnownList
from protech.lists.reader import reading
from protech.lists.synced import SyncedList
from protech.lists.trust import NAME, TargetKind
from protech.settings import Places, read_settings

CHUNK_BYTES = 1 << 20

OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

OpenList = KnownList | SyncedList | Bloom


def open_list(
    source: str | os.PathLike[str],
    *,
    use: str | None = None,
    cache: Path | None = None,
    clock: Clock = utc_now,
    device: DeviceLists | None = None,
) -> OpenList:
    """Open a known list, indexing it where that has not been done.

    Args:
        source: A list as ``protech lists make`` or ``import`` writes it, CIRCL's filter of
            harmless files, or the name of a list that ``protech lists sync`` brought here,
            which comes before a file of that name.
        use: What it is to be used for; None only to look at it.
        cache: Where indexes live; None takes the user's cache directory.
        clock: Tells whether it has expired.
        device: Where synced lists are kept; None takes the user's own.

    Raises:
        SourceError: There is no such file or list, or it cannot be read.
        ListFormatError: It is no list, or was cut.
        TrustError: It does not allow this use, or was damaged.
        SandboxError: The kernel does not let its reader be locked.
        ConfigError: The index cannot be written, or memory not be locked.
    """
    path = Path(source)
    if is_synced(source, device=device):
        return SyncedList(str(source), use=use, device=device, cache=cache, clock=clock)
    with opened_file(path) as descriptor:
        if circl.matches(os.pread(descriptor, circl.HEADER.size, 0)):
            return Bloom.open(path)
        require_same = unchanged(descriptor)
        index = index_of(
            descriptor, sha256=_sha256(descriptor), cache=cache, require_same=require_same
        )
    known = KnownList(index, clock=clock)
    known.check_use(use)
    return known


def open_exception_list(
    source: str | os.PathLike[str],
    *,
    application: str,
    clock: Clock = utc_now,
    device: DeviceLists | None = None,
) -> Exceptions:
    """Open a signed exception list: a file, or one that ``protech lists sync`` brought here.

    Args:
        source: A file with its signature beside it, or a name; the name comes first.
        application: Which one uses it, as ``PolicySettings.name`` says.
        clock: Tells what has expired.
        device: Where synced lists are kept; None takes the user's own.

    Raises:
        ConfigError: It is for a guarded person's device, or cannot be read.
        SourceError: There is no such file or list.
        TrustError: It is not signed by a key that the settings pin, or not for this use.
        ListFormatError: It is no exception list.
    """
    refuse_guard(application)
    path = Path(source)
    kind = TargetKind.EXCEPTIONS
    if not is_synced(source, device=device, kind=kind):
        keys = pinned_keys(read_settings(Places.of_user().settings_file))
        return open_exceptions(path, application=application, keys=keys, clock=clock)
    device = device or DeviceLists.of_user()
    with device.opened(str(source), Use(application), kind=kind) as (held, descriptor):
        content = os.pread(descriptor, held.target.size_bytes, 0)
    exceptions = Exceptions(content, application=application, clock=clock)
    if exceptions.header.lists - device.lists_beside(held):
        raise TrustError(
            f"The exceptions {held.name} would silence lists of others than the authority that"
            " publishes them. They silence nothing; leave them out, and tell their authority."
        )
    return exceptions


def is_synced(
    source: str | os.PathLike[str],
    *,
    device: DeviceLists | None = None,
    kind: TargetKind = TargetKind.FULL,
) -> bool:
    """Return whether a synced list is meant: one has this name, or no file has it either.

    Raises:
        TrustError: The record of a list is damaged.
    """
    if not is_name(source):
        return False
    device = device or DeviceLists.of_user()
    return device.has(os.fspath(source), kind=kind) or not Path(source).exists()


def is_name(source: str | os.PathLike[str]) -> bool:
    """Return whether this may be the name of a synced list: a path of one part."""
    return NAME.fullmatch(os.fspath(source)) is not None


@contextmanager
def opened_file(path: Path) -> Iterator[int]:
    """Give a descriptor of a list, and see to it that it stayed the same meanwhile."""
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except OSError as refused:
        raise SourceError(
            f"The known list {path} cannot be opened: {refused.strerror}; check its path, or"
            " bring lists here with `protech lists sync`."
        ) from refused
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SourceError(f"The known list {path} is not a file; name the list itself.")
        require_same = unchanged(descriptor)
        yield descriptor
        require_same()
    finally:
        os.close(descriptor)


def _sha256(descriptor: int) -> bytes:
    digest = hashlib.sha256()
    at = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, at):
        digest.update(chunk)
        at += len(chunk)
    return digest.digest()


def version_at(path: Path) -> int:
    """Return the version of the list that stands at ``path``; 0 where nothing stands there.

    Raises:
        ConfigError: Something else stands there, which must not be lost.
    """
    try:
        path.stat()
        with opened_file(path) as descriptor, reading(descriptor) as (header, _):
            return header.version
    except FileNotFoundError:
        return 0
    except (OSError, ListFormatError, SourceError) as other:
        raise ConfigError(
            f"{path} is there and is no list, so it is not replaced; name another place"
            " with --out, or remove it first."
        ) from other
