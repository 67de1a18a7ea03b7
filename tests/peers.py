"""Ask a peer that lives in `.venv-peers`: its Python runs a script and prints JSON."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import peers

VPDQ_VERSION = "0.2.5"

needs_peers = pytest.mark.skipif(
    not peers.is_ready(), reason="needs .venv-peers: `python tools/peers.py` makes it"
)

_VPDQ = """
import json, sys, time, vpdq
for path in sys.argv[2:]:
    begin = time.perf_counter()
    found = vpdq.computeHash(path, seconds_per_hash=float(sys.argv[1]))
    seconds = time.perf_counter() - begin
    frames = [[one.frame_number, one.quality, one.hex] for one in found]
    print(json.dumps([seconds, frames]), flush=True)
"""

VpdqFrame = tuple[int, int, str]
"""Number, quality and hash in hex of a frame."""


def vpdq(
    paths: Sequence[Path], *, seconds_per_hash: float
) -> list[tuple[float, list[VpdqFrame]]]:
    """Return for each video how long the reference took, and its frames."""
    command = [str(peers.PYTHON), "-c", _VPDQ, str(seconds_per_hash), *map(str, paths)]
    printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return [
        (seconds, [(number, quality, hashed) for number, quality, hashed in frames])
        for seconds, frames in map(json.loads, printed.splitlines())
    ]
