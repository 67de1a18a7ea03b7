"""The log's files: leaves only come, no two histories are signed, and a kill breaks nothing."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.lists.checkpoint import Checkpoint, log_key
from protech.lists.log import LOG_BYTES, Leaf, parse_leaf, verified
from protech.lists.logbook import append, put_file, read_checkpoint, read_file, read_leaves
from protech.signing import Key, verify
from tests.unit.lists.test_log import DATA, LEAVES, ORIGIN, checkpoint_of

LOG = Key.of_seed(b"l" * 32)
LOG_KEY = log_key(ORIGIN, LOG.public)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def added(log: Path, leaves: list[Leaf], *, into: Path | None = None) -> Checkpoint:
    return append(
        log,
        leaves,
        log_key=LOG_KEY,
        sign=LOG.sign,
        verify_signature=verify,
        into=into or log.parent / "staged" / "checkpoint",
    )


def shown(path: Path) -> Checkpoint | None:
    return read_checkpoint(path, log_key=LOG_KEY, verify_signature=verify)


def test_leaves_are_added_and_signed_for(log: Path) -> None:
    staged = log.parent / "staged" / "checkpoint"
    assert read_leaves(log) == []
    assert shown(staged) is None
    assert added(log, LEAVES[:2]) == checkpoint_of(DATA[:2])
    assert added(log, LEAVES[2:5]) == checkpoint_of(DATA[:5]) == shown(staged)
    assert read_leaves(log) == DATA[:5]
    assert verified(read_leaves(log), checkpoint_of(DATA[:5]), checkpoint_of(DATA[:2]))


def test_what_is_served_can_be_read_by_the_server(log: Path) -> None:
    added(log, LEAVES[:1])
    assert (log / "entries").stat().st_mode & 0o777 == 0o644
    assert [one.name for one in log.iterdir()] == ["entries"]


def test_a_version_is_not_added_twice(log: Path) -> None:
    added(log, LEAVES[:3])
    later = replace(LEAVES[1], published_at=LEAVES[1].published_at.replace(year=2027))
    assert added(log, [later, LEAVES[3], LEAVES[3]]) == checkpoint_of(DATA[:4])


def test_another_content_of_a_version_is_refused_and_nothing_changes(log: Path) -> None:
    added(log, LEAVES[:3])
    with pytest.raises(TrustError, match="publish this as a later version"):
        added(log, [LEAVES[3], replace(LEAVES[1], sha256=bytes(32))])
    assert read_leaves(log) == DATA[:3]


def test_cosignatures_stay_where_nothing_is_new(log: Path) -> None:
    staged = log.parent / "staged" / "checkpoint"
    added(log, LEAVES[:3])
    staged.write_bytes(staged.read_bytes() + b"\xe2\x80\x94 witness AAAAAAA=\n")
    added(log, LEAVES[:3])
    assert b"witness" in staged.read_bytes()
    put_file(log / "checkpoint", staged.read_bytes())
    staged.unlink()
    added(log, LEAVES[:3])
    assert not staged.exists()


def test_leaves_that_a_kill_left_unsigned_are_signed_next_time(log: Path) -> None:
    added(log, LEAVES[:2])
    put_file(log / "entries", b"".join(one + b"\n" for one in DATA[:4]))
    assert added(log, LEAVES[3:5]) == checkpoint_of(DATA[:5])


@pytest.mark.parametrize("place", ["served", "staged"])
def test_a_log_that_is_not_what_it_signed_signs_nothing_more(log: Path, place: str) -> None:
    staged = log.parent / "staged" / "checkpoint"
    added(log, LEAVES[:3])
    if place == "served":
        staged.rename(log / "checkpoint")
    before = (log / "checkpoint", staged)[place == "staged"].read_bytes()
    for held in (DATA[:2], [DATA[1], DATA[0], DATA[2]], []):
        put_file(log / "entries", b"".join(one + b"\n" for one in held))
        with pytest.raises(TrustError, match=r"was cut|not those that"):
            added(log, LEAVES[3:4])
    assert before in {
        path.read_bytes() for path in (log / "checkpoint", staged) if path.exists()
    }


def test_a_checkpoint_of_another_log_stops_it(log: Path) -> None:
    other = Key.generate()
    append(
        log,
        LEAVES[:1],
        log_key=log_key(ORIGIN, other.public),
        sign=other.sign,
        verify_signature=verify,
        into=log / "checkpoint",
    )
    with pytest.raises(TrustError, match="not signed by its log"):
        added(log, LEAVES[1:2])


def test_what_stands_in_the_log_must_be_leaves(log: Path) -> None:
    put_file(log / "entries", b"{}\n")
    with pytest.raises(TrustError, match="A leaf of the log"):
        added(log, LEAVES[:1])


def test_a_log_larger_than_allowed_is_refused_before_it_is_read_whole(log: Path) -> None:
    log.mkdir()
    with (log / "entries").open("wb") as file:
        file.truncate(LOG_BYTES + 1)
    with pytest.raises(TrustError, match="larger than"):
        read_leaves(log)


def test_a_place_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        added(tmp_path / "file" / "log", LEAVES[:1])
    with pytest.raises(ConfigError, match="cannot be written"):
        put_file(tmp_path / "file" / "log", b"")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_file(tmp_path, most=1)


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        put_file(tmp_path / "taken", b"content")
    assert [one.name for one in tmp_path.iterdir()] == ["taken"]


APPENDING = """
import sys
from dataclasses import replace
from pathlib import Path
from tests.unit.lists.test_log import LEAVES
from tests.unit.lists.test_logbook import added

log = Path(sys.argv[1])
for version in range(1, 100_000):
    added(log, [replace(LEAVES[0], version=version)])
    print(flush=True)
"""


def test_a_log_whose_writer_is_killed_goes_on(log: Path) -> None:
    sizes = []
    for lines in (1, 8, 15, 30):
        process = subprocess.Popen(
            [sys.executable, "-c", APPENDING, str(log)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
            env={"PYTHONPATH": "src:."},
        )
        with process:
            assert process.stdout is not None
            for _ in range(lines):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        held = read_leaves(log)
        last = shown(log.parent / "staged" / "checkpoint")
        assert last is None or verified(held, last, None)
        assert [parse_leaf(one).version for one in held] == [*range(1, len(held) + 1)]
        sizes.append(added(log, []).size)
    assert sizes == sorted(sizes)


def test_what_a_killed_writer_left_is_swept(log: Path) -> None:
    path = log / "checkpoint"
    code = (
        "import os, signal, sys; from pathlib import Path; from protech.lists import logbook;"
        "os.fchmod = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "logbook.put_file(Path(sys.argv[1]), b'half')"
    )
    done = subprocess.run([sys.executable, "-c", code, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(log.iterdir())) == 1
    put_file(path, b"whole")
    assert list(log.iterdir()) == [path]
