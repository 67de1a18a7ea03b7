"""What a log says of itself: read back, and refused where it is not that."""

import os
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.evidence.ciphers import NONCE_BYTES
from protech.evidence.frames import ABOUT, Head, about_frame
from protech.evidence.log_about import About, read_about

ABOUT_LOG = About.new("protech/case/1", bytes(32))


def read(tmp_path: Path, content: bytes) -> About:
    path = tmp_path / "frames"
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return read_about(descriptor)
    finally:
        os.close(descriptor)


def test_it_comes_back(tmp_path: Path) -> None:
    assert read(tmp_path, ABOUT_LOG.frame) == ABOUT_LOG


def test_no_two_logs_are_the_same() -> None:
    assert About.new("a", bytes(32)).log_id != About.new("a", bytes(32)).log_id


def test_an_origin_with_a_space_is_refused() -> None:
    with pytest.raises(TrustError):
        About.new("a b", bytes(32))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"[" * 15_000,
        b'{"v":2}',
        b'{"v":1}',
        b'{"v":1,"key":1}',
        b'{"v":1,"key":"x"}',
    ],
)
def test_what_says_something_else_is_refused(tmp_path: Path, said: bytes) -> None:
    with pytest.raises(TrustError):
        read(tmp_path, about_frame(bytes(16), said))


def test_a_cut_or_changed_frame_is_refused(tmp_path: Path) -> None:
    frame = ABOUT_LOG.frame
    for cut in range(0, len(frame), 7):
        with pytest.raises(TrustError, match="frame 0"):
            read(tmp_path, frame[:cut])


def test_a_first_frame_of_records_is_refused(tmp_path: Path) -> None:
    head = Head(
        kind=ABOUT + 1,
        number=0,
        first=0,
        body_bytes=0,
        log_id=bytes(16),
        nonce=bytes(NONCE_BYTES),
        count=0,
    )
    with pytest.raises(TrustError):
        read(tmp_path, head.content + bytes(4))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_about(descriptor)
    os.close(descriptor)
