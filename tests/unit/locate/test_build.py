from pathlib import Path

import pytest

import protech
from protech.locate.build import UNKNOWN, _judging, code_of_build, commit_of_build

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    folder = tmp_path / "src" / "protech"
    folder.mkdir(parents=True)
    return folder


def git(package: Path) -> Path:
    return package.parents[1] / ".git"


def test_the_commit_of_a_branch_is_told(package: Path) -> None:
    (git(package) / "refs" / "heads" / "main").write_text(COMMIT + "\n")
    assert commit_of_build(package) == COMMIT


def test_a_packed_branch_is_told(package: Path) -> None:
    (git(package) / "packed-refs").write_text(f"# pack-refs\n{COMMIT} refs/heads/main\n")
    assert commit_of_build(package) == COMMIT


def test_a_commit_without_a_branch_is_told(package: Path) -> None:
    (git(package) / "HEAD").write_text(COMMIT + "\n")
    assert commit_of_build(package) == COMMIT


def test_what_cannot_be_told_is_unknown(package: Path, tmp_path: Path) -> None:
    assert commit_of_build(package) == UNKNOWN
    (git(package) / "packed-refs").write_text("")
    assert commit_of_build(package) == UNKNOWN
    assert commit_of_build(Path("/nonexistent/protech")) == UNKNOWN


def test_this_build_tells_something() -> None:
    assert commit_of_build()


def test_the_code_that_judges_is_told_by_its_digest() -> None:
    assert len(code_of_build()) == 64
    found = {path.name for path in _judging(Path(protech.__file__).parent)}
    assert {"judge.py", "session.py", "transcript.py", "door.py"} <= found


def test_a_module_that_is_gone_is_missed(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="events"):
        list(_judging(tmp_path))
