"""A video is read where the demuxer wants, never past what it was said to be."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from protech.salus.frames import Undecodable
from protech.salus.seekable import InMemory, OnDisk, Raw, Seekable
from protech.types import Unscannable

DATA = bytes(range(200))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "item"
    path.write_bytes(DATA)
    return path


def never() -> bool:
    return False


def reason_of(act: Callable[[], object]) -> Unscannable:
    with pytest.raises(Undecodable) as broken:
        act()
    return broken.value.reason


def test_memory_and_disk_read_alike(path: Path) -> None:
    with path.open("rb") as file:
        sources: list[Seekable] = [
            InMemory(DATA),
            InMemory(memoryview(DATA)),
            OnDisk(file.fileno(), size_bytes=200),
        ]
        for source in sources:
            assert source.size_bytes == 200
            assert source.at(0, 3) == DATA[:3]
            assert source.at(190, 100) == DATA[190:]
            assert source.at(200, 5) == b""
            assert source.at(10**12, 5) == b""


def test_a_file_of_another_length_has_changed(path: Path) -> None:
    with path.open("rb") as file:
        longer = OnDisk(file.fileno(), size_bytes=201)
        assert reason_of(lambda: longer.at(150, 51)) is Unscannable.CHANGED
        assert longer.at(0, 100) == DATA[:100]
        shorter = reason_of(lambda: OnDisk(file.fileno(), size_bytes=199))
        assert shorter is Unscannable.CHANGED


def test_a_file_that_shrinks_meanwhile_has_changed(path: Path) -> None:
    with path.open("r+b") as file:
        source = OnDisk(file.fileno(), size_bytes=200)
        file.truncate(100)
        assert reason_of(lambda: source.at(90, 20)) is Unscannable.CHANGED


def test_what_cannot_be_read_is_unreadable() -> None:
    ours, theirs = os.pipe()
    try:
        reason = reason_of(lambda: OnDisk(ours, size_bytes=1))
        assert reason is Unscannable.UNREADABLE
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_demuxer_reads_and_seeks_as_in_a_file() -> None:
    raw = Raw(InMemory(DATA), is_late=never)
    assert raw.read(5) == DATA[:5]
    assert raw.seek(10) == 10
    assert raw.read(2) == DATA[10:12]
    assert raw.seek(-3, io.SEEK_CUR) == raw.tell() == 9
    assert raw.seek(-1, io.SEEK_END) == 199
    assert raw.read(9) == DATA[199:]
    assert raw.read(9) == b""
    assert raw.seek(-5) == 0
    assert raw.failure is None


def test_nothing_is_read_after_the_deadline() -> None:
    late = False
    raw = Raw(InMemory(DATA), is_late=lambda: late)
    assert raw.read(1) == DATA[:1]
    late = True
    assert raw.read(1) == b""
    assert raw.failure is Unscannable.TIMED_OUT
    late = False
    assert raw.read(1) == b""
    assert reason_of(raw.require) is Unscannable.TIMED_OUT


def test_a_failed_read_is_the_end_and_says_why(path: Path) -> None:
    with path.open("rb") as file:
        raw = Raw(OnDisk(file.fileno(), size_bytes=300), is_late=never)
        raw.seek(250)
        assert raw.read(10) == b""
        assert reason_of(raw.require) is Unscannable.CHANGED
