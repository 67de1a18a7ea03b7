"""Paths as an examiner names them: those that are not there are told, the rest goes on."""

from pathlib import Path

from protech.errors import SourceError
from protech.triage.source import found_in


def test_every_path_is_walked_and_the_missing_are_told_first(tmp_path: Path) -> None:
    for name in ("a/1", "b/2"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    refused: list[SourceError] = []
    paths = [tmp_path / "b", tmp_path / "none", tmp_path / "a", tmp_path / "a" / "1"]
    found = found_in(paths, leave_out=frozenset(), on_refused=refused.append)
    assert len(refused) == 1
    assert [one.path.name for one in found] == ["2", "1", "1"]
