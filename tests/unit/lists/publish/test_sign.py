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
    assert root.pinned is not None
    assert [one.name for one in root.pinned.witnesses] == ["w1", "w2"]
    assert targets.pinned is None
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
    (progress,) = sign(carried, authority.key("alice"), papers(carried))
    assert (progress.role, progress.missing) == ("hotline", 1)
    (progress,) = sign(carried, authority.key("carol"), papers(carried))
    assert progress.is_complete
    assert [paper.progress.role for paper in papers(carried)] == ["root", "targets"]
    signed = sign(carried, authority.key("olga"), papers(carried))
    assert [one.role for one in signed] == ["root", "targets"]


def test_a_folder_with_nothing_to_sign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="Nothing in"):
        papers(tmp_path)


def test_documents_that_break_a_rule_are_not_signed(authority: Authority) -> None:
    staged = authority.repository.staged
    seen = papers(staged)
    path = staged / "1.hotline.json"
    path.write_text(path.read_text().replace('"category":"csam"', '"category":"politics"'))
    with pytest.raises(TrustError, match="category"):
        sign(staged, authority.key("alice"), seen)


def test_what_changed_after_it_was_shown_is_not_signed(authority: Authority) -> None:
    seen = papers(authority.repository.staged)
    authority.stage([1, 2, 3])
    with pytest.raises(TrustError, match="look at it anew"):
        sign(authority.repository.staged, authority.key("alice"), seen)


def test_what_others_sign_meanwhile_is_kept(authority: Authority) -> None:
    staged = authority.repository.staged
    seen = papers(staged)
    authority.sign("bob")
    (progress,) = sign(staged, authority.key("alice"), seen)
    assert progress.is_complete
