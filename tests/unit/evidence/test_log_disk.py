"""The file of a log: one writer, and nothing that is half there."""

import os
from pathlib import Path

import pytest

from protech.errors import ConfigError, SourceError
from protech.evidence.log_disk import cut, extend, open_file, unreadable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "frames"
    path.write_bytes(b"0123456789")
    return path


def test_one_writes_and_others_read(path: Path) -> None:
    writer = open_file(path, for_writing=True)
    reader = open_file(path, for_writing=False)
    with pytest.raises(ConfigError, match="Another process"):
        open_file(path, for_writing=True)
    os.close(writer)
    os.close(open_file(path, for_writing=True))
    os.close(reader)


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(SourceError):
        open_file(tmp_path / "link", for_writing=False)


def test_a_file_is_extended_and_cut(path: Path) -> None:
    descriptor = open_file(path, for_writing=True)
    extend(descriptor, b"abc", at=10)
    assert path.read_bytes() == b"0123456789abc"
    cut(descriptor, 5)
    cut(descriptor, 7)
    assert path.read_bytes() == b"01234"
    os.close(descriptor)


def test_what_cannot_be_written_is_told(path: Path) -> None:
    descriptor = open_file(path, for_writing=False)
    with pytest.raises(OSError, match=r"."):
        extend(descriptor, b"abc", at=10)
    with pytest.raises(ConfigError, match="make room"):
        cut(descriptor, 5)
    assert path.read_bytes() == b"0123456789"
    os.close(descriptor)


def test_what_cannot_be_read_is_told() -> None:
    assert "mend the disk" in str(unreadable(OSError(5, "Input/output error")))
