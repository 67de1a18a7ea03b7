import shutil
from pathlib import Path

import pytest

from protech.errors import TrustError
from protech.lists.publish.sign import papers, sign
from protech.lists.seal import new_identity, recipient_of
from tests.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority.new(tmp_path / "authority")
    made.stage([1, 2], {"laptop": recipient_of(new_identity())})
    return made


def test_who_signs_sees_what_it_is(authority: Authority) -> None:
    root, targets, hotline = papers(authority.repository.staged)
    assert [paper.progress.role for paper in (root, targets, hotline)] == [
        "root",
        "targets",
        "hotline",
    ]
    assert set(root.roles) == {"root", "targets", "snapshot", "timestamp"}
    assert set(targets.roles) == {"hotline"}
    assert targets.lists == {"hotline": ("baseline",)}
    (target,) = hotline.targets
    assert (target.name, target.version, target.entries) == ("baseline", 1, 2)
    assert target.others == {"recipients": 1}


def test_the_folder_is_signed_wherever_it_was_carried(
    authority: Authority, tmp_path: Path
) -> None:
    carried = tmp_path / "stick"
    shutil.copytree(
        authority.repository.staged, carried, ignore=shutil.ignore_patterns("targets")
    )
    (progress,) = sign(carried, authority.key("alice"))
    assert (progress.role, progress.missing) == ("hotline", 1)
    (progress,) = sign(carried, authority.key("carol"))
    assert progress.is_complete
    assert [paper.progress.role for paper in papers(carried)] == ["root", "targets"]
    assert [one.role for one in sign(carried, authority.key("olga"))] == ["root", "targets"]


def test_a_folder_with_nothing_to_sign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="Nothing in"):
        papers(tmp_path)


def test_documents_that_break_a_rule_are_not_signed(authority: Authority) -> None:
    path = authority.repository.staged / "1.hotline.json"
    path.write_text(path.read_text().replace('"category":"csam"', '"category":"politics"'))
    with pytest.raises(TrustError, match="category"):
        sign(authority.repository.staged, authority.key("alice"))
