"""Walking what a person names: everything once, in order, nothing followed or waited at."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import SourceError
from protech.salus import walk as walk_module
from protech.salus.walk import Found, opened, shown, walk
from protech.types import Kind, Unscannable


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def names(top: Path) -> list[str]:
    return [str(found.path.relative_to(top)) for found in walk(top)]


def test_files_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a", "c", "B", "b/a/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert names(tmp_path) == ["B", "a", "b/1", "b/2", "b/a/x", "c"]


def test_one_file_is_a_walk_of_one(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert list(walk(tmp_path / "a")) == [Found(path=tmp_path / "a")]


def test_links_below_are_passed_over_and_loops_end(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").touch()
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    (tmp_path / "in" / "self").symlink_to("self")
    (tmp_path / "in" / "passwd").symlink_to("/etc/passwd")
    assert names(tmp_path) == ["in/file"]


def test_a_directory_inside_itself_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    monkeypatch.setattr(walk_module, "_inode", lambda state: (1, min(state.st_size, 1)))
    assert names(tmp_path / "a") == ["file"]


def test_a_link_that_is_named_is_followed(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "file").write_bytes(b"abc")
    (tmp_path / "to-dir").symlink_to("dir")
    (tmp_path / "to-file").symlink_to("dir/file")
    assert names(tmp_path / "to-dir") == ["file"]
    (found,) = walk(tmp_path / "to-file")
    with opened(found) as media:
        assert media.size_bytes == 3


def test_a_link_to_itself_that_is_named_is_refused(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to("self")
    with pytest.raises(SourceError, match="check the path"):
        walk(tmp_path / "self")


def test_pipes_and_sockets_are_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(tmp_path / "sock"))
        (tmp_path / "file").touch()
        assert names(tmp_path) == ["file"]
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(SourceError, match="neither a file nor a directory"):
            walk(path)


def test_a_path_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        walk(tmp_path / "none")


def test_what_is_left_out_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "rows").touch()
    (tmp_path / "file").touch()
    state = (tmp_path / "rows").stat()
    out = frozenset({(state.st_dev, state.st_ino)})
    assert [found.path.name for found in walk(tmp_path, leave_out=out)] == ["file"]
    assert list(walk(tmp_path / "rows", leave_out=out)) == []


def test_a_directory_that_cannot_be_listed_is_an_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/1", "b/2", "c/3"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    real = os.scandir

    def scandir(path: Path) -> object:
        if path == tmp_path / "b":
            raise PermissionError
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = list(walk(tmp_path))
    assert [one.path.name for one in found] == ["1", "b", "3"]
    assert [one.unscannable for one in found] == [None, Unscannable.UNREADABLE, None]


def test_a_name_that_cannot_be_looked_at_is_an_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    real = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        if path.name == "a":
            raise OSError("bad sector")
        return real(path)

    monkeypatch.setattr(Path, "lstat", lstat)
    assert [one.unscannable for one in walk(tmp_path)] == [Unscannable.UNREADABLE, None]


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("a.jpg", Kind.IMAGE),
        ("a.b.HEIC", Kind.IMAGE),
        ("a.Mp4", Kind.VIDEO),
        ("a.txt", None),
        ("jpg", None),
        (".jpg", None),
        ("a.", None),
    ],
)
def test_a_name_claims_what_its_ending_says(name: str, claims: Kind | None) -> None:
    assert Found(path=Path("dir.png") / name).claims is claims


@given(st.binary(min_size=1, max_size=40).filter(lambda name: not set(name) & {0, 47}))
def test_any_name_is_shown_on_one_line_without_moving_the_cursor(name: bytes) -> None:
    text = shown(os.fsdecode(name))
    assert text.isprintable()
    assert len(text.splitlines()) <= 1


def test_a_name_that_is_not_utf8_is_walked_and_opened(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\xfe.jpg"
    os.close(os.open(raw, os.O_CREAT | os.O_WRONLY))
    (found,) = walk(tmp_path)
    assert os.fsencode(found.path) == raw
    assert shown(found.path).endswith("\ufffd\ufffd.jpg")
    with opened(found) as media:
        assert media.size_bytes == 0


def test_what_became_a_link_or_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    before = descriptors()
    for name in ("pipe", "link", "none"):
        with (
            pytest.raises(OSError, match=r"file|symbolic"),
            opened(Found(path=tmp_path / name)),
        ):
            pass
    assert descriptors() == before


def test_no_repr_shows_a_name() -> None:
    assert "secret" not in repr(Found(path=Path("secret")))
