"""The demo's authority: it publishes a signed list of fetch keys, as any authority does.

Nothing is shortened: owners, officers, a witness, a log, and a device that syncs and checks it
all. Only that one person plays all of them is of a demo.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from protech.lists import witness
from protech.lists.device import DeviceLists
from protech.lists.entries import Category, LegalClass, ListHeader, Use
from protech.lists.fetch_key import FetchKey
from protech.lists.fetch_keys import KeyWriter
from protech.lists.keys import PublicKey, make_device_key, make_key
from protech.lists.publish import setup, sign
from protech.lists.publish.place import Repository
from protech.lists.publish.release import enter, publish
from protech.lists.publish.stage import stage
from protech.lists.repository.changes import Signers
from protech.lists.sync.flow import sync
from protech.lists.trust import TargetKind
from protech.settings import private_directory
from protech.signing import Key

ISSUER = "The lab's authority"
LIST = "lab-targets"
ORIGIN = "lab.invalid/lists"
"""A name that no network has (RFC 2606)."""

AUTHORITY = "lab-office"
WITNESS = "lab-witness"

PEOPLE = 2
"""Owners, and officers: no one alone signs anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What was published, and the device that has it."""

    device: DeviceLists
    list_name: str
    root: bytes = field(repr=False)
    """The first root of trust, as the authority's package would hold it."""


def publish_list(folder: Path, keys: Iterable[FetchKey], now: datetime) -> Office:
    """Publish a list of these keys in ``folder`` and sync it to a device there.

    Raises:
        ProtechError: A step failed; it says which.
    """
    private_directory(folder)
    owners = [_person(folder, f"owner-{i}") for i in range(PEOPLE)]
    officers = [_person(folder, f"officer-{i}") for i in range(PEOPLE)]
    witness_key, watcher = _person(folder, WITNESS)
    plan = setup.Plan(
        origin=ORIGIN,
        owners=_signers(owners),
        authority=AUTHORITY,
        officers=_signers(officers),
        lists=(LIST,),
        witnesses=(watcher,),
        quorum=1,
    )
    setup.new(folder / "repository", plan, now)
    repository = Repository(folder / "repository")
    device = DeviceLists(folder / "device")
    recipient = make_device_key(device.key)
    source = _written(folder / "keys.list", keys, now)
    kind = TargetKind.FETCH_KEYS
    stage(repository, source, now, kind=kind, recipients={"lab": recipient})
    for key, _ in (*owners, *officers):
        sign.sign(repository.staged, key, sign.papers(repository.staged))
    _cosign(repository, witness_key, folder / "witness.json", now)
    publish(repository, now)
    root = (repository.metadata / "1.root.json").read_bytes()
    sync(device, str(repository.metadata.parent), root=root, uses=frozenset({Use.LOCATE}))
    return Office(device=device, list_name=LIST, root=root)


def _person(folder: Path, name: str) -> tuple[Key, PublicKey]:
    public = make_key(folder / "people" / name, name=name)
    return Key.load(folder / "people" / name), public


def _signers(people: Iterable[tuple[Key, PublicKey]]) -> Signers:
    return Signers(keys=tuple(public for _, public in people), threshold=PEOPLE)


def _written(path: Path, keys: Iterable[FetchKey], now: datetime) -> Path:
    header = ListHeader(
        name=LIST,
        version=1,
        # A list for locate has no other category; what this one lists are random bytes.
        category=Category.CSAM,
        legal_class=LegalClass.NATIONAL,
        uses=frozenset({Use.LOCATE}),
        created_at=now,
        issuer=ISSUER,
        legal_basis="none: a demonstration on files of random bytes",
    )
    with path.open("w+b") as file:
        writer = KeyWriter(file, header)
        for key in keys:
            writer.write(key)
        writer.finish()
    return path


def _cosign(repository: Repository, key: Key, state: Path, now: datetime) -> None:
    entered = enter(repository, now)
    if not entered.is_cosigned:
        witness.sign(
            repository.staged,
            repository.checkpoint,
            pinned=repository.documents().extension,
            key=key,
            state=state,
            now=now,
            may_begin=True,
        )
