"""The attacks on signed metadata (TUF specification, 1.5.2) against a served repository."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tuf.api.metadata import Metadata, MetaFile, Targets

from protech.errors import ProtechError, SourceError, TrustError
from protech.lists.keys import key_id, tuf_key
from protech.lists.sync.taking import State
from tests.repository import AUTHORITY, LIST, Repository, answer, key, lines, served
from tests.unit.lists.sync.conftest import ENTRIES, Stage

PAST = datetime(2026, 1, 1, tzinfo=UTC)
ROLES = ["root", "targets", AUTHORITY, "snapshot", "timestamp"]


def refused(stage: Stage, words: str, *, error: type[ProtechError] = TrustError) -> None:
    """See that a sync ends with an error and leaves version 1 as it was."""
    with pytest.raises(error, match=words):
        stage.sync()
    assert stage.has(1)


def refused_authority(stage: Stage, words: str) -> None:
    """See that nothing of the authority is taken, and that version 1 is as it was."""
    done = stage.sync()
    assert [one.state for one in done.outcomes] == [State.REFUSED]
    with pytest.raises(TrustError, match=words):
        raise done.error or AssertionError
    assert stage.has(1)


def offer_second(stage: Stage) -> None:
    stage.repository.add(ENTRIES | lines(2, 3), version=2)
    stage.repository.publish()


def write_again(repository: Repository, role: str, count: int, *, is_forged: bool) -> None:
    """Write a role's newest document anew with so many signatures, by its keys or by others."""
    people = repository.officers if role == AUTHORITY else repository.owners
    if role in {"snapshot", "timestamp"}:
        people = [repository.server]
    signers = [key(f"stranger {i}") for i in range(3)] if is_forged else people
    documents: dict[str, Metadata[Any]] = {
        "root": repository.root, "targets": repository.targets, AUTHORITY: repository.authority,
        "snapshot": repository.snapshot, "timestamp": repository.timestamp,
    }  # fmt: skip
    repository.write(role, documents[role], signers[:count])


def check_refused(stage: Stage, role: str, words: str) -> None:
    (refused_authority if role == AUTHORITY else refused)(stage, words)


@pytest.mark.parametrize("role", ROLES)
def test_metadata_signed_with_other_keys_is_refused(stage: Stage, role: str) -> None:
    stage.synced()
    offer_second(stage)
    if role == "root":
        stage.repository.rotate([])
    write_again(stage.repository, role, 2, is_forged=True)
    check_refused(stage, role, "not signed by enough")


@pytest.mark.parametrize("role", ["root", "targets", AUTHORITY])
def test_one_signature_of_two_is_not_enough(stage: Stage, role: str) -> None:
    stage.synced()
    offer_second(stage)
    if role == "root":
        stage.repository.rotate([])
    write_again(stage.repository, role, 1, is_forged=False)
    check_refused(stage, role, "not signed by enough")


def test_the_same_signature_twice_is_not_enough(stage: Stage) -> None:
    stage.synced()
    offer_second(stage)
    place = stage.repository.write(
        AUTHORITY, stage.repository.authority, stage.repository.officers[:1]
    )
    document = json.loads(place.read_bytes())
    document["signatures"] *= 2
    place.write_text(json.dumps(document))
    refused_authority(stage, "cannot be read, or contradicts itself")


@pytest.mark.parametrize("role", ["root", "targets"])
def test_a_first_root_that_lets_one_person_sign_alone_is_refused(
    stage: Stage, role: str
) -> None:
    stage.repository.root.signed.roles[role].threshold = 1
    stage.repository.publish()
    with pytest.raises(TrustError, match=f"The role {role} asks for 1 signature"):
        stage.sync()
    assert stage.device.repositories() == []


def test_a_later_root_that_lets_one_person_sign_alone_is_refused(stage: Stage) -> None:
    stage.synced()
    stage.repository.root.signed.roles["targets"].threshold = 1
    stage.repository.rotate(stage.repository.owners)
    refused(stage, "The role targets asks for 1 signature")


def test_an_authority_of_which_one_person_signs_alone_is_refused(stage: Stage) -> None:
    stage.synced()
    stage.repository.role.threshold = 1
    offer_second(stage)
    refused(stage, f"The role {AUTHORITY} asks for 1 signature")


def test_a_role_that_may_speak_for_lists_of_others_is_refused(stage: Stage) -> None:
    stage.synced()
    stage.repository.role.paths = ["*"]
    offer_second(stage)
    refused(stage, "not delegated lists by their whole names")


def test_lists_of_the_owners_themselves_are_refused(stage: Stage) -> None:
    stage.synced()
    stage.repository.targets.signed.targets = stage.repository.authority.signed.targets
    offer_second(stage)
    refused(stage, "only authorities publish")


def test_an_authority_that_delegates_further_is_refused(stage: Stage) -> None:
    stage.synced()
    stage.repository.authority.signed.delegations = stage.repository.targets.signed.delegations
    offer_second(stage)
    refused_authority(stage, "delegates to others")


