"""What ``protech lists publish`` does, step by step; its grammar stands in ``cli.publish``."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from protech.errors import ConfigError
from protech.lists.clock import utc_now

if TYPE_CHECKING:
    from protech.lists.keys import PublicKey
    from protech.lists.publish.place import Repository
    from protech.lists.repository.changes import Signers
    from protech.lists.repository.documents import Documents


def new(options: argparse.Namespace) -> int:
    """Make a repository."""
    from protech.lists.publish import setup

    plan = setup.Plan(
        origin=options.origin,
        owners=_signers(options.owners, options.owners_needed),
        authority=options.authority,
        officers=_signers(options.officers, options.officers_needed),
        lists=options.lists,
        witnesses=_keys(options.witnesses),
        quorum=options.quorum,
    )
    return _waits(options, setup.new(options.repository, plan, utc_now()))


def delegate(options: argparse.Namespace) -> int:
    """Give lists to an authority."""
    from protech.lists.publish import setup

    people = _signers(options.officers, options.officers_needed) if options.officers else None
    documents = setup.delegate(
        _repository(options), options.authority, options.lists, utc_now(), officers=people
    )
    return _waits(options, documents)


def stage(options: argparse.Namespace) -> int:
    """Make the next version of a list."""
    from protech.lists.publish.stage import stage as make_version
    from protech.lists.trust import TargetKind

    repository = _repository(options)
    staged = make_version(
        repository,
        options.list,
        utc_now(),
        kind=TargetKind(options.kind),
        version=options.version,
        recipients=_devices(options.devices) if options.devices else None,
    )
    fields = {
        "list": staged.target.name,
        "version": staged.target.version,
        "entries": staged.target.entries,
        "sha256": staged.target.sha256.hex(),
        "recipients": staged.recipients,
        "ciphertext_bytes": staged.ciphertext_bytes,
        "delta_bytes": staged.delta_bytes,
    }
    if options.json:
        print(json.dumps({"v": 1, **fields}))
        return 0
    for name, value in fields.items():
        print(f"{name:<17} {value}")
    return _waits(options, repository.documents())


def enrol(options: argparse.Namespace) -> int:
    """Let more devices read a list."""
    from protech.lists.publish import stage as staging

    repository = _repository(options)
    staging.enrol(repository, options.list, _devices(options.devices), utc_now())
    return _waits(options, repository.documents())


def revoke(options: argparse.Namespace) -> int:
    """Encrypt lists anew without a device."""
    from protech.lists.publish import stage as staging

    repository = _repository(options)
    names = repository.documents().lists()
    staging.revoke(repository, options.device, names, utc_now())
    return _waits(options, repository.documents())


def log(options: argparse.Namespace) -> int:
    """Enter what was signed into the log."""
    from protech.lists.publish.release import enter

    repository = _repository(options)
    entered = enter(repository, utc_now())
    if options.json:
        fields = {"log_size": entered.log_size, "cosigned": entered.is_cosigned}
        print(json.dumps({"v": 1, **fields, "quorum": entered.quorum}))
    elif entered.is_cosigned:
        print(f"The log has {entered.log_size} versions and is cosigned; publish now.")
    else:
        print(
            f"The log has {entered.log_size} versions, and {entered.quorum} witnesses must"
            f" cosign it: hand {repository.staged} to one after the other."
        )
    return 0


def now(options: argparse.Namespace) -> int:
    """Publish what was signed and cosigned."""
    from protech.lists.publish.release import publish

    released = publish(_repository(options), utc_now())
    lists = [
        {"list": one.name, "version": one.version, "kind": one.kind, "entries": one.entries}
        for one in released.lists
    ]
    if options.json:
        rest = {"log_size": released.log_size, "until": released.expires_at.isoformat()}
        print(json.dumps({"v": 1, "lists": lists, **rest}))
        return 0
    for one in lists:
        print("{list} {version}: {kind}, {entries} entries".format_map(one))
    print(f"published; run `protech lists publish refresh` before {released.expires_at}")
    return 0


def refresh(options: argparse.Namespace) -> int:
    """Say that what is served is still the newest."""
    from protech.lists.publish import release

    until = release.refresh(_repository(options), utc_now())
    fields = {"v": 1, "until": until.isoformat()}
    print(json.dumps(fields) if options.json else f"vouched for until {until}")
    return 0


def rotate(options: argparse.Namespace) -> int:
    """Change keys."""
    from protech.lists.publish import setup

    repository, now = _repository(options), utc_now()
    if options.role == "server":
        documents = setup.rotate_server(repository, now)
    elif options.role == "witnesses":
        if options.quorum is None or not options.witnesses:
            raise ConfigError("Name all witnesses with --witness, and --quorum.")
        keys = _keys(options.witnesses)
        documents = setup.watch(repository, keys, options.quorum, now)
    else:
        rotation = setup.Rotation(
            removed=_keys(options.remove), added=_keys(options.add), threshold=options.needed
        )
        documents = setup.rotate(repository, options.role, rotation, now)
    return _waits(options, documents)


def renew(options: argparse.Namespace) -> int:
    """Have documents signed again."""
    from protech.lists.publish import setup

    documents = setup.renew(_repository(options), utc_now(), roles=options.roles)
    return _waits(options, documents)


def status(options: argparse.Namespace) -> int:
    """Say what is served, and what waits."""
    repository = _repository(options)
    served = repository.published()
    if not options.json:
        print(f"served until {served.expires_at}" if served else "nothing is served yet")
    return _waits(options, repository.documents())


def _waits(options: argparse.Namespace, documents: "Documents") -> int:
    """Say which documents wait for how many signatures."""
    waiting = [one for one in documents.progress() if not one.is_complete]
    if options.json:
        rows = [
            {"role": one.role, "version": one.version, "missing": one.missing}
            for one in waiting
        ]
        print(json.dumps({"v": 1, "waiting": rows}))
        return 0
    for one in waiting:
        print(f"{one.role} {one.version} waits for {one.missing} more signatures")
    return 0


def _repository(options: argparse.Namespace) -> "Repository":
    from protech.lists.publish.place import Repository
    from protech.sandbox import harden_process

    harden_process()
    return Repository(options.repository)


def _keys(paths: Sequence[Path]) -> "tuple[PublicKey, ...]":
    from protech.lists.keys import read_public

    return tuple(read_public(path) for path in paths)


def _signers(paths: Sequence[Path], threshold: int) -> "Signers":
    from protech.lists.repository.changes import Signers

    return Signers(keys=_keys(paths), threshold=threshold)


def _devices(texts: Sequence[str]) -> dict[str, str]:
    named = dict(text.partition("=")[::2] for text in texts)
    if len(named) != len(texts) or not all(named.keys()) or not all(named.values()):
        raise ConfigError("Name each device once, as in --device laptop=age1...")
    return named
