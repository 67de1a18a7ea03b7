"""Ask a node of the DHT beyond this machine; it is not there, so that packets can be counted.

    python -m tests.beyond real        sends through the door
    python -m tests.beyond counted     sends nothing: only the relay knows what was to be sent

Prints one JSON object: where packets were to go, and how many the door sent.
"""

import asyncio
import json
import sys
from collections import Counter
from ipaddress import ip_address

from protech.locate.adapter import Endpoint
from protech.locate.bittorrent.dht import DhtLimits, open_dht
from protech.locate.bittorrent.discover import reachable
from protech.locate.bittorrent.relay import Passed
from protech.locate.door import Door

NODE = Endpoint(address=ip_address("198.18.7.7"), port=6881)


class Nowhere:
    """A node that never answers, and to which nothing is sent."""

    local = Endpoint(address=ip_address("127.0.0.1"), port=4000)

    def send(self, data: bytes) -> None:
        """Send nothing."""

    async def receive_into(self, memory: memoryview) -> int:
        """Wait for ever."""
        await asyncio.Event().wait()
        return 0

    def close(self) -> None:
        """Nothing is open."""


class Counted:
    """A door that gives leave for everything, and sends nothing."""

    def ask(self, peer: Endpoint) -> None:
        """Give leave."""

    def datagrams(self, peer: Endpoint) -> Nowhere:
        """Give what sends nothing."""
        return Nowhere()


async def look(*, real: bool) -> dict[str, object]:
    """Look up what nobody has, at a node that is not there."""
    asked: Counter[str] = Counter()
    door = Door(lambda peer: asked.update([peer.text]))
    async with open_dht(
        door if real else Counted(),
        bootstrap=[NODE],
        may_reach=reachable(lab=True),
        limits=DhtLimits(lookup_s=3.0),
        lab=True,
    ) as dht:
        found = [one async for one in dht.peers(b"\x44" * 20)]
        return {
            "found": len(found),
            "asked": sorted(asked),
            "relayed": dht.counts[Passed.SENT],
            "sent": door.datagrams_sent,
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(look(real=sys.argv[1] == "real"))))
