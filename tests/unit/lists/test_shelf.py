"""The versions of one list: which is current, what is kept beside it, what is swept away."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.lists.shelf import CURRENT, PREVIOUS, HeldList, Shelf
from tests.repository import header, lines, plain, target_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def put(shelf: Shelf, folder: Path, version: int, *, is_sealed: bool = False) -> HeldList:
    head = header(version=version, is_sealed=is_sealed)
    content = plain(head, lines(version, 3))
    file = folder / "coming"
    file.write_bytes(content)
    return shelf.put(file, target_of(content, head), NOW)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "list"


@pytest.fixture
def shelf(folder: Path) -> Shelf:
    return Shelf(folder)


def test_nothing_is_current_at_first(shelf: Shelf) -> None:
    assert (shelf.current(), shelf.previous()) == (None, None)


@pytest.mark.parametrize("is_sealed", [True, False])
def test_what_was_put_is_current(shelf: Shelf, tmp_path: Path, is_sealed: bool) -> None:
    held = put(shelf, tmp_path, 1, is_sealed=is_sealed)
    assert shelf.current() == held
    assert held.path.suffix == (".age" if is_sealed else ".list")
    assert held.path.read_bytes() == plain(header(version=1, is_sealed=is_sealed), lines(1, 3))
    assert not (tmp_path / "coming").exists()


def test_the_version_before_is_kept_until_the_new_one_is_in_use(
    shelf: Shelf, folder: Path, tmp_path: Path
) -> None:
    first, second, third = (put(shelf, tmp_path, version) for version in (1, 2, 3))
    assert (shelf.current(), shelf.previous()) == (third, second)
    assert names(folder) == {CURRENT, PREVIOUS, second.path.name, third.path.name}
    assert not first.path.exists()
    shelf.settle()
    assert names(folder) == {CURRENT, third.path.name}
    shelf.settle()
    assert shelf.current() == third


def test_the_same_version_put_again_is_not_its_own_predecessor(
    shelf: Shelf, folder: Path, tmp_path: Path
) -> None:
    put(shelf, tmp_path, 1)
    held = put(shelf, tmp_path, 1)
    assert names(folder) == {CURRENT, held.path.name}


def test_what_a_kill_left_is_swept(shelf: Shelf, folder: Path, tmp_path: Path) -> None:
    held = put(shelf, tmp_path, 1)
    (folder / "7-0123456789abcdef.full.list").write_bytes(b"orphan")
    (folder / ".current.json-abc").write_bytes(b"half")
    shelf.sweep()
    assert names(folder) == {CURRENT, held.path.name}


def test_a_damaged_record_of_the_version_before_keeps_nothing(
    shelf: Shelf, folder: Path, tmp_path: Path
) -> None:
    put(shelf, tmp_path, 1)
    held = put(shelf, tmp_path, 2)
    (folder / PREVIOUS).write_bytes(b"{")
    with pytest.raises(TrustError):
        shelf.previous()
    shelf.sweep()
    assert names(folder) == {CURRENT, PREVIOUS, held.path.name}


def test_nothing_is_swept_where_nobody_can_say_what_is_needed(
    shelf: Shelf, folder: Path, tmp_path: Path
) -> None:
    put(shelf, tmp_path, 1)
    (folder / CURRENT).write_bytes(b"{")
    before = names(folder)
    shelf.sweep()
    assert names(folder) == before
    held = put(shelf, tmp_path, 2)
    assert shelf.current() == held
    assert shelf.previous() is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"{", b'{"v": 1}', b"[" * 100_000, b"\xff", b'{"v":1,"target":3}'],
)
def test_a_damaged_record_is_said_to_be(
    shelf: Shelf, folder: Path, tmp_path: Path, content: bytes
) -> None:
    put(shelf, tmp_path, 1)
    (folder / CURRENT).write_bytes(content)
    with pytest.raises(TrustError, match="was damaged"):
        shelf.current()


@pytest.mark.parametrize(
    "change", [{"v": 2}, {"file": "../../../etc/passwd"}, {"fresh_until": "x"}]
)
def test_a_record_of_another_kind_is_refused(
    shelf: Shelf, folder: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    put(shelf, tmp_path, 1)
    record = json.loads((folder / CURRENT).read_bytes())
    (folder / CURRENT).write_text(json.dumps({**record, **change}))
    with pytest.raises(TrustError, match="was damaged"):
        shelf.current()


def test_a_record_that_cannot_be_read_is_no_empty_shelf(
    shelf: Shelf, folder: Path, tmp_path: Path
) -> None:
    put(shelf, tmp_path, 1)
    (folder / CURRENT).unlink()
    (folder / CURRENT).mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        shelf.current()


def test_a_list_is_stale_from_the_moment_on(shelf: Shelf, tmp_path: Path) -> None:
    held = put(shelf, tmp_path, 1)
    assert held.is_stale(NOW)
    assert not held.is_stale(NOW.replace(year=2025))


def test_a_renewed_version_is_the_same_and_fresh_for_longer(
    shelf: Shelf, tmp_path: Path
) -> None:
    held = put(shelf, tmp_path, 1)
    longer = replace(held, fresh_until=NOW.replace(year=2027))
    shelf.renew(longer)
    assert shelf.current() == longer


def test_only_the_user_can_read_what_is_there(
    shelf: Shelf, folder: Path, tmp_path: Path
) -> None:
    put(shelf, tmp_path, 1)
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / CURRENT).stat().st_mode & 0o077 == 0


def test_neither_path_nor_digest_shows(shelf: Shelf, tmp_path: Path) -> None:
    held = put(shelf, tmp_path, 1)
    assert str(tmp_path) not in repr(held)
    assert held.target.sha256.hex()[:8] not in repr(held)
