"""Searches a process's memory for content that a seed gives, from another process.

The one that is searched never holds the content itself, only the number it is made from.
"""

import random
import subprocess
import sys
from pathlib import Path

SLICE_BYTES = 24
STEP_BYTES = 8192


def content(seed: int, size_bytes: int) -> bytes:
    return random.Random(seed).randbytes(size_bytes)


def occurrences(pid: int, seed: int, size_bytes: int) -> int:
    """Return how often a slice of the content stands in the memory of a process.

    A slice is ``SLICE_BYTES`` out of each ``STEP_BYTES``.
    """
    shown = subprocess.run(
        [sys.executable, __file__, str(pid), str(seed), str(size_bytes)],
        capture_output=True,
        check=True,
        text=True,
    )
    return int(shown.stdout)


def search(pid: int, slices: set[bytes]) -> int:
    found = 0
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            bounds, access, *_ = line.split()
            start, end = (int(one, 16) for one in bounds.split("-"))
            if access[0] != "r" or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            memory.seek(start)
            page = memory.read(end - start)
            found += sum(page.count(one) for one in slices)
    return found


if __name__ == "__main__":
    number, made_from, size = (int(one) for one in sys.argv[1:])
    whole = content(made_from, size)
    places = range(0, size - SLICE_BYTES, STEP_BYTES)
    print(search(number, {whole[at : at + SLICE_BYTES] for at in places}))
