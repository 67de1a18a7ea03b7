from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Delegations, TargetFile

from protech.errors import TrustError
from protech.lists.repository.documents import Documents
from protech.lists.seal import new_identity, recipient_of
from tests.authority import NOW, Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority.new(tmp_path / "authority", lists=("baseline", "national"))
    made.stage([1, 2], {"laptop": recipient_of(new_identity())})
    return made


@pytest.fixture
def documents(authority: Authority) -> Documents:
    return authority.repository.documents()


def test_it_is_said_who_must_still_sign(authority: Authority, documents: Documents) -> None:
    assert {one.role: one.missing for one in documents.progress()} == {
        "root": 2,
        "targets": 2,
        "hotline": 2,
    }
    (progress,) = documents.sign(authority.key("bob"))
    assert (len(progress.signed), len(progress.waiting), progress.missing) == (1, 2, 1)


def test_documents_are_checked_whole(authority: Authority, documents: Documents) -> None:
    for name in ("olga", "omar", "alice"):
        documents.sign(authority.key(name))
    with pytest.raises(TrustError, match="hotline 1 has 1 signatures and needs 1 more"):
        documents.check(NOW)
    documents.sign(authority.key("carol"))
    documents.check(NOW)
    with pytest.raises(TrustError, match="hotline 1 has expired"):
        documents.check(NOW + timedelta(days=181))


def test_they_survive_their_files(documents: Documents, tmp_path: Path) -> None:
    for name, content in documents.files():
        (tmp_path / name).write_bytes(content)
    again = Documents.read(tmp_path)
    assert dict(again.files()) == dict(documents.files())
    assert again.extension == documents.extension


def test_an_authority_offers_its_own_lists_only(documents: Documents) -> None:
    targets = documents.authorities["hotline"].signed.targets
    (file,) = targets.values()
    custom = file.unrecognized_fields["custom"]
    custom["protech"]["list"] = "stolen"
    targets["stolen.1.list.age"] = TargetFile(
        1, file.hashes, "stolen.1.list.age", {"custom": custom}
    )
    del targets["baseline.1.list.age"]
    with pytest.raises(TrustError, match="'stolen' belongs to no authority"):
        documents.check_rules()


def test_nobody_but_an_authority_offers_lists(documents: Documents) -> None:
    hotline = documents.authorities["hotline"].signed
    documents.targets.signed.targets = hotline.targets
    with pytest.raises(TrustError, match="only authorities"):
        documents.check_rules()


def test_an_authority_passes_nothing_on(documents: Documents) -> None:
    documents.authorities["hotline"].signed.delegations = Delegations({}, {})
    with pytest.raises(TrustError, match="passes its lists on"):
        documents.check_rules()


def test_one_signature_under_two_ids_counts_once(documents: Documents) -> None:
    root = documents.root.signed
    role = root.roles["root"]
    first, second = role.keyids
    root.keys[second].keyval = dict(root.keys[first].keyval)
    with pytest.raises(TrustError, match="twice"):
        documents.check_rules()
