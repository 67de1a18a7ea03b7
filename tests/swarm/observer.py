"""The process that observes a big swarm: ours, or another program's.

    python -m tests.swarm.observer

One line of JSON on its input says what and whom; it answers with one.
"""

import asyncio
import json
import sys
from pathlib import Path


def written_bytes() -> int:
    """Return how much this process has had written to disks (proc(5))."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def main() -> None:
    """Observe, and say what was found."""
    spec = json.loads(sys.stdin.readline())
    before = written_bytes()
    if spec["do"] == "libtorrent":
        from tests.swarm.libtorrent_observer import watch

        answer = watch(spec)
    else:
        from tests.swarm.our_observer import watch as ours

        answer = asyncio.run(ours(spec))
    print(json.dumps({**answer, "written_bytes": written_bytes() - before}), flush=True)


if __name__ == "__main__":
    main()
