"""The indexes of lists: built once, checked, swept."""

import errno
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.errors import ConfigError, ListFormatError
from protech.lists import indexes
from protech.lists.indexes import BAD_SHOWN, LOCK, UNUSED_FOR
from protech.lists.store import open_list
from tests.listed import ASKED, ENTRY, HASH, header, write


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "lists"


def test_an_index_is_built_once_for_a_content(tmp_path: Path, cache: Path) -> None:
    open_list(write(tmp_path / "l", header()), cache=cache)
    before = {path: path.stat().st_ino for path in cache.rglob("*")}
    (tmp_path / "l").rename(tmp_path / "m")
    open_list(tmp_path / "m", cache=cache)
    assert {path: path.stat().st_ino for path in cache.rglob("*")} == before
    open_list(write(tmp_path / "m", header(version=4)), cache=cache)
    assert len([path for path in cache.iterdir() if path.name != LOCK]) == 2


def test_a_damaged_index_is_built_again(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "l", header())
    open_list(path, cache=cache)
    spoilt = next(cache.rglob("pdq.hashes"))
    spoilt.write_bytes(b"\1" * 32)
    assert open_list(path, cache=cache).near([HASH])[0].distance_bits == 1
    assert next(cache.rglob("pdq.hashes")).read_bytes() == bytes(32)


def test_the_index_of_another_list_is_not_taken_for_this_ones(
    tmp_path: Path, cache: Path
) -> None:
    path = write(tmp_path / "l", header())
    open_list(path, cache=cache)
    (mine,) = (place for place in cache.iterdir() if place.name != LOCK)
    open_list(write(tmp_path / "m", header(), []), cache=cache)
    (other,) = (place for place in cache.iterdir() if place.name not in {LOCK, mine.name})
    shutil.rmtree(mine)
    other.rename(mine)
    assert len(open_list(path, cache=cache).exact(ASKED)) == 3


def test_bad_lines_are_counted_and_named_and_the_good_kept(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "l", header(), [ENTRY, ENTRY, ENTRY])
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b'{"label": "b", "md5": "zz"}\n'
    path.write_bytes(b"".join(lines))
    reading = open_list(path, cache=cache).reading
    assert (reading.entries, reading.bad) == (2, 1)
    assert [(bad.line, bad.reason) for bad in reading.first_bad] == [
        (3, "'md5' is not 32 hex digits")
    ]


def test_of_many_bad_lines_all_are_counted_and_the_first_named(
    tmp_path: Path, cache: Path
) -> None:
    path = write(tmp_path / "l", header(), [ENTRY] * 30)
    path.write_bytes(path.read_bytes().replace(b'"md5":"0', b'"md5":"x'))
    reading = open_list(path, cache=cache).reading
    assert (reading.entries, reading.bad, len(reading.first_bad)) == (0, 30, BAD_SHOWN)


def test_a_full_disk_says_so(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(indexes, "build", full)
    with pytest.raises(ConfigError, match=r"No space left on device; make room"):
        open_list(write(tmp_path / "l", header()), cache=cache)


@pytest.mark.parametrize("lines", [1, 2])
def test_a_list_that_was_cut_is_refused_and_leaves_nothing(
    tmp_path: Path, cache: Path, lines: int
) -> None:
    path = write(tmp_path / "l", header(), [ENTRY, ENTRY])
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:lines]))
    with pytest.raises(
        ListFormatError, match=f"has 2 entries, and has {lines - 1}: it was cut"
    ):
        open_list(path, cache=cache)
    assert [path.name for path in cache.iterdir()] == [LOCK]


def test_without_a_cache_directory_a_list_still_opens(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    known = open_list(write(tmp_path / "l", header()), cache=tmp_path / "cache" / "lists")
    assert len(known.exact(ASKED)) == 3


def test_a_cache_that_others_can_enter_is_not_used(tmp_path: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o755)
    assert len(open_list(write(tmp_path / "l", header()), cache=cache).exact(ASKED)) == 3
    assert list(cache.iterdir()) == []


def test_what_was_left_behind_is_swept(tmp_path: Path, cache: Path) -> None:
    open_list(write(tmp_path / "old", header(version=1)), cache=cache)
    manifest = next(cache.rglob("manifest"))
    long_ago = (datetime.now(UTC) - UNUSED_FOR * 2).timestamp()
    os.utime(manifest, (long_ago, long_ago))
    (cache / ".new-half").mkdir()
    open_list(write(tmp_path / "new", header(version=2)), cache=cache)
    left = [path for path in cache.iterdir() if path.name != LOCK]
    assert len(left) == 1
    assert left[0] != manifest.parent


def test_processes_that_build_at_once_all_get_the_list(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "l", header(), [ENTRY] * 500)
    code = (
        "import sys; from pathlib import Path; from protech.lists.store import open_list;"
        "print(open_list(Path(sys.argv[1]), cache=Path(sys.argv[2])).reading.entries)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, path, cache], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    assert [process.communicate()[0] for process in processes] == ["500\n"] * 3
    assert len([place for place in cache.iterdir() if place.name != LOCK]) == 1
