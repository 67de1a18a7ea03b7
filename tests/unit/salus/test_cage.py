"""One worker process, and what it costs when it is hostile; all are real processes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from protech.errors import ConfigError, ModelError, ProtechError
from protech.salus.cage import Cage, Lost
from protech.salus.sniff import MediaType
from protech.salus.wire import Operation, Ready
from protech.types import Measured, Media, Unscannable

HOSTILE = Path(__file__).with_name("hostile_worker.py")
SHORT_S = 0.4
"""Longer than a quick answer takes, short enough to wait for."""
LONG_S = 30.0
LARGE = 3 * 1024 * 1024
"""More than the buffers between two processes hold."""


@contextmanager
def started(how: str = "serve") -> Iterator[Cage]:
    cage = Cage.start([sys.executable, "-P", str(HOSTILE), how], {})
    try:
        yield cage
    finally:
        cage.end()


@pytest.fixture
def cage() -> Iterator[Cage]:
    with started() as one:
        one.await_ready(seconds=LONG_S)
        yield one


def ask(cage: Cage, deed: bytes, *, seconds: float = LONG_S) -> Measured:
    media = Media(content=deed, size_bytes=len(deed))
    return cage.ask(Operation.MEASURE, media, MediaType.PNG, seconds=seconds)


def lost(cage: Cage, deed: bytes, *, seconds: float = LONG_S) -> Unscannable:
    with pytest.raises(Lost) as raised:
        ask(cage, deed, seconds=seconds)
    return raised.value.reason


def test_a_worker_tells_that_it_is_locked(cage: Cage) -> None:
    assert isinstance(cage.ready, Ready)
    assert cage.ready.has_seccomp
    assert cage.ready.landlock_abi or cage.ready.has_namespaces
    assert cage.ready.warm_bytes > 0


def test_one_item_after_another_is_measured(cage: Cage) -> None:
    for name in (b"one", b"two", b"three"):
        measured = ask(cage, name)
        assert measured.frames[0].hashes[0].bits == name.ljust(32)
    assert cage.items == 3


def test_operation_and_media_type_arrive(cage: Cage) -> None:
    media = Media(content=b"12345", size_bytes=5)
    measured = cage.ask(Operation.HEADER, media, MediaType.GIF, seconds=LONG_S)
    assert (measured.width_px, measured.height_px) == (
        5,
        1 + list(MediaType).index(MediaType.GIF),
    )


@pytest.mark.parametrize(
    "deed",
    ["open", "proc", "parent", "socket", "abstract", "fork", "kill", "stderr"],
)
def test_a_hostile_worker_is_refused_and_serves_on(cage: Cage, deed: str) -> None:
    assert ask(cage, deed.encode()) == Measured(height_px=1 + 1)  # EPERM
    assert ask(cage, b"next").frames


@pytest.mark.parametrize("deed", ["exec", "ptrace"])
def test_a_hostile_worker_that_goes_further_is_ended(cage: Cage, deed: str) -> None:
    assert lost(cage, deed.encode()) is Unscannable.CRASHED


@pytest.mark.parametrize("deed", ["segv", "abort", "exit", "raise"])
def test_a_crash_loses_the_item(cage: Cage, deed: str) -> None:
    assert lost(cage, deed.encode()) is Unscannable.CRASHED


@pytest.mark.parametrize("deed", ["noise", "huge", "kind", "zeros", "ready", "other", "short"])
def test_what_is_no_answer_to_the_question_loses_the_item_at_once(
    cage: Cage, deed: str
) -> None:
    assert lost(cage, deed.encode()) is Unscannable.CRASHED


@pytest.mark.parametrize("deed", ["hang", "spin", "stuck", "trickle"])
def test_every_receive_has_a_deadline(cage: Cage, deed: str) -> None:
    begun = time.monotonic()
    assert lost(cage, deed.encode(), seconds=SHORT_S) is Unscannable.TIMED_OUT
    assert time.monotonic() - begun < SHORT_S + 2


def test_every_send_has_a_deadline() -> None:
    with started("deaf") as cage:
        cage.await_ready(seconds=LONG_S)
        full = bytes(LARGE)
        assert lost(cage, full, seconds=SHORT_S) is Unscannable.TIMED_OUT


def test_a_worker_that_is_not_ready_in_time_is_lost() -> None:
    with started("mute") as cage, pytest.raises(Lost) as raised:
        cage.await_ready(seconds=SHORT_S)
    assert raised.value.reason is Unscannable.TIMED_OUT


@pytest.mark.parametrize("how", ["gone", "noisy", "answering"])
def test_a_worker_that_does_not_say_ready_is_lost(how: str) -> None:
    with started(how) as cage, pytest.raises(Lost) as raised:
        cage.await_ready(seconds=LONG_S)
    assert raised.value.reason is Unscannable.CRASHED


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("refuse-models", ModelError, "card"),
        ("refuse-settings", ConfigError, "package"),
        ("lack-a-library", ConfigError, "libGL"),
    ],
)
def test_why_a_worker_cannot_start_reaches_the_operator(
    how: str, error: type[ProtechError], words: str
) -> None:
    with started(how) as cage, pytest.raises(error, match=words):
        cage.await_ready(seconds=LONG_S)


def test_a_worker_that_speaks_unasked_is_not_silent(cage: Cage) -> None:
    assert cage.is_silent()
    ask(cage, b"later")
    limit = time.monotonic() + LONG_S
    while cage.is_silent() and time.monotonic() < limit:
        time.sleep(0.01)
    assert not cage.is_silent()


def test_a_worker_that_is_gone_is_not_silent(cage: Cage) -> None:
    cage.kill()
    limit = time.monotonic() + LONG_S
    while cage.is_silent() and time.monotonic() < limit:
        time.sleep(0.01)
    assert not cage.is_silent()


def test_a_worker_s_whole_group_is_killed() -> None:
    with started("with-child") as cage:
        cage.await_ready(seconds=LONG_S)
        child = ask(cage, b"child").width_px
        assert child is not None
        assert is_running(child)
    limit = time.monotonic() + LONG_S
    while is_running(child) and time.monotonic() < limit:
        time.sleep(0.01)
    assert not is_running(child)


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("size_bytes", [0, 1, 100_000, LARGE])
def test_media_arrives_whole(cage: Cage, size_bytes: int) -> None:
    content = bytes(size_bytes)
    assert (ask(cage, content).width_px or 0) == len(content)


def test_media_may_be_a_view_of_wider_items(cage: Cage) -> None:
    view = memoryview(bytes(64)).cast("Q")
    media = Media(content=view, size_bytes=view.nbytes)
    assert cage.ask(Operation.MEASURE, media, MediaType.PNG, seconds=LONG_S).width_px == 64


def test_a_descriptor_is_read_from_its_start_and_left_where_it_was(
    cage: Cage, tmp_path: Path
) -> None:
    path = tmp_path / "item"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        file.seek(7)
        media = Media(descriptor=file.fileno(), size_bytes=10)
        measured = cage.ask(Operation.MEASURE, media, MediaType.PNG, seconds=LONG_S)
        assert measured.frames[0].hashes[0].bits == b"0123456789".ljust(32)
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 7


@pytest.mark.parametrize("size_bytes", [9, 11])
def test_a_file_of_another_size_than_said_has_changed(
    cage: Cage, tmp_path: Path, size_bytes: int
) -> None:
    path = tmp_path / "item"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        media = Media(descriptor=file.fileno(), size_bytes=size_bytes)
        measured = cage.ask(Operation.MEASURE, media, MediaType.PNG, seconds=LONG_S)
    assert measured == Measured(unscannable=Unscannable.CHANGED)


def test_a_descriptor_that_cannot_be_read_is_unreadable(cage: Cage) -> None:
    ours, theirs = os.pipe()
    try:
        media = Media(descriptor=ours, size_bytes=10)
        measured = cage.ask(Operation.MEASURE, media, MediaType.PNG, seconds=LONG_S)
    finally:
        os.close(ours)
        os.close(theirs)
    assert measured == Measured(unscannable=Unscannable.UNREADABLE)


def test_no_descriptor_is_left_behind(cage: Cage, tmp_path: Path) -> None:
    def ours() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = ours()
    path = tmp_path / "item"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        media = Media(descriptor=file.fileno(), size_bytes=10)
        for _ in range(100):  # more than a worker may hold
            asked = cage.ask(Operation.MEASURE, media, MediaType.PNG, seconds=LONG_S)
            assert asked.width_px == 10
    assert ours() == before


def test_a_program_that_does_not_exist_is_an_error_and_leaves_nothing() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(FileNotFoundError):
        Cage.start(["/nonexistent/python"], {})
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_process_that_is_gone_is_not_killed_again() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
        process.wait()
        Cage(process, ours).end()
    assert process.returncode == 0
