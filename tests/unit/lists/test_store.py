"""Opening known lists: built once, checked, refused for another use."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from protech.errors import ConfigError, ListFormatError, SourceError, TrustError
from protech.lists import store
from protech.lists.entries import (
    OWN_USES,
    Category,
    Entry,
    ListHeader,
    Use,
)
from protech.lists.formats.own import (
    ListWriter,
)
from protech.lists.store import BAD_SHOWN, LOCK, UNUSED_FOR, open_list
from protech.types import Digests, ListRef, Match, MatchKind, PdqHash

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ENTRY = Entry(label="a.jpg", md5=bytes(16), sha1=bytes(20), sha256=bytes(32), pdq=(bytes(32),))
ASKED = Digests(md5=bytes(16), sha1=bytes(20), sha256=bytes(32))
HASH = PdqHash(bits=bytes(31) + b"\1", quality=80)


HEADER = ListHeader(
    name="mine", version=3, category=Category.OWN, uses=OWN_USES, created_at=NOW
)


def header(**changes: Any) -> ListHeader:
    return replace(HEADER, **changes)


def write(path: Path, head: ListHeader, entries: Iterable[Entry] = (ENTRY,)) -> Path:
    with path.open("wb") as file:
        writer = ListWriter(file, head)
        for entry in entries:
            writer.write(entry)
        writer.finish()
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "lists"


def test_known_digests_and_hashes_match_with_their_label(tmp_path: Path, cache: Path) -> None:
    known = open_list(write(tmp_path / "l", header()), use="triage", cache=cache)
    source = ListRef(name="mine", version=3, stale=False)
    kinds = (MatchKind.SHA256, MatchKind.SHA1, MatchKind.MD5)
    assert known.exact(ASKED) == [
        Match(source=source, kind=kind, entry="a.jpg") for kind in kinds
    ]
    assert known.near([HASH]) == [
        Match(source=source, kind=MatchKind.PDQ, entry="a.jpg", distance_bits=1, quality=80)
    ]


def test_labels_of_lists_that_are_not_own_are_never_given(tmp_path: Path, cache: Path) -> None:
    known = open_list(write(tmp_path / "l", header(category=Category.CSAM)), cache=cache)
    assert {match.entry for match in known.exact(ASKED) + known.near([HASH])} == {None}


def test_a_harmless_list_matches_digests_and_no_likeness(tmp_path: Path, cache: Path) -> None:
    known = open_list(write(tmp_path / "l", header(category=Category.KNOWN_GOOD)), cache=cache)
    assert [match.is_known_good for match in known.exact(ASKED)] == [True] * 3
    assert known.near([HASH]) == []


def test_a_list_for_another_use_is_refused(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "l", header(uses=frozenset({Use.GUARD})))
    with pytest.raises(TrustError, match="is for guard, not for triage"):
        open_list(path, use="triage", cache=cache)
    open_list(path, use="guard", cache=cache)


def test_a_list_grows_stale_while_it_is_in_use(tmp_path: Path, cache: Path) -> None:
    times = iter([NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=2)])
    path = write(tmp_path / "l", header(expires_at=NOW + timedelta(hours=1)))
    known = open_list(path, cache=cache, clock=lambda: next(times))
    assert [known.ref.stale for _ in range(2)] == [False, True]
    assert known.exact(ASKED)[0].source.stale


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

    monkeypatch.setattr(store, "build", full)
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
