"""Probes one peer and asks it for a piece, as a process that can be watched from outside.

``proving.py FOLDER VERSION ADDRESS PORT`` prints the level that it reached.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from protech.locate.adapter import Grant
from protech.locate.bittorrent.probe import Prober
from protech.locate.door import Door
from tests import seeds


async def main(folder: str, version: str, address: str, port: str) -> None:
    target = seeds.described(Path(folder), version=int(version)).target
    grant = Grant(request_sha256=bytes(32), not_after=datetime.now(UTC) + timedelta(hours=1))
    prober = Prober(Door(lambda _: None))
    async with prober.probe(seeds.candidate(address, int(port)), target) as conversation:
        sighting = await prober.prove(conversation, grant)
    print(sighting.level.name)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
