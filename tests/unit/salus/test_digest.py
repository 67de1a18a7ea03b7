import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.salus.digest import CHUNK_BYTES, digest, digest_descriptor
from protech.types import Digests


def _expected(content: bytes) -> Digests:
    return Digests(
        md5=hashlib.md5(content).digest(),
        sha1=hashlib.sha1(content).digest(),
        sha256=hashlib.sha256(content).digest(),
    )


def _of_file(path: Path, size_bytes: int) -> Digests:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return digest_descriptor(descriptor, size_bytes=size_bytes)
    finally:
        os.close(descriptor)


@given(st.binary(max_size=4000))
def test_bytes_have_the_three_digests_of_hashlib(content: bytes) -> None:
    assert digest(content) == _expected(content)


@pytest.mark.parametrize("size_bytes", [0, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_a_file_and_its_bytes_have_the_same_digests(tmp_path: Path, size_bytes: int) -> None:
    content = os.urandom(size_bytes)
    path = tmp_path / "item"
    path.write_bytes(content)
    assert digest(content) == _of_file(path, size_bytes) == _expected(content)


def test_a_view_of_wider_items_is_read_as_bytes() -> None:
    content = bytes(range(240))
    assert digest(memoryview(content).cast("I")) == _expected(content)


def test_a_file_that_grew_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "item"
    path.write_bytes(b"first and more")
    assert _of_file(path, 5) == _expected(b"first")


def test_a_file_that_shrank_gives_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "item"
    path.write_bytes(b"left")
    assert _of_file(path, 1000) == _expected(b"left")


def test_the_offset_of_the_descriptor_stays(tmp_path: Path) -> None:
    path = tmp_path / "item"
    path.write_bytes(b"0123456789")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.lseek(descriptor, 3, os.SEEK_SET)
        digest_descriptor(descriptor, size_bytes=10)
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 3
    finally:
        os.close(descriptor)


def test_no_digest_is_in_the_repr() -> None:
    assert repr(digest(b"x")) == "Digests()"
