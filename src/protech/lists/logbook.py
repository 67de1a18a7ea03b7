"""The files of the log in a repository, as its operator and its witnesses write them.

Each file is put in place whole. Leaves are never taken out, and what they said at the last
checkpoint is checked before another one is signed: a log that signs two histories is ruined.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from protech.errors import ConfigError, TrustError
from protech.lists.checkpoint import Checkpoint, signed, verify_log
from protech.lists.log import (
    CHECKPOINT,
    ENTRIES,
    LOG_BYTES,
    Leaf,
    lines,
    parse_leaf,
    verified,
)
from protech.lists.note import NOTE_BYTES, NoteKey, Sign, VerifySignature
from protech.merkle import leaf_hash, root
from protech.settings import replacing, settle

SERVED = 0o644
"""All of it is public; nothing in it tells what a list holds."""

Contents = dict[tuple[object, ...], tuple[object, ...]]


def read_leaves(directory: Path) -> list[bytes]:
    """Return the leaves in a log's directory, none where there is no log yet.

    Raises:
        TrustError: They are larger than they may be.
        ConfigError: They cannot be read.
    """
    return lines(read_file(directory / ENTRIES, most=LOG_BYTES) or b"")


def read_checkpoint(
    path: Path, *, log_key: NoteKey, verify_signature: VerifySignature
) -> Checkpoint | None:
    """Return the checkpoint in a file, signed by its log; None where there is no file.

    Raises:
        TrustError: It is none, or not signed by this log.
        ConfigError: It cannot be read.
    """
    content = read_file(path, most=NOTE_BYTES)
    if content is None:
        return None
    return verify_log(content, log_key=log_key, verify_signature=verify_signature)


def append(
    directory: Path,
    leaves: Iterable[Leaf],
    *,
    log_key: NoteKey,
    sign: Sign,
    verify_signature: VerifySignature,
    into: Path,
) -> Checkpoint:
    """Add leaves to a log and sign a checkpoint for all that it holds; return that.

    A version that is there already is not added again, so that what was killed can be repeated;
    where nothing is new and a checkpoint says so, no other is signed.

    Args:
        directory: The log's; its ``checkpoint`` is what is served now.
        leaves: What is new, in order.
        log_key: The public half of the log's key, under its origin.
        sign: Signs with the log's key.
        verify_signature: ``protech.signing.verify``.
        into: Where the new checkpoint waits for its witnesses.

    Raises:
        TrustError: The log is not what it signed last, or has another content of a version.
        ConfigError: It cannot be read or written.
    """
    with turn(directory):
        held = read_leaves(directory)
        signed_before = []
        for place in (directory / CHECKPOINT, into):
            found = read_checkpoint(place, log_key=log_key, verify_signature=verify_signature)
            if found is not None:
                verified(held, found, None)
                signed_before.append(found)
        contents = {leaf.version_key: leaf.result for leaf in map(parse_leaf, held)}
        if added := list(_unknown(leaves, contents)):
            held += added
            put_file(directory / ENTRIES, b"".join(leaf + b"\n" for leaf in held))
        top = root([leaf_hash(leaf) for leaf in held])
        checkpoint = Checkpoint(origin=log_key.name, size=len(held), root=top)
        if checkpoint not in signed_before:
            put_file(into, signed(checkpoint, key=log_key, sign=sign))
    return checkpoint


def _unknown(leaves: Iterable[Leaf], contents: Contents) -> Iterator[bytes]:
    for leaf in leaves:
        if leaf.version_key not in contents:
            contents[leaf.version_key] = leaf.result
            yield leaf.data
        elif contents[leaf.version_key] != leaf.result:
            raise TrustError(
                f"Version {leaf.version} of the list {leaf.name} is in the log with another"
                " content, and what is in the log stays; publish this as a later version."
            )


@contextmanager
def turn(directory: Path) -> Iterator[None]:
    """Wait until no other process writes here; the directory is made if need be.

    Raises:
        ConfigError: It cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as refused:
        raise _unwritable(directory, refused) from refused
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_file(path: Path, *, most: int) -> bytes | None:
    """Return what is in a file of at most so many bytes; None where there is none.

    Raises:
        TrustError: It is larger.
        ConfigError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        return None
    except OSError as refused:
        raise ConfigError(
            f"{path} cannot be read: {refused.strerror}; mend it, or name another place."
        ) from refused
    if len(content) > most:
        raise TrustError(f"{path} is larger than {most} bytes; it is none of ours.")
    return content


def put_file(path: Path, content: bytes, *, mode: int = SERVED) -> None:
    """Put a file at ``path`` in one step: after a kill or a loss of power, the old or the new.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        settle(path.parent)
    except OSError as refused:
        raise _unwritable(path, refused) from refused


def _unwritable(path: Path, refused: OSError) -> ConfigError:
    return ConfigError(
        f"{path} cannot be written: {refused.strerror}; make room, or make the directory yours."
    )
