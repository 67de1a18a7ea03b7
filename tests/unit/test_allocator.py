"""Threads share their memory once they are told to."""

import subprocess
import sys

COUNT = """
import sys, threading
from protech.allocator import share_arenas

if sys.argv[1] == "shared":
    share_arenas()
gate = threading.Barrier(13)

def hold():
    kept = [bytes(1000) for _ in range(100)]
    gate.wait()
    gate.wait()

threads = [threading.Thread(target=hold) for _ in range(12)]
for thread in threads:
    thread.start()
gate.wait()
with open("/proc/self/maps") as maps:
    # An arena of a thread is a heap of 64 MB of address space, most of it not accessible.
    spans = [line.split()[:2] for line in maps]
sizes = [int(to, 16) - int(at, 16) for at, to in (span[0].split("-") for span in spans)]
print(sum(kind == "---p" and size > 60 << 20 for (_, kind), size in zip(spans, sizes)))
gate.wait()
"""


def arenas(how: str) -> int:
    command = [sys.executable, "-c", COUNT, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_twelve_threads_share_two_arenas() -> None:
    assert arenas("shared") <= 2 < arenas("own")
