"""The next version of a list: canonical, encrypted to its recipients, and not yet signed."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from protech.errors import TrustError
from protech.lists import delta
from protech.lists.publish.place import RECIPIENTS_FILE, Repository, new_file, settle
from protech.lists.publish.plain import Draft, drafted, keep, plain_name
from protech.lists.repository.changes import Ciphertext
from protech.lists.repository.documents import Documents
from protech.lists.seal import check_recipient, seal
from protech.lists.trust import ListTarget, TargetKind, newest
from protech.settings import private_directory

DELTAS = 16
"""How many versions back a device may be and still take steps."""

PAYS = 0.5
"""Steps are offered while all of them together are smaller than this part of the whole."""

SERVED = 0o644

RECIPIENTS = "recipients"
"""How many devices a target is encrypted to; signed with it, and shown to who signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What waits for signatures now: the whole version, and the step from the one before."""

    target: ListTarget
    ciphertext_bytes: int
    delta_bytes: int | None
    recipients: int


def stage(
    repository: Repository,
    source: Path,
    now: datetime,
    *,
    kind: TargetKind = TargetKind.FULL,
    version: int | None = None,
    recipients: Mapping[str, str] | None = None,
) -> Staged:
    """Make the next version of a list out of a file.

    Args:
        repository: Where it will be published.
        source: The list in its own format.
        now: When.
        kind: What it is: a list, exceptions or fetch keys.
        version: Its number; None: what the file says.
        recipients: Devices' names and what to encrypt to; None: as before.

    Raises:
        SourceError: The file cannot be read.
        ListFormatError: It is no list, or has bad entries.
        TrustError: No authority may publish it, it is no later version, or nobody receives it.
        ConfigError: There is no room.
    """
    with repository.turn(), drafted(source, kind, version=version) as draft:
        name = draft.header.name
        change = repository.change(now)
        _check_owner(change.documents, draft)
        before = _served(repository, name)
        _check_version(name, draft.header.version, before)
        if recipients is not None:
            repository.keep_recipients(name, recipients)
        folder = repository.plain(name)
        target = keep(draft, folder)
        to = repository.recipients(name)
        made = _encrypted(repository, [target, *_steps(folder, before, target)], to)
        change.targets(name, made)
        repository.stage(change.documents)
        step = made[1].size_bytes if len(made) > 1 else None
        return Staged(
            target=target,
            ciphertext_bytes=made[0].size_bytes,
            delta_bytes=step,
            recipients=len(to),
        )


def change_recipients(
    repository: Repository, changes: Mapping[str, Mapping[str, str]], now: datetime
) -> dict[str, int]:
    """Encrypt what lists offer anew, to these recipients; return how many each has.

    Args:
        repository: Where they are published.
        changes: For each list, all of its devices' names and what to encrypt to.
        now: When.

    Raises:
        TrustError: A list would have no recipient.
        ConfigError: There is no room.
    """
    with repository.turn():
        change = repository.change(now)
        for name, recipients in changes.items():
            offered = change.documents.offered(name)
            if not recipients:
                raise TrustError(
                    f"The list {name} would have no recipient left; enrol another device first."
                )
            for text in recipients.values():
                check_recipient(text)
            if offered:
                change.targets(name, _encrypted(repository, offered, recipients))
        repository.stage(change.documents)
        for name, recipients in changes.items():  # last: until then the same can be repeated
            repository.keep_recipients(name, recipients)
    return {name: len(recipients) for name, recipients in changes.items()}


def enrol(
    repository: Repository, list_name: str, devices: Mapping[str, str], now: datetime
) -> dict[str, int]:
    """Let more devices read a list; return how many read it.

    Raises:
        TrustError: A name is another device's already, or there is no such list.
    """
    before = repository.recipients(list_name)
    for device, recipient in devices.items():
        if before.get(device, recipient) != recipient:
            raise TrustError(
                f"There is a device {device!r} with another key; revoke it first, or give this"
                " one another name."
            )
    return change_recipients(repository, {list_name: {**before, **devices}}, now)


def revoke(
    repository: Repository, device: str, list_names: Iterable[str], now: datetime
) -> dict[str, int]:
    """Encrypt lists anew without a device; return how many devices stay for each list.

    Raises:
        TrustError: It receives none of them, or would leave a list with no recipient.
    """
    before = {name: repository.recipients(name) for name in list_names}
    changes = {
        name: {one: text for one, text in recipients.items() if one != device}
        for name, recipients in before.items()
        if device in recipients
    }
    if not changes:
        raise TrustError(
            f"There is no device {device!r} that receives a list here; those that do stand in"
            f" the files {RECIPIENTS_FILE} below {repository.private}."
        )
    return change_recipients(repository, changes, now)


def _served(repository: Repository, list_name: str) -> list[ListTarget]:
    """Return the targets of a list that are served now."""
    if not repository.versions():
        return []
    documents = repository.served()
    return documents.offered(list_name) if list_name in documents.lists() else []


def _check_owner(documents: Documents, draft: Draft) -> None:
    """Check that a list was given to somebody, who silences nobody else's lists with it."""
    owner = documents.authority_of(draft.header.name)
    for silenced in draft.silences:
        if silenced not in documents.lists() or documents.authority_of(silenced) != owner:
            raise TrustError(
                f"The exceptions {draft.header.name} are of {owner}, and would silence a list"
                " that is not; leave that list out of them."
            )


