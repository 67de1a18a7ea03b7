"""A detector that takes so long each time: ``slow_detector SOCKET MILLISECONDS WORKERS``.

The service and its socket are the product's; only the judge is a stand-in, so that what the
proxy adds to a judgement can be told from the judgement.
"""

import asyncio
import sys
import time
from pathlib import Path

from protech.salus.policy import GUARD, Policy
from protech.serve.detector import listening
from protech.serve.detector_service import Detector, Judging
from protech.types import Findings, Kind, ListRef, Media, Verdict


class Sleeper:
    """Allows everything, after a while."""

    lists: tuple[ListRef, ...] = ()
    models: tuple[tuple[str, str], ...] = ()

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def inspect(self, source: Media) -> Verdict:
        """Wait, then allow."""
        time.sleep(self._seconds)
        return Policy(settings=GUARD).decide(Findings(kind=Kind.IMAGE))

    def dimensions(self, source: Media) -> tuple[int, int] | None:
        """Return nothing: nothing is hidden here."""
        return None


async def serve(socket: Path, *, seconds: float, workers: int) -> None:
    """Serve until the process is ended."""
    judging = Judging(Sleeper(seconds), threads=workers)
    with listening(socket) as listener:
        await Detector(judging, state=dict).serve(listener)


if __name__ == "__main__":
    asyncio.run(
        serve(Path(sys.argv[1]), seconds=float(sys.argv[2]) / 1000, workers=int(sys.argv[3]))
    )
