"""The process of the hostile peers: read from one line, all of them listening."""

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest

from protech.locate.lab.content import make_content
from protech.locate.lab.noise import LISTEN, read_residents, run, silent_sockets
from protech.locate.lab.plan import HOLDERS, Kind, draw_plan, loopback
from protech.locate.lab.swarm import Grounds, noise_spec

GROUNDS = Grounds(
    tracker=("127.201.0.1", 20_001),
    poisoned_tracker=("127.201.0.2", 20_002),
    poisoned_node=("127.201.0.3", 20_003),
)


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    torrents = make_content(tmp_path, Random(1))
    others = dict.fromkeys((kind for kind in Kind if kind not in HOLDERS), 1)
    counts = {Kind.SEED: 4, **others}
    return noise_spec(
        3, torrents, draw_plan(Random(2), torrents, counts, loopback(Random(3))), GROUNDS
    )


def test_every_hostile_kind_is_described_and_read(spec: dict[str, Any]) -> None:
    residents = read_residents(spec)
    assert {one.kind for one in residents} == set(Kind) - set(HOLDERS)
    relay = next(one for one in residents if one.kind is Kind.RELAY)
    assert all(share.upstream is not None for share in relay.shares)
    assert all(len(one.named) == 1 for one in residents)


def test_every_kind_that_listens_does_and_announces_itself(spec: dict[str, Any]) -> None:
    async def go() -> int:
        async with AsyncExitStack() as stack:
            await run(spec, stack)
            for peer in spec["peers"]:
                if peer["kind"] in LISTEN:
                    _, writer = await asyncio.open_connection(peer["address"], peer["port"])
                    writer.close()
            reader, writer = await asyncio.open_connection(*GROUNDS.tracker)
            (first, *_) = spec["torrents"].values()
            quoted = "".join(f"%{byte:02x}" for byte in bytes.fromhex(first["info_hashes"][0]))
            writer.write(f"GET /announce?info_hash={quoted}&port=0 HTTP/1.1\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            return len(answer)

    assert asyncio.run(go()) > 100


def test_packets_to_a_silent_address_vanish() -> None:
    place = ("127.202.0.1", 20_004)
    sockets = silent_sockets(place)
    with socket.socket() as visitor:
        visitor.settimeout(0.05)
        with pytest.raises(TimeoutError):
            visitor.connect(place)
    for one in sockets:
        one.close()
