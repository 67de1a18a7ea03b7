"""Making an own list of a national one: entries a second, and what memory grows by."""

import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from protech.lists.convert import ALL, converting
from protech.lists.entries import OWN_USES, Category, ListHeader
from tests import vics
from tests.bench.frame import Row, main, row

ENTRIES = 200_000
MANY = 2_000_000
ROUNDS = 5

HEADER = ListHeader(
    name="bench",
    version=1,
    category=Category.CSAM,
    uses=OWN_USES,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bench-")


@cache
def _file(count: int) -> Path:
    return vics.write(Path(_folder().name) / f"{count}.json", count)


def _import(path: Path) -> int:
    """Import a file and return how many entries the list has."""
    out = path.with_suffix(".list")
    with path.open("rb") as file:
        made = converting(file.fileno(), out=out, header=HEADER, take=frozenset({ALL}))
    out.unlink()
    return made.entries


def vics_entries_per_s() -> Row:
    """Entries a second, from the file to the list on the disk, starts of processes included."""
    path = _file(ENTRIES)
    rates = []
    for _ in range(ROUNDS):
        start_s = time.perf_counter()
        entries = _import(path)
        rates.append(entries / (time.perf_counter() - start_s))
    return row(
        "lists", "vics_entries_per_s", unit="entries/s", ours=rates, is_less_better=False
    )


def vics_memory_growth() -> Row:
    """What ten times as many entries add to the peaks of both processes, in MB."""
    few, many = (_peak_mb(_file(count)) for count in (ENTRIES, MANY))
    return row("lists", "vics_memory_growth", unit="MB", ours=[many - few])


def _peak_mb(path: Path) -> float:
    """Return the peaks of an import's two processes together, in processes of their own."""
    command = [sys.executable, "-m", "tests.bench.bench_lists", "--peak", str(path)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def _print_peak(path: Path) -> None:
    _import(path)
    # getrusage would count what the process was before it was this program.
    status = Path("/proc/self/status").read_text()
    ours_kb = next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
    reader_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print((ours_kb + reader_kb) / 1024)


METRICS = {metric.__name__: metric for metric in (vics_entries_per_s, vics_memory_growth)}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        _print_peak(Path(sys.argv[2]))
        sys.exit()
    sys.exit(main(METRICS))
