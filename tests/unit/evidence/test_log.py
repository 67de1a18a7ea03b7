"""The log: what is confirmed stays, nothing else is there, and changes are found and named."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protech.errors import ConfigError, SourceError, TrustError
from protech.evidence.canonical import canonical
from protech.evidence.log import CHECKPOINT, FRAMES, Log
from protech.evidence.log_records import FRAME_BYTES
from protech.merkle import EMPTY_ROOT, root
from protech.signing import Key

KEY = Key.of_seed(bytes(32))
DATA_KEY = bytes(range(32))
NOW = datetime(2026, 11, 28, 13, 26, tzinfo=UTC)
ORIGIN = "protech/case/1"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.text(max_size=6), JSON, max_size=5)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def log(directory: Path) -> Iterator[Log]:
    with Log.create(directory, origin=ORIGIN, signer=KEY, data_key=DATA_KEY) as made:
        yield made


def some(count: int, *, start: int = 0) -> list[dict[str, object]]:
    return [{"kind": "test", "n": start + i, "text": "é" * 20} for i in range(count)]


def contents(log: Log, start: int = 0) -> list[bytes]:
    return [one.content for one in log.read(start)]


def test_a_new_log_is_empty(log: Log) -> None:
    assert (log.size, log.root, log.last_checkpoint, contents(log)) == (0, EMPTY_ROOT, None, [])


def test_what_is_appended_is_read_back_in_order(log: Log) -> None:
    assert log.append(some(3)) == range(3)
    assert log.append([]) == range(3, 3)
    assert log.append(some(2, start=3)) == range(3, 5)
    assert contents(log) == [canonical(one) for one in some(5)]
    assert [one.index for one in log.read(2)] == [2, 3, 4]
    assert contents(log, 5) == []
    assert contents(log, 99) == []


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(RECORDS, max_size=9), max_size=5))
def test_any_batches_make_the_tree_of_rfc_6962(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[dict[str, Any]]]
) -> None:
    directory = tmp_path_factory.mktemp("any") / "log"
    with Log.create(directory, origin=ORIGIN, signer=KEY, data_key=DATA_KEY) as log:
        for batch in batches:
            log.append(batch)
        found = list(log.read())
        leaves = list(log.leaves())
        assert [one.content for one in found] == [canonical(one) for b in batches for one in b]
        assert [one.leaf for one in found] == leaves
        assert log.root == root(leaves)
        assert log.size == len(leaves)
    with Log.open(directory) as again:
        assert (again.size, again.root) == (len(leaves), root(leaves))


def test_every_record_is_checked_against_its_leaf(log: Log, directory: Path) -> None:
    log.append(some(3))
    log.append(some(2))
    assert log.check() == 5
    with Log.open(directory) as reader, pytest.raises(ValueError, match="case's key"):
        reader.check()
    with (
        Log.open(directory, data_key=bytes(32)) as reader,
        pytest.raises(TrustError, match=r"frame 1 \(records 0 to 2\)"),
    ):
        reader.check()


def test_every_salt_is_another(log: Log) -> None:
    log.append([{"same": 1}] * 50)
    assert len({one.salt for one in log.read()}) == 50
    assert len(set(log.leaves())) == 50


def test_nothing_of_a_record_stands_in_clear(log: Log, directory: Path) -> None:
    log.append([{"word": "unmistakable"}])
    log.checkpoint(NOW)
    assert all(b"unmistakable" not in path.read_bytes() for path in directory.iterdir())


def test_a_large_batch_is_written_as_several_frames(log: Log) -> None:
    records = [{"n": n, "text": "x" * (FRAME_BYTES // 3)} for n in range(8)]
    assert log.append(records) == range(8)
    assert contents(log, 3) == [canonical(one) for one in records[3:]]
    assert log.append(some(5000)) == range(8, 5008)
    assert contents(log, 5000) == [canonical(one) for one in some(5000)[4992:]]


def test_a_checkpoint_says_size_root_and_time(log: Log) -> None:
    log.append(some(3))
    note = log.checkpoint(NOW)
    state = log.last_checkpoint
    assert state is not None
    assert (state.note, state.size, state.root, state.at) == (note, 3, log.root, NOW)
    assert note.decode().startswith(f"{ORIGIN}\n3\n")


def test_a_checkpoint_comes_back_when_the_log_is_opened(log: Log, directory: Path) -> None:
    log.append(some(3))
    log.checkpoint(NOW)
    log.append(some(2))
    state = log.last_checkpoint
    with Log.open(directory, data_key=DATA_KEY) as reader:
        assert reader.last_checkpoint == state
        assert reader.size == 5


def test_a_clock_that_went_back_signs_nothing(log: Log) -> None:
    log.checkpoint(NOW)
    with pytest.raises(ConfigError, match="clock"):
        log.checkpoint(NOW - timedelta(milliseconds=1))
    log.checkpoint(NOW)


def test_a_time_without_a_zone_is_a_bug(log: Log) -> None:
    with pytest.raises(ValueError, match="zone"):
        log.checkpoint(datetime(2026, 1, 1))  # noqa: DTZ001 - that it is refused is the test


def test_a_reader_follows_a_growing_log(log: Log, directory: Path) -> None:
    log.append(some(2))
    with Log.open(directory, data_key=DATA_KEY) as reader:
        log.append(some(3))
        log.checkpoint(NOW)
        assert reader.size == 2
        assert len(contents(reader)) == 5
        assert reader.refresh() == 5
        assert (reader.root, reader.last_checkpoint) == (log.root, log.last_checkpoint)
        with pytest.raises(ValueError, match="signing key"):
            reader.append(some(1))
        with pytest.raises(ValueError, match="key"):
            reader.checkpoint(NOW)


def test_leaves_are_read_without_the_key_and_records_are_not(log: Log, directory: Path) -> None:
    log.append(some(3))
    with Log.open(directory) as reader:
        assert root(list(reader.leaves())) == log.root
        with pytest.raises(ValueError, match="case's key"):
            next(reader.read())


def test_only_one_process_appends(log: Log, directory: Path) -> None:
    with pytest.raises(ConfigError, match="Another process"):
        Log.open(directory, signer=KEY, data_key=DATA_KEY)
    log.close()
    with Log.open(directory, signer=KEY, data_key=DATA_KEY) as again:
        again.append(some(1))
    # The fixture closes it once more.
    log._descriptor = os.open("/dev/null", os.O_RDONLY)


def test_a_log_is_not_made_over_another(log: Log, directory: Path) -> None:
    with pytest.raises(ConfigError, match="already"):
        Log.create(directory, origin=ORIGIN, signer=KEY, data_key=DATA_KEY)


def test_there_is_no_log_where_none_was_made(directory: Path) -> None:
    with pytest.raises(SourceError):
        Log.open(directory)


def test_another_signing_key_is_refused(log: Log, directory: Path) -> None:
    log.close()
    with pytest.raises(TrustError, match="another key"):
        Log.open(directory, signer=Key.generate(), data_key=DATA_KEY)
    log._descriptor = os.open("/dev/null", os.O_RDONLY)


def test_another_data_key_is_told_with_the_place(log: Log, directory: Path) -> None:
    log.append(some(3))
    with (
        Log.open(directory, data_key=bytes(32)) as reader,
        pytest.raises(TrustError, match=r"frame 1 \(records 0 to 2\)"),
    ):
        list(reader.read())


@pytest.mark.parametrize("bad", [float("nan"), {1, 2}, object(), "\ud800"])
def test_what_is_no_json_is_a_bug_and_leaves_nothing(log: Log, bad: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        log.append([{"fine": 1}, {"bad": bad}])
    assert (log.size, contents(log)) == (0, [])


def filled(directory: Path) -> bytes:
    """Return the file of a log with three frames of records, the first two signed for."""
    with Log.create(directory, origin=ORIGIN, signer=KEY, data_key=DATA_KEY) as log:
        log.append(some(3))
        log.append(some(2, start=3))
        log.checkpoint(NOW)
        log.append(some(4, start=5))
    return (directory / FRAMES).read_bytes()


def ends_of(directory: Path) -> list[int]:
    """Return where the frames end."""
    with Log.open(directory) as log:
        return [*(place.offset for place in log._places[1:]), log._next.offset]


def test_each_flipped_bit_is_found_and_its_place_is_named(directory: Path) -> None:
    content = filled(directory)
    ends = ends_of(directory)
    names = ["frame 0", "records 0 to 2", "records 3 to 4", "records 5 to 8"]
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        (directory / FRAMES).write_bytes(changed)
        frame = next(number for number, end in enumerate(ends) if at < end)
        expected = names[frame] if frame < 3 else "records (5 to 8|from 5 on)"
        with pytest.raises(TrustError, match=expected):
            Log.open(directory, data_key=DATA_KEY)


def test_each_flipped_bit_of_a_checkpoint_is_found(directory: Path) -> None:
    filled(directory)
    note = (directory / CHECKPOINT).read_bytes()
    for at in range(len(note)):
        changed = bytearray(note)
        changed[at] ^= 1 << at % 8
        (directory / CHECKPOINT).write_bytes(changed)
        with pytest.raises(TrustError):
            Log.open(directory)


def test_a_cut_at_any_byte_keeps_whole_frames_and_says_what_was_signed(directory: Path) -> None:
    content = filled(directory)
    ends = ends_of(directory)
    for size in range(ends[0], len(content) + 1):
        (directory / FRAMES).write_bytes(content[:size])
        if size < ends[2]:
            with pytest.raises(TrustError, match="it was cut"):
                Log.open(directory)
            continue
        with Log.open(directory, data_key=DATA_KEY) as log:
            assert len(contents(log)) == log.size == (9 if size == ends[3] else 5)


def test_who_appends_removes_what_a_kill_cut_short(directory: Path) -> None:
    content = filled(directory)
    (directory / FRAMES).write_bytes(content[:-1])
    with Log.open(directory, signer=KEY, data_key=DATA_KEY) as log:
        assert log.append(some(1, start=50)) == range(5, 6)
    with Log.open(directory, data_key=DATA_KEY) as log:
        assert contents(log, 5) == [canonical(one) for one in some(1, start=50)]


def test_a_forged_past_is_found_by_the_checkpoint(directory: Path, tmp_path: Path) -> None:
    filled(directory)
    other = tmp_path / "other"
    with Log.open(directory) as log:
        about = log.about
    with Log.create(other, origin=ORIGIN, signer=KEY, data_key=DATA_KEY) as log:
        log.append(some(9, start=100))
    (other / CHECKPOINT).write_bytes((directory / CHECKPOINT).read_bytes())
    with pytest.raises(TrustError, match="changed on purpose"):
        Log.open(other)
    assert about.key.name == ORIGIN


def test_frames_of_another_log_or_in_another_order_are_found(
    directory: Path, tmp_path: Path
) -> None:
    content, ends = filled(directory), ends_of(directory)
    swapped = content[: ends[0]] + content[ends[1] : ends[2]] + content[ends[0] : ends[1]]
    (directory / FRAMES).write_bytes(swapped)
    with pytest.raises(TrustError, match="another frame stands in its place"):
        Log.open(directory)
    foreign = filled(tmp_path / "other")
    (directory / FRAMES).write_bytes(content[: ends[0]] + foreign[ends[0] :])
    with pytest.raises(TrustError, match="another log"):
        Log.open(directory)


FULL = """
import resource, sys
from pathlib import Path
from protech.errors import ConfigError
from protech.evidence.log import Log
from protech.signing import Key
key = Key.of_seed(bytes(32))
log = Log.open(Path(sys.argv[1]), signer=key, data_key=bytes(range(32)))
most = (Path(sys.argv[1]) / "frames").stat().st_size + 5000
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
log.append([{"n": 0}])
for _ in range(2):
    try:
        log.append([{"text": "x" * 100}] * 500)
    except ConfigError as full:
        print(full)