def test_a_list_that_an_authority_was_not_given_is_not_taken(stage: Stage) -> None:
    stage.repository.add(ENTRIES, name="of-another")
    stage.repository.publish()
    assert [one.name for one in stage.synced().outcomes] == [LIST]


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_expired_metadata_is_refused_and_the_list_stays(stage: Stage, role: str) -> None:
    stage.synced()
    getattr(stage.repository, role).signed.expires = PAST
    offer_second(stage)
    refused(stage, "has expired")


def test_an_expired_root_is_refused(stage: Stage) -> None:
    stage.synced()
    stage.repository.root.signed.expires = PAST
    stage.repository.rotate(stage.repository.owners)
    refused(stage, "has expired")


def test_lists_of_an_authority_whose_metadata_expired_are_refused(stage: Stage) -> None:
    stage.synced()
    stage.repository.authority.signed.expires = PAST
    offer_second(stage)
    refused_authority(stage, "has expired")


def test_a_frozen_repository_fails_and_its_list_becomes_stale(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.synced()
    (held,) = stage.device.lists()
    assert not held.is_stale(datetime.now(UTC))
    later = datetime.now(UTC) + timedelta(days=31)

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Later":
            return cls.fromtimestamp(later.timestamp(), tz)

    # A month on, the server goes on serving the same files; python-tuf has a clock of its own.
    clock = SimpleNamespace(datetime=Later, timezone=timezone)
    monkeypatch.setattr("tuf.ngclient._internal.trusted_metadata_set.datetime", clock)
    refused(stage, "has expired")
    assert stage.device.lists() == (held,)
    assert held.is_stale(later)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", AUTHORITY])
def test_metadata_that_was_rolled_back_is_refused(stage: Stage, role: str) -> None:
    offer_second(stage)
    stage.synced()
    repository = stage.repository
    documents = {"targets": repository.targets, AUTHORITY: repository.authority}
    # Freshly signed over older documents, as the server's stolen key could.
    if role in documents:
        documents[role].signed.version -= 1
        repository.snapshot.signed.version += 1
        repository.timestamp.signed.version += 1
        repository.vouch()
    elif role == "snapshot":
        repository.timestamp.signed.version += 1
        repository.timestamp.signed.snapshot_meta = MetaFile(1)
        repository.write("timestamp", repository.timestamp, [repository.server])
    else:
        repository.timestamp.signed.version -= 1
        repository.write("timestamp", repository.timestamp, [repository.server])
    with pytest.raises(TrustError, match="older than what this device has seen"):
        stage.sync()
    assert stage.has(2)


def test_a_snapshot_that_leaves_an_authority_out_is_refused(stage: Stage) -> None:
    stage.synced()
    repository = stage.repository
    repository.snapshot.signed.version += 1
    repository.snapshot.signed.meta.pop(f"{AUTHORITY}.json")
    repository.write("snapshot", repository.snapshot, [repository.server])
    repository.timestamp.signed.version += 1
    repository.timestamp.signed.snapshot_meta = MetaFile(repository.snapshot.signed.version)
    repository.write("timestamp", repository.timestamp, [repository.server])
    refused(stage, "contradicts itself")


def test_documents_of_two_moments_are_not_mixed(stage: Stage) -> None:
    stage.synced()
    old = stage.repository.folder / "metadata" / f"1.{AUTHORITY}.json"
    offer_second(stage)
    (stage.repository.folder / "metadata" / f"2.{AUTHORITY}.json").write_bytes(old.read_bytes())
    refused_authority(stage, "does not fit together")


def test_versions_run_far_ahead_are_healed_by_new_keys_in_the_root(stage: Stage) -> None:
    repository = stage.repository
    for document in (repository.snapshot, repository.timestamp):
        document.signed.version = 1 << 30
    repository.vouch()
    stage.synced()
    offer = repository.add(ENTRIES | lines(2, 3), version=2)
    for document in (repository.snapshot, repository.timestamp):
        document.signed.version = 5
    repository.publish()
    refused(stage, "older than what this device has seen")
    stolen, repository.server = repository.server, key("another server")
    for role in ("snapshot", "timestamp"):
        repository.root.signed.revoke_key(key_id(stolen.public), role)
        repository.root.signed.add_key(tuf_key(repository.server.public), role)
    repository.rotate(repository.owners)
    repository.publish()
    stage.synced()
    assert stage.has(offer.version)


def test_the_root_rotates_over_several_versions_between_two_syncs(stage: Stage) -> None:
    stage.synced()
    repository = stage.repository
    for turn in range(4):
        new = [key(f"owner of turn {turn}, {i}") for i in range(3)]
        for role in ("root", "targets"):
            for old in repository.owners:
                repository.root.signed.revoke_key(key_id(old.public), role)
            for owner in new:
                repository.root.signed.add_key(tuf_key(owner.public), role)
        repository.rotate([*repository.owners[:2], *new[:2]])
        repository.owners = new
    offer_second(stage)
    assert stage.synced().root_version == 5
    assert stage.has(2)


def test_a_root_that_the_owners_before_did_not_sign_is_refused(stage: Stage) -> None:
    stage.synced()
    repository = stage.repository
    new = [key(f"usurper {i}") for i in range(3)]
    for role in ("root", "targets"):
        for old in repository.owners:
            repository.root.signed.revoke_key(key_id(old.public), role)
        for owner in new:
            repository.root.signed.add_key(tuf_key(owner.public), role)
    repository.rotate(new)
    refused(stage, "not signed by enough")


def test_a_root_that_skips_a_version_is_refused(stage: Stage) -> None:
    stage.synced()
    repository = stage.repository
    repository.root.signed.version = 3
    place = repository.write("root", repository.root, repository.owners)
    place.rename(place.with_name("2.root.json"))
    refused(stage, "does not fit together")


def test_what_is_no_root_is_refused_as_the_first_one(stage: Stage) -> None:
    for root in (b"", b"<html>", b"{}", b"[" * 100_000):
        with pytest.raises(TrustError, match="root of trust"):
            stage.sync(root=root)
    assert stage.device.repositories() == []


def test_a_root_not_signed_by_its_own_keys_is_refused_as_the_first_one(stage: Stage) -> None:
    place = stage.repository.write("root", stage.repository.root, stage.repository.owners[:1])
    with pytest.raises(TrustError, match="not signed by enough of its own keys"):
        stage.sync(root=place.read_bytes())


@pytest.mark.parametrize("name", ["2.root.json", "timestamp.json"])
def test_a_page_in_place_of_metadata_is_refused(stage: Stage, name: str) -> None:
    stage.synced()
    stage.server.answers[name] = answer(b"<!doctype html><title>Sign in</title>")
    refused(stage, "A sign-in page of the network")


def test_another_repository_at_the_address_is_refused(stage: Stage, tmp_path: Path) -> None:
    stage.synced()
    other = Repository(tmp_path / "other", recipients=[stage.recipient], name="other")
    other.add(lines(9, 5), version=9)
    other.publish()
    stage.server.folder = other.folder
    with pytest.raises(TrustError, match="not signed by enough"):
        stage.sync(root=None)
    assert stage.has(1)


def test_a_truncated_document_is_refused(stage: Stage) -> None:
    stage.synced()
    offer_second(stage)
    place = stage.repository.folder / "metadata" / "2.targets.json"
    place.write_bytes(place.read_bytes()[:-20])
    refused(stage, "cannot be read")


def test_an_endless_document_is_refused(stage: Stage) -> None:
    stage.synced()
    stage.server.answers["timestamp.json"] = answer(b"{" * 20_000)
    refused(stage, "longer than it may be")


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["signed"].update(_type="snapshot"),
        lambda document: document["signed"].pop("version"),
        lambda document: document.update(signatures={}),
        lambda document: document["signed"].update(expires="never"),
    ],
)
def test_a_document_that_is_none_of_its_kind_is_refused(
    stage: Stage, change: Callable[[dict[str, dict[str, object]]], object]
) -> None:
    stage.synced()
    place = stage.repository.folder / "metadata" / "timestamp.json"
    document = json.loads(place.read_bytes())
    change(document)
    place.write_text(json.dumps(document))
    refused(stage, "A sign-in page|not signed by enough")


