"""What was fetched, on its way to a list that may be put in place."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from protech.errors import TrustError
from protech.lists.shelf import HeldList
from protech.lists.sync.plain import Sink, is_whole
from protech.lists.trust import ListTarget
from tests.repository import header, lines, plain, target_of

HEAD = header(version=4)
CONTENT = plain(HEAD, lines(1, 20))
TARGET = target_of(CONTENT, HEAD)


@pytest.mark.parametrize("piece", [1, 7, len(CONTENT)])
def test_a_list_is_checked_whatever_the_pieces_it_comes_in(piece: int) -> None:
    out = io.BytesIO()
    sink = Sink(out, most_bytes=len(CONTENT))
    for at in range(0, len(CONTENT), piece):
        sink.write(CONTENT[at : at + piece])
    sink.flush()
    sink.check(TARGET)
    assert out.getvalue() == CONTENT


def test_more_than_was_signed_is_not_written() -> None:
    out = io.BytesIO()
    sink = Sink(out, most_bytes=len(CONTENT))
    sink.write(CONTENT)
    sink.write(b"more")
    assert out.getvalue() == CONTENT
    with pytest.raises(TrustError, match="not what was signed"):
        sink.check(TARGET)


@pytest.mark.parametrize(
    "wrong", [replace(TARGET, size_bytes=1), replace(TARGET, sha256=bytes(32))]
)
def test_another_size_or_digest_is_refused(wrong: ListTarget) -> None:
    sink = Sink(most_bytes=0)
    sink.write(CONTENT)
    with pytest.raises(TrustError, match="not what was signed"):
        sink.check(wrong)


def test_a_file_that_is_gone_is_not_whole(tmp_path: Path) -> None:
    held = HeldList(target=TARGET, fresh_until=HEAD.created_at, path=tmp_path / "list")
    assert not is_whole(held, "")
    held.path.write_bytes(CONTENT)
    assert is_whole(held, "")
    held.path.write_bytes(CONTENT[:-1])
    assert not is_whole(held, "")
