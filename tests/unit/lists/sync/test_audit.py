"""An auditor looks at a repository: what holds is told, and each fault is found."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.errors import ConfigError
from protech.lists.sync.audit import Audit, Check
from tests.repository import AUTHORITY, LIST, Repository, key, lines
from tests.unit.lists.sync.conftest import ENTRIES

STRANGER = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository", recipients=[STRANGER])
    made.add(ENTRIES)
    made.add(ENTRIES | lines(2, 2), version=2, base=1)
    made.publish()
    return made


def checks(repository: Repository, *, earlier: bytes | None = None) -> list[Check]:
    place = str(repository.folder)
    return list(Audit(place, root=repository.first_root, earlier=earlier).checks())


def failing(repository: Repository, *, earlier: bytes | None = None) -> list[str]:
    return [one.what for one in checks(repository, earlier=earlier) if not one.holds]


def test_a_repository_is_looked_through_without_a_recipients_key(
    repository: Repository,
) -> None:
    found = {one.what: one.found for one in checks(repository)}
    assert failing(repository) == []
    assert found["keys of root"] == "2 of 3 must sign"
    assert found[f"keys of {AUTHORITY}"] == "2 of 3 must sign"
    assert found["witnesses"] == "2 or more of 3 cosigned"
    assert found["versions"] == "2 of 1 lists, each with one content"
    assert found[f"list {LIST}"].startswith("version 2, 42 entries, csam, every file as")


def expired(repository: Repository) -> None:
    repository.timestamp.signed.expires = datetime(2026, 1, 1, tzinfo=UTC)
    repository.publish()


def one_signature(repository: Repository) -> None:
    repository.write(AUTHORITY, repository.authority, repository.officers[:1])


def one_witness(repository: Repository) -> None:
    repository.cosigners = [("witness-0", repository.witnesses[0])]
    repository.write_log()


def other_log(repository: Repository) -> None:
    repository.log = key("another")
    repository.write_log()


def changed_leaf(repository: Repository) -> None:
    entries = repository.folder / "log" / "entries"
    entries.write_bytes(entries.read_bytes().replace(b"2026", b"2025"))


def two_contents(repository: Repository) -> None:
    repository.add(lines(8, 3), is_logged=True, name="of-nobody")
    repository.add(lines(9, 3), is_logged=True, name="of-nobody")
    repository.write_log()


def missing_file(repository: Repository) -> None:
    for file in (repository.folder / "targets").glob("*delta*"):
        file.unlink()


def only_a_delta(repository: Repository) -> None:
    targets = repository.authority.signed.targets
    for path in [path for path in targets if ".list." in path]:
        targets.pop(path)
    repository.publish()


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (expired, ["signed metadata"]),
        (one_signature, [f"authority {AUTHORITY}"]),
        (one_witness, ["witnesses", f"list {LIST}"]),
        (other_log, ["log", f"list {LIST}"]),
        (changed_leaf, ["leaves", f"list {LIST}"]),
        (two_contents, ["versions", f"list {LIST}"]),
        (missing_file, [f"list {LIST}"]),
        (only_a_delta, [f"list {LIST}"]),
    ],
)
def test_each_fault_is_found(
    repository: Repository, fault: Callable[[Repository], None], found: list[str]
) -> None:
    fault(repository)
    assert failing(repository) == found


def test_a_version_that_is_not_in_the_log_is_found(repository: Repository) -> None:
    repository.add(ENTRIES | lines(3, 2), version=3, is_logged=False)
    repository.publish()
    assert failing(repository) == [f"list {LIST}"]


def test_another_past_than_the_one_seen_before_is_found(repository: Repository) -> None:
    audit = Audit(str(repository.folder), root=repository.first_root)
    assert all(one.holds for one in audit.checks())
    assert failing(repository, earlier=audit.note) == []
    repository.leaves[0] = repository.leaves[0].replace(b"2026", b"2025")
    repository.write_log()
    assert failing(repository, earlier=audit.note) == ["past of the log", f"list {LIST}"]
    assert failing(repository, earlier=b"nothing") == ["past of the log", f"list {LIST}"]


def test_files_can_be_left_out(repository: Repository) -> None:
    missing_file(repository)
    audit = Audit(str(repository.folder), root=repository.first_root, has_targets=False)
    assert all(one.holds for one in audit.checks())


def test_a_repository_that_is_none_is_said_to_be(
    repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    audit = Audit(str(tmp_path / "empty"), root=repository.first_root)
    assert [(one.what, one.holds) for one in audit.checks()] == [("signed metadata", False)]
    with pytest.raises(ConfigError):
        Audit(str(tmp_path / "nowhere"), root=repository.first_root)
