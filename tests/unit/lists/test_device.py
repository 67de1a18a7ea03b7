"""The lists that a device keeps: killed, crowded, full, or looked at by others."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest

from protech.errors import ConfigError, SourceError, TrustError
from protech.lists.device import DeviceLists
from protech.lists.entries import Use
from protech.lists.keys import make_device_key
from protech.lists.sync.flow import sync
from protech.lists.trust import TargetKind
from tests.repository import LIST, OTHER_LIST, Repository, lines

ROOT = Path(__file__).resolve().parents[3]
KILLED = Path(__file__).parent / "sync" / "killed.py"
ENTRIES = lines(1, 40)


class Kept:
    """A device that has synced a repository in a directory."""

    def __init__(self, folder: Path) -> None:
        self.device = DeviceLists(folder / "state" / "lists")
        recipient = make_device_key(self.device.key)
        self.repository = Repository(folder / "repository", recipients=[recipient])
        self.repository.add(ENTRIES)
        self.repository.add(lines(2, 20), name=OTHER_LIST, is_sealed=True)
        self.repository.publish()
        self.sync()

    def sync(self) -> None:
        done = sync(self.device, str(self.repository.folder), root=self.repository.first_root)
        assert done.error is None

    def content(self, name: str = LIST) -> bytes:
        with self.device.opened(name) as (held, descriptor):
            return os.pread(descriptor, held.target.size_bytes + 1, 0)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_a_device_without_lists_says_so(tmp_path: Path) -> None:
    device = DeviceLists(tmp_path / "none")
    assert device.lists() == ()
    assert device.repositories() == []
    with pytest.raises(SourceError, match="protech lists sync"):
        device.find(LIST)
    with pytest.raises(ConfigError, match="protech lists keys device"):
        device.identity()
    assert not device.folder.exists()


def test_lists_are_found_by_name_and_use(kept: Kept) -> None:
    assert [held.name for held in kept.device.lists()] == [LIST, OTHER_LIST]
    assert [held.name for held in kept.device.lists(Use.GUARD)] == [LIST, OTHER_LIST]
    assert kept.device.lists(Use.LOCATE) == ()
    assert kept.device.lists(kind=TargetKind.EXCEPTIONS) == ()
    assert kept.device.find(LIST, Use.TRIAGE).target.version == 1
    with pytest.raises(TrustError, match="not for messaging"):
        kept.device.find(LIST, Use.MESSAGING)


@pytest.mark.parametrize("name", ["", ".", "..", "../..", "/etc", f"../{LIST}", LIST.upper()])
def test_what_is_no_name_of_a_list_is_none(kept: Kept, name: str) -> None:
    with pytest.raises(SourceError, match="There is no list"):
        kept.device.find(name)


def test_a_damaged_record_is_no_fault_of_the_list_beside_it(kept: Kept) -> None:
    path = kept.device.find(OTHER_LIST).path
    (path.parent / "current.json").write_bytes(b"{")
    with pytest.raises(TrustError, match="was damaged"):
        kept.device.find(OTHER_LIST)
    assert kept.content(LIST) == kept.repository.contents[LIST, 1]


def test_a_list_is_opened_as_it_was_signed_sealed_or_not(kept: Kept) -> None:
    for name in (LIST, OTHER_LIST):
        assert kept.content(name) == kept.repository.contents[name, 1]


def test_a_list_that_was_changed_here_is_not_opened(kept: Kept) -> None:
    path = kept.device.find(LIST).path
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(TrustError, match="was damaged on this device"):
        kept.content()
    path.unlink()
    with pytest.raises(TrustError, match="was damaged on this device"):
        kept.content()


def test_all_of_it_is_the_users_alone(kept: Kept) -> None:
    paths = [kept.device.folder, *kept.device.folder.rglob("*")]
    assert [
        path for path in paths if path.lstat().st_mode & 0o077 and not path.is_symlink()
    ] == []


def test_a_directory_that_is_open_to_others_is_refused(kept: Kept) -> None:
    kept.device.folder.chmod(0o755)
    with pytest.raises(TrustError, match="open to others"):
        kept.sync()


def test_two_syncs_at_once_wait_for_each_other(tmp_path: Path) -> None:
    device = DeviceLists(tmp_path / "device")
    repository = Repository(tmp_path / "repository", recipients=[make_device_key(device.key)])
    repository.add(ENTRIES)
    repository.publish()
    waits = Event()
    second = Thread(
        target=sync,
        args=(device, str(repository.folder)),
        kwargs={"root": repository.first_root, "on_wait": waits.set},
    )
    with device.turn():
        second.start()
        assert waits.wait(60)
        assert device.lists() == ()
    second.join()
    assert [held.name for held in device.lists()] == [LIST]


def test_many_syncs_at_once_all_end_with_the_same_list(kept: Kept) -> None:
    kept.repository.add(ENTRIES | lines(3, 2), version=2, base=1)
    kept.repository.publish()
    threads = [Thread(target=kept.sync) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept.content() == kept.repository.contents[LIST, 2]


def test_who_reads_while_lists_are_swapped_never_sees_half_of_one(kept: Kept) -> None:
    whole = {kept.repository.contents[LIST, 1]}
    is_over = Event()
    wrong: list[str] = []

    def read() -> None:
        while not is_over.is_set():
            content = kept.content()
            if content not in whole:
                wrong.append(f"{len(content)} bytes")

    reader = Thread(target=read)
    reader.start()
    try:
        for version in range(2, 8):
            kept.repository.add(ENTRIES | lines(version, 3), version=version)
            whole.add(kept.repository.contents[LIST, version])
            kept.repository.publish()
            kept.sync()
    finally:
        is_over.set()
        reader.join()
    assert wrong == []


def test_the_version_before_goes_once_the_new_one_is_in_use(kept: Kept) -> None:
    before = kept.device.find(LIST)
    kept.repository.add(ENTRIES | lines(3, 2), version=2)
    kept.repository.publish()
    kept.sync()
    now = kept.device.find(LIST)
    kept.device.settle(before)
    assert before.path.exists()
    with kept.device.turn():
        kept.device.settle(now)
    assert before.path.exists()
    kept.device.settle(now)
    assert not before.path.exists()
    assert kept.content() == kept.repository.contents[LIST, 2]


def test_a_repository_can_be_forgotten(kept: Kept) -> None:
    (pinned,) = kept.device.repositories()
    kept.device.forget(pinned)
    assert kept.device.lists() == ()
    assert not pinned.folder.exists()


def test_a_first_sync_that_failed_leaves_nothing_behind(tmp_path: Path) -> None:
    device = DeviceLists(tmp_path / "device")
    repository = Repository(tmp_path / "repository", recipients=[make_device_key(device.key)])
    repository.timestamp.signed.expires = datetime(2026, 1, 1, tzinfo=UTC)
    repository.publish()
    for _ in range(2):
        with pytest.raises(TrustError, match="expired"):
            sync(device, str(repository.folder), root=repository.first_root)
        assert device.repositories() == []
    with device.turn():
        device.sweep()
    assert list((device.folder / "repositories").iterdir()) == []


@pytest.fixture
def small_files() -> Iterator[None]:
    """Give the limit back that a test sets: how large a file may become, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 100, 700, 2000, 4000, 6000])