def test_a_document_that_is_gone_is_said_to_be_the_servers_fault(stage: Stage) -> None:
    stage.synced()
    (stage.repository.folder / "metadata" / "timestamp.json").unlink()
    refused(stage, "does not give a file", error=SourceError)


def test_two_authorities_are_refused_one_by_one(stage: Stage) -> None:
    repository = stage.repository
    delegations = repository.targets.signed.delegations
    assert delegations is not None
    assert delegations.roles is not None
    broken = type(repository.role)("broken", [], 2, terminating=True, paths=["broken.*"])
    delegations.roles = {"broken": broken, **delegations.roles}
    for officer in repository.officers:
        repository.targets.signed.add_key(tuf_key(officer.public), "broken")
    repository.publish()
    expired = Metadata(Targets(expires=PAST))
    repository.write("broken", expired, repository.officers[:2])
    repository.snapshot.signed.version += 1
    repository.timestamp.signed.version += 1
    repository.vouch()
    repository.snapshot.signed.meta["broken.json"] = MetaFile(1)
    repository.write("snapshot", repository.snapshot, [repository.server])
    done = stage.sync()
    states = [(one.name, one.state) for one in done.outcomes]
    assert states == [("broken", State.REFUSED), (LIST, State.TAKEN)]
    assert isinstance(done.error, TrustError)
    assert stage.has(1)


def test_no_message_names_the_address(stage: Stage, tmp_path: Path) -> None:
    with served(tmp_path / "nothing") as empty:
        for name, content in (("timestamp.json", b"x"), ("1.targets.json", b"y")):
            stage.server.answers[name] = answer(content)
            with pytest.raises(ProtechError) as told:
                stage.sync()
            assert "127.0.0.1" not in f"{told.value} {told.value.__cause__}"
            stage.server.answers.clear()
        stage.server.folder = empty.folder
        with pytest.raises(SourceError) as lost:
            stage.sync(root=(tmp_path / "served/metadata/1.root.json").read_bytes())
        assert "127.0.0.1" not in f"{lost.value} {lost.value.__cause__}"
