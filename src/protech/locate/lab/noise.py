"""The process in which hostile peers, trackers and a poisoned DHT node live.

    python -m protech.locate.lab.noise

One line of JSON on its input says who they are; it answers ``ready`` when all listen, and ends
with its input: so it never outlives the lab, whatever ends that.
"""

import asyncio
import ctypes
import json
import socket
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from protech.locate.lab.datagrams import PoisonedNode, UtpGarbage
from protech.locate.lab.hostile import BEFORE_CLAIMS, Behaviour, Share, Visit
from protech.locate.lab.liars import AFTER_HANDSHAKE
from protech.locate.lab.plan import Kind
from protech.locate.lab.trackers import (
    Place,
    Registry,
    UdpTracker,
    announce,
    serve_http,
)
from protech.sandbox import harden_process

LISTEN: Mapping[Kind, Behaviour] = {**BEFORE_CLAIMS, **AFTER_HANDSHAKE}
UNNAMED = frozenset({Kind.PRINTER})
"""They announce themselves to no tracker."""

SO_ATTACH_FILTER = 26
"""Source: socket(7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """One hostile peer: what it does, and what it knows."""

    kind: Kind
    place: Place = field(repr=False)
    shares: tuple[Share, ...]
    named: tuple[Place, ...] = field(repr=False)
    seed: int


def read_residents(spec: Mapping[str, Any]) -> tuple[Resident, ...]:
    """Return the hostile peers that the line on the input describes."""
    contents = {
        name: b"".join(Path(path).read_bytes() for path in one["paths"])
        for name, one in spec["torrents"].items()
    }
    return tuple(
        Resident(
            kind=Kind(peer["kind"]),
            place=(peer["address"], peer["port"]),
            shares=tuple(_share(spec, contents, part) for part in peer["parts"]),
            named=tuple(map(_place, spec["poison"])),
            seed=spec["seed"] + i,
        )
        for i, peer in enumerate(spec["peers"])
    )


def _share(
    spec: Mapping[str, Any], contents: Mapping[str, bytes], part: Mapping[str, Any]
) -> Share:
    name = part["torrent"]
    torrent = spec["torrents"][name]
    upstream = spec["upstream"].get(name)
    return Share(
        info_hashes=tuple(map(bytes.fromhex, torrent["info_hashes"])),
        total=torrent["total"],
        piece_bytes=torrent["piece_bytes"],
        pieces=tuple(part["pieces"]),
        telling=tuple(torrent["telling"]),
        content=contents[name],
        upstream=_place(upstream) if upstream else None,
    )


def _place(value: Sequence[Any]) -> Place:
    return str(value[0]), int(value[1])


async def settle(resident: Resident, stack: AsyncExitStack) -> None:
    """Let a hostile peer listen, until the stack is closed."""
    if resident.kind in LISTEN:
        await _listen(resident, LISTEN[resident.kind], stack)
    elif resident.kind is Kind.DEAD_SILENT:
        for one in silent_sockets(resident.place):
            stack.enter_context(one)
    elif resident.kind is Kind.UTP_GARBAGE:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: UtpGarbage(Random(resident.seed)), local_addr=resident.place
        )
        stack.callback(transport.close)


async def _listen(resident: Resident, behave: Behaviour, stack: AsyncExitStack) -> None:
    random = Random(resident.seed)

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(
            reader=reader,
            writer=writer,
            address=resident.place[0],
            shares=resident.shares,
            named=resident.named,
            random=random,
            peer_id=b"-LB0001-" + random.randbytes(12),
        )
        with suppress(OSError, ExceptionGroup, asyncio.IncompleteReadError):
            await behave(visit)
        writer.close()

    server = await asyncio.start_server(visited, *resident.place)
    stack.callback(server.close)


def silent_sockets(place: Place) -> tuple[socket.socket, ...]:
    """Return sockets that drop each packet to a place, as if nobody were there."""
    # One instruction of classic BPF: return 0 bytes of every packet (socket(7)).
    drop = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    program = struct.pack("HL", 1, ctypes.addressof(drop))
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    made = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        one = socket.socket(family, kind)
        one.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        one.bind(place)
        made.append(one)
    made[0].listen()
    return tuple(made)


async def run(spec: Mapping[str, Any], stack: AsyncExitStack) -> None:
    """Start everything that the line on the input describes."""
    poison = tuple(map(_place, spec["poison"]))
    random = Random(spec["seed"])
    await _track(Registry(), map(_place, spec["trackers_at"]), random, stack)
    await _track(Registry(poison), map(_place, spec["poisoned_trackers_at"]), random, stack)
    if place := spec.get("poisoned_node"):
        nodes = tuple(map(_place, spec["dht_nodes"]))
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: PoisonedNode(random, poison, nodes), local_addr=_place(place)
        )
        stack.callback(transport.close)
    residents = read_residents(spec)
    for one in residents:
        await settle(one, stack)
    for one in residents:
        await _announce(one, [_place(tracker) for tracker in spec["announce_to"]])


async def _track(
    registry: Registry, places: Iterable[Place], random: Random, stack: AsyncExitStack
) -> None:
    """Answer at each place for one registry, over HTTP and UDP."""
    loop = asyncio.get_running_loop()
    for place in places:
        server = await serve_http(registry, *place)
        stack.callback(server.close)
        transport, _ = await loop.create_datagram_endpoint(
            lambda: UdpTracker(registry, random), local_addr=place
        )
        stack.callback(transport.close)


async def _announce(resident: Resident, trackers: Sequence[Place]) -> None:
    if resident.kind in UNNAMED:
        return
    for share in resident.shares:
        for info_hash in share.info_hashes:
            for tracker in trackers:
                await announce(tracker, resident.place, info_hash)


async def _main() -> None:
    spec = json.loads(sys.stdin.readline())
    async with AsyncExitStack() as stack:
        await run(spec, stack)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    harden_process()
    asyncio.run(_main())