def test_a_full_disk_leaves_the_old_list_and_says_so(
    kept: Kept, small_files: None, room: int
) -> None:
    kept.repository.add(ENTRIES | lines(4, 30), version=2)
    kept.repository.publish()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    with pytest.raises(ConfigError, match="make room"):
        kept.sync()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert kept.content() == kept.repository.contents[LIST, 1]
    kept.sync()
    assert kept.content() == kept.repository.contents[LIST, 2]


def test_a_disk_that_fills_while_a_delta_is_applied_leaves_the_old_list(
    kept: Kept, small_files: None
) -> None:
    entries = lines(5, 300)
    kept.repository.add(entries, version=2)
    kept.repository.publish()
    kept.sync()
    kept.repository.add(entries | lines(6, 2), version=3, base=2)
    kept.repository.publish()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    with pytest.raises(ConfigError, match=r"The list cannot be written: .*; make room"):
        kept.sync()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert kept.content() == kept.repository.contents[LIST, 2]


def killed(folder: Path, kind: str, every: int) -> dict[str, object]:
    """Kill a sync at every so-manyth of its steps; return what was found."""
    done = subprocess.run(
        [sys.executable, KILLED, folder, kind, str(every)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    report: dict[str, object] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("kind", ["first", "delta"])  # each kind: see the slow one
def test_a_sync_killed_leaves_the_old_list_in_use(tmp_path: Path, kind: str) -> None:
    report = killed(tmp_path, kind, 4)
    assert (report["lost"], report["stuck"]) == ([], [])
    assert report["old"]
    assert report["new"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["first", "full", "delta", "sealed"])
def test_a_sync_killed_anywhere_leaves_the_old_list_in_use(tmp_path: Path, kind: str) -> None:
    report = killed(tmp_path, kind, 1)
    assert (report["lost"], report["stuck"]) == ([], [])
