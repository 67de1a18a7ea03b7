"""Opening what is to be judged: bytes, files, pipes, and files that change meanwhile."""

import hashlib
import os
from pathlib import Path

import pytest

from protech.errors import SourceError
from protech.salus.intake import Watch, digests, head, opened, sha256_in_memory
from protech.salus.sniff import SNIFF_BYTES
from protech.types import Kind, Media


@pytest.mark.parametrize("content", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_bytes_of_every_kind_are_taken(content: bytes | bytearray | memoryview) -> None:
    with opened(content, claims=Kind.IMAGE) as media:
        assert media.size_bytes == 3
        assert media.claims is Kind.IMAGE
        assert head(media) == b"abc"


def test_file_and_bytes_give_the_same_digests(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    path = tmp_path / "item"
    path.write_bytes(content)
    with opened(path) as file, opened(content) as memory:
        assert digests(file) == digests(memory)
        assert digests(file).sha256 == hashlib.sha256(content).digest()
        assert head(file) == head(memory) == content[:SNIFF_BYTES]


def test_bytes_in_memory_have_a_quick_sha256_and_files_none(tmp_path: Path) -> None:
    path = tmp_path / "item"
    path.write_bytes(b"x")
    with opened(path) as file, opened(b"x") as memory:
        assert sha256_in_memory(memory) == digests(memory).sha256
        assert sha256_in_memory(file) is None


def test_media_passes_as_it_is() -> None:
    media = Media(content=b"x", size_bytes=1)
    with opened(media) as same:
        assert same is media


def test_missing_path_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist; check"), opened(tmp_path / "no"):
        pass


def test_pipe_and_directory_are_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(SourceError, match="not a regular file"), opened(path):
            pass


def test_descriptor_is_closed_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "item"
    path.write_bytes(b"x")
    with opened(path) as media:
        descriptor = media.descriptor
    assert descriptor is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_change_while_open_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "item"
    path.write_bytes(b"before")
    with opened(path) as media:
        watch = Watch.of(media)
        assert not watch.has_changed(media)
        path.write_bytes(b"behind")
        os.utime(path, (1, 1))
        assert watch.has_changed(media)


def test_size_that_was_not_true_at_the_start_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "item"
    path.write_bytes(b"four")
    with path.open("rb") as file:
        media = Media(descriptor=file.fileno(), size_bytes=3)
        assert Watch.of(media).has_changed(media)


def test_bytes_never_change() -> None:
    media = Media(content=b"x", size_bytes=1)
    assert not Watch.of(media).has_changed(media)
