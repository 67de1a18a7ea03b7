from pathlib import Path

import pytest

from protech.lists.keys import PublicKey
from protech.lists.repository.changes import Change, Signers
from protech.signing import Key
from tests.authority import NOW, Authority


def people(*names: str) -> Signers:
    keys = tuple(PublicKey(name=name, public=Key.generate().public) for name in names)
    return Signers(keys=keys, threshold=2)


@pytest.fixture
def change(tmp_path: Path) -> Change:
    documents = Authority.new(tmp_path / "a").repository.documents()
    return Change(documents, {"root": 1, "targets": 1, "hotline": 1}, NOW)


def test_a_changed_root_must_be_signed_by_those_before(change: Change) -> None:
    before = change.documents.role_keys()["root"]
    change.owners(people("a", "b"))
    documents = change.documents
    assert documents.versions() == {"root": 2, "targets": 2, "hotline": 1}
    assert documents.former is not None
    assert set(before.keys) == set(documents.former.signed.roles["root"].keyids)
    root = documents.progress()[0]
    assert set(root.waiting) == set(before.keys) | set(documents.role_keys()["root"].keys)


def test_changes_before_publishing_are_one_version(change: Change) -> None:
    for _ in range(3):
        change.owners(people("a", "b"))
        change.server(PublicKey(name="server", public=Key.generate().public))
    assert change.documents.versions()["root"] == 2
    assert change.documents.former is not None
    assert change.documents.former.signed.version == 1


def test_keys_that_no_role_names_are_gone(change: Change) -> None:
    change.owners(people("a", "b"))
    change.authority("hotline", people("c", "d"))
    root, targets = change.documents.root.signed, change.documents.targets.signed
    assert len(root.keys) == 3
    assert targets.delegations is not None
    assert len(targets.delegations.keys) == 2
    change.documents.check_rules()


def test_new_people_keep_the_lists(change: Change) -> None:
    change.authority("hotline", people("c", "d"))
    assert change.documents.authority_of("baseline") == "hotline"
