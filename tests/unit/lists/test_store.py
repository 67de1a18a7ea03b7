"""Opening known lists by path or name."""

import os
from pathlib import Path

import pytest

from protech.errors import ListFormatError, SourceError
from protech.lists.store import open_list
from tests.listed import header, write


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "lists"


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", b"{}\n", b'{"protech_list": 2}\n'])
def test_what_is_no_list_is_refused(tmp_path: Path, cache: Path, content: bytes) -> None:
    (tmp_path / "l").write_bytes(content)
    with pytest.raises(ListFormatError, match="Make it again"):
        open_list(tmp_path / "l", cache=cache)


def test_a_path_without_a_list_is_refused(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(SourceError, match="check its path"):
        open_list(tmp_path / "none", cache=cache)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(SourceError, match="is not a file"):
            open_list(path, cache=cache)


def test_a_list_that_changes_meanwhile_is_refused(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "l", header())
    open_list(path, cache=cache)
    real = os.pread

    def pread(descriptor: int, size: int, at: int) -> bytes:
        if at:
            os.utime(path, ns=(0, 0))
        return real(descriptor, size, at)

    monkeypatch.setattr(os, "pread", pread)
    with pytest.raises(ListFormatError, match="changed while it was read"):
        open_list(path, cache=cache)
