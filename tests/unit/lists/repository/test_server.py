from datetime import timedelta
from pathlib import Path

import pytest

from protech.errors import TrustError
from protech.lists.repository.server import (
    MARGIN,
    SNAPSHOT_LASTS,
    check_server_key,
    published,
    vouch,
    vouch_again,
)
from protech.signing import Key
from tests.authority import NOW, Authority

DOCUMENTS = {"targets": (4, b"targets"), "hotline": (7, b"hotline")}


def write(folder: Path, files: list[tuple[str, bytes]]) -> list[str]:
    for name, content in files:
        (folder / name).write_bytes(content)
    return [name for name, _ in files]


def test_it_is_said_what_is_newest(tmp_path: Path) -> None:
    assert published(tmp_path) is None
    key = Key.generate()
    assert write(tmp_path, vouch(DOCUMENTS, key, None, NOW)) == [
        "1.snapshot.json",
        "timestamp.json",
    ]
    first = published(tmp_path)
    assert first is not None
    assert first.versions == {"targets": 4, "hotline": 7}
    write(tmp_path, vouch(DOCUMENTS, key, first, NOW))
    second = published(tmp_path)
    assert second is not None
    assert (second.timestamp, second.snapshot) == (2, 2)


def test_vouching_again_makes_a_snapshot_only_when_that_is_due(tmp_path: Path) -> None:
    key = Key.generate()
    for role, (version, content) in DOCUMENTS.items():
        (tmp_path / f"{version}.{role}.json").write_bytes(content)
    write(tmp_path, vouch(DOCUMENTS, key, None, NOW))
    first = published(tmp_path)
    assert first is not None
    assert write(tmp_path, vouch_again(tmp_path, key, first, NOW)) == ["timestamp.json"]
    due = NOW + SNAPSHOT_LASTS - MARGIN + timedelta(seconds=1)
    assert len(vouch_again(tmp_path, key, first, due)) == 2


def test_a_key_that_the_root_does_not_name_is_refused(tmp_path: Path) -> None:
    repository = Authority.new(tmp_path / "a").repository
    documents = repository.documents()
    check_server_key(documents, Key.load(repository.server_key))
    with pytest.raises(TrustError, match="not the one"):
        check_server_key(documents, Key.generate())
