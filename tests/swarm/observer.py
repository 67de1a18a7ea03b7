"""The process that observes a big swarm: ours, or another program's.

    python -m tests.swarm.observer

One line of JSON on its input says what and whom; it answers with one.
"""

import asyncio
import json
import sys


def main() -> None:
    """Observe, and say what was found."""
    spec = json.loads(sys.stdin.readline())
    if spec["do"] == "libtorrent":
        from tests.swarm.libtorrent_observer import watch

        answer = watch(spec)
    else:
        from tests.swarm.our_observer import watch as ours

        answer = asyncio.run(ours(spec))
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