print(log.size)
"""


def test_a_full_disk_is_told_and_leaves_nothing_half_written(directory: Path) -> None:
    filled(directory)
    command = [sys.executable, "-c", FULL, str(directory)]
    shown = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    first, second, size = shown.splitlines()
    assert "make room" in first
    assert "open the log again" in second
    assert size == "10"
    with Log.open(directory, signer=KEY, data_key=DATA_KEY) as log:
        assert (log.size, log._next.offset) == (10, (directory / FRAMES).stat().st_size)
        assert log.append(some(1)) == range(10, 11)


WRITER = """
import sys
from pathlib import Path
from protech.evidence.log import Log
from protech.signing import Key
key = Key.of_seed(bytes(32))
with Log.open(Path(sys.argv[1]), signer=key, data_key=bytes(range(32))) as log:
    while True:
        batch = 1 + log.size * 7 % 300
        confirmed = log.append([{"n": log.size + i, "x": "y" * 300} for i in range(batch)])
        print(confirmed.stop, flush=True)
"""


def killed_rounds(directory: Path, rounds: int) -> None:
    """Kill a process that appends, again and again: what it was told is there, nothing else."""
    with Log.create(directory, origin=ORIGIN, signer=KEY, data_key=DATA_KEY):
        pass
    confirmed = 0
    for turn in range(rounds):
        command = [sys.executable, "-c", WRITER, str(directory)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for line in writer.stdout:
                confirmed = int(line)
                if confirmed % 11 == turn % 11:
                    writer.send_signal(signal.SIGKILL)
                    break
            told = [int(line) for line in writer.stdout if line.endswith("\n")]
            confirmed = max([confirmed, *told])
        with Log.open(directory, signer=KEY, data_key=DATA_KEY) as log:
            assert log.size >= confirmed
            found = contents(log)
            assert found == [canonical({"n": n, "x": "y" * 300}) for n in range(log.size)]
            confirmed = log.size


def test_nothing_confirmed_is_lost_to_a_kill(directory: Path) -> None:
    killed_rounds(directory, 3)


@pytest.mark.slow
def test_nothing_confirmed_is_lost_to_many_kills(directory: Path) -> None:
    killed_rounds(directory, 60)


def test_memory_does_not_grow_with_what_is_read(log: Log) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(6):
        log.append([{"text": "x" * (1 << 20)}] * 8)
    assert sum(1 for _ in log.read()) == 48
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    assert grown_kb < 200 * 1024
