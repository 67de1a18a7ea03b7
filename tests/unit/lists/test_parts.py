import mmap
from pathlib import Path

import numpy as np
import pytest

from protech.lists.parts import BUFFER_BYTES, DiskFile, File, MemoryFile


def made(kind: str, folder: Path) -> File:
    return DiskFile(folder / "part") if kind == "disk" else MemoryFile(None)


@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_what_is_written_is_read(kind: str, tmp_path: Path) -> None:
    file = made(kind, tmp_path)
    content = np.arange(BUFFER_BYTES + 100, dtype=np.uint32).view(np.uint8)
    for start in range(0, len(content), 700_001):
        file.write(content[start : start + 700_001])
    assert file.read_at(4_000, 8).tolist() == content[4_000:4_008].tolist()
    view = file.view()
    file.close()
    np.testing.assert_array_equal(view, content)
    assert not view.flags.writeable


@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_nothing_can_be_written_and_read(kind: str, tmp_path: Path) -> None:
    file = made(kind, tmp_path)
    file.write(b"")
    assert len(file.view()) == 0
    file.close()


def test_a_file_is_its_owners_and_new(tmp_path: Path) -> None:
    DiskFile(tmp_path / "part").close()
    assert (tmp_path / "part").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        DiskFile(tmp_path / "part")


def test_a_passing_file_has_no_name(tmp_path: Path) -> None:
    file = DiskFile(tmp_path / "part", is_passing=True)
    assert list(tmp_path.iterdir()) == []
    file.write(b"abc")
    assert file.read_at(1, 2).tobytes() == b"bc"
    file.close()


def test_every_page_in_memory_is_locked_as_it_grows() -> None:
    locked: list[int] = []

    def lock(pages: mmap.mmap, size_bytes: int) -> None:
        assert len(pages) == size_bytes
        locked.append(size_bytes)

    file = MemoryFile(lock)
    for _ in range(5):
        file.write(bytes(mmap.PAGESIZE))
    assert locked == [mmap.PAGESIZE << doublings for doublings in range(4)]


def test_what_cannot_be_locked_is_not_kept() -> None:
    def refuse(pages: mmap.mmap, size_bytes: int) -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        MemoryFile(refuse)
