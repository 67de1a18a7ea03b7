from pathlib import Path

import pytest
from tuf.api.metadata import Root, Targets

from protech.errors import TrustError
from protech.lists.repository import files
from protech.lists.repository.files import newest_version, read_document
from tests.authority import Authority


def test_the_newest_version_counts(tmp_path: Path) -> None:
    for name in (
        "2.root.json",
        "10.root.json",
        "x.root.json",
        "11.root.json.bak",
        "09.root.json",
    ):
        (tmp_path / name).touch()
    assert newest_version(tmp_path, "root") == 10
    with pytest.raises(TrustError, match="no document targets"):
        newest_version(tmp_path, "targets")


def test_a_document_is_of_the_kind_that_its_name_says(tmp_path: Path) -> None:
    path = Authority.new(tmp_path / "a").repository.staged / "1.root.json"
    assert read_document(path, Root).signed.version == 1
    with pytest.raises(TrustError, match="another kind"):
        read_document(path, Targets)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"signed": {}}', "[" * 100_000])
def test_what_is_no_document_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "1.root.json"
    path.write_text(content)
    with pytest.raises(TrustError, match="no document of TUF"):
        read_document(path, Root)


def test_a_document_that_is_too_large_or_gone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "DOCUMENT_BYTES", 10)
    path = tmp_path / "1.root.json"
    with pytest.raises(TrustError, match="cannot be read"):
        read_document(path, Root)
    path.write_text(" " * 11)
    with pytest.raises(TrustError, match="larger than"):
        read_document(path, Root)