def _check_version(name: str, version: int, before: Iterable[ListTarget]) -> None:
    latest = newest(before)
    if latest is not None and version <= latest.version:
        raise TrustError(
            f"Version {latest.version} of the list {name} is published, and this is version"
            f" {version}; give it the next number with --version {latest.version + 1}."
        )


def _steps(folder: Path, before: Iterable[ListTarget], target: ListTarget) -> list[ListTarget]:
    """Make the step from the version that is served, and return all that pay, newest first."""
    served = list(before)
    latest = newest(served)
    if latest is None or target.kind is not TargetKind.FULL:
        return []
    if not (folder / plain_name(latest)).exists():
        return []
    steps = [replace(target, kind=TargetKind.DELTA, base=latest.version)]
    _make_delta(folder / plain_name(latest), folder / plain_name(target), steps[0])
    by_version = {one.version: one for one in served if one.kind is TargetKind.DELTA}
    while (earlier := by_version.get(steps[-1].base or 0)) is not None:
        steps.append(earlier)
    room = target.size_bytes * PAYS
    kept: list[ListTarget] = []
    for step in steps[:DELTAS]:
        plain = folder / plain_name(step)
        room -= plain.stat().st_size if plain.exists() else room + 1
        if room < 0:
            break
        kept.append(step)
    return kept


def _make_delta(old: Path, new: Path, step: ListTarget) -> None:
    with new_file(new.parent) as (out, path):
        with old.open("rb") as before, new.open("rb") as after:
            delta.make(before, after, out, spool=new.parent)
        settle(out)
        path.replace(new.parent / plain_name(step))


def _encrypted(
    repository: Repository, targets: Iterable[ListTarget], recipients: Mapping[str, str]
) -> list[Ciphertext]:
    """Encrypt the plain forms of targets of a list to who receives it."""
    private_directory(repository.staged)
    repository.staged_targets.mkdir(exist_ok=True)
    return [_ciphertext(repository, target, list(recipients.values())) for target in targets]


def _ciphertext(
    repository: Repository, target: ListTarget, recipients: Sequence[str]
) -> Ciphertext:
    plain = repository.plain(target.name) / plain_name(target)
    folder = repository.staged_targets
    with new_file(folder) as (out, path):
        with plain.open("rb") as source:
            seal(source, out, recipients)
        settle(out)
        made = _named(target, path, len(recipients))
        path.chmod(SERVED)
        path.replace(folder / made.name)
    return made


def _named(target: ListTarget, path: Path, recipients: int) -> Ciphertext:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    signed = replace(target, others={**target.others, RECIPIENTS: recipients})
    return Ciphertext(target=signed, size_bytes=path.stat().st_size, sha256=digest)
