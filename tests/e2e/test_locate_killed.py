"""kill -9 in the middle of a run: what was confirmed is there, nothing else, and it goes on.

The few rounds of every check are against a given network, so that there is much to record;
the many, and those against a real swarm, are slow.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest

from protech.evidence.case_check import check_case
from protech.locate.case import LEASES
from protech.locate.lab.swarm import Lab
from tests.killed import opened, prepare
from tests.loops import in_own_loop
from tests.unit.lists.test_fetch_keys import TORRENT

ROOT = Path(__file__).resolve().parents[2]
FEW, MANY = 3, 30
REAL = 8
LONG_S = 120


@dataclass(slots=True, kw_only=True)
class Told:
    """What the runs that were killed had told until then."""

    offered: Counter[str] = field(default_factory=Counter)
    confirmed: dict[int, str] = field(default_factory=dict)
    ended: str | None = None

    def take(self, lines: bytes) -> None:
        """Take in what one run told; the last line may be cut."""
        whole = lines[: lines.rfind(b"\n") + 1].decode()
        for line in whole.splitlines():
            match line.split(maxsplit=2):
                case ["+", digest]:
                    self.offered[digest] += 1
                case ["=", place, digest]:
                    assert int(place) not in self.confirmed
                    self.confirmed[int(place)] = digest
                case _:
                    self.ended = line[2:]


def ran(
    folder: Path, told: Told, number: signal.Signals, *, after_s: float, words: Sequence[str]
) -> int:
    """Run, send a signal so long after the first record, and return the exit code."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.killed", str(folder), *words],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(after_s)
        process.send_signal(number)
        told.take(first + process.stdout.read())
        return process.wait(LONG_S)


def holds(folder: Path, told: Told) -> int:
    """Fail unless the log is whole and holds what was confirmed, and nothing invented."""
    with opened(folder).open_log() as log:
        found = {one.index: sha256(one.content).hexdigest() for one in log.read()}
        assert sorted(found) == list(range(log.size))
    assert {place: found.get(place) for place in told.confirmed} == told.confirmed
    # What was under way may be there or not; but only once, and only if it was offered.
    assert Counter(found.values()) <= told.offered
    return len(found)


def rounds(folder: Path, count: int, seed: int) -> None:
    """Kill so many runs of one case, then let one go to its end."""
    print(f"seed {seed}")
    draw = random.Random(seed)
    keys = [replace(TORRENT, info_hash=bytes([number]) * 20) for number in range(1, 40)]
    prepare(folder, keys)
    told, sizes = Told(), [0]
    for _ in range(count):
        after_s = draw.uniform(0.1, 1.5)
        assert ran(folder, told, signal.SIGKILL, after_s=after_s, words=["swarm"]) == -9
        sizes.append(holds(folder, told))
    assert sizes == sorted(sizes)
    assert sizes[-1] > 2 * count
    assert ran(folder, told, signal.SIGTERM, after_s=1, words=["swarm"]) == 0
    assert told.ended == "it was told to stop"
    assert holds(folder, told) > sizes[-1]
    with opened(folder).open_log() as log:
        records = [json.loads(one.content) for one in log.read()]
        assert log.last_checkpoint is not None
        assert log.last_checkpoint.size == log.size
    runs = {place for place, one in enumerate(records) if one["kind"] == "run"}
    assert len(runs) == count + 1
    assert {one["run"] for one in records if one["kind"] == "sighting"} <= runs
    assert records[-1]["kind"] == "stop"


def test_what_was_confirmed_survives_a_kill_and_the_next_run_goes_on(tmp_path: Path) -> None:
    rounds(tmp_path, FEW, seed=20261128)


@pytest.mark.slow
def test_many_kills_lose_and_invent_nothing(tmp_path: Path) -> None:
    rounds(tmp_path, MANY, seed=random.randrange(1 << 32))


@pytest.mark.slow
def test_kills_before_a_real_swarm_leave_sightings_that_verify(tmp_path: Path) -> None:
    async def carry_out() -> None:
        async with Lab.start(tmp_path / "swarm", seed=7) as lab:
            prepare(tmp_path, lab.fetch_keys)
            nodes = [f"{one.address}:{one.port}" for one in lab.dht_nodes]
            told, draw = Told(), random.Random(7)
            for number in (*[signal.SIGKILL] * REAL, signal.SIGTERM):
                code = await asyncio.to_thread(
                    ran,
                    tmp_path,
                    told,
                    number,
                    after_s=draw.uniform(1, 8),
                    words=["lab", *nodes],
                )
                assert code == (0 if number is signal.SIGTERM else -9)
                holds(tmp_path, told)
                # As once the leases of the run that was killed have ended.
                (tmp_path / "case" / LEASES).unlink()

    in_own_loop(carry_out)
    with opened(tmp_path).open_log() as log:
        found = check_case(log)
    assert found.wrong == ()
    assert found.levels[4] > 5
