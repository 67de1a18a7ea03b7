"""A small swarm on the addresses of this machine's loopback: no other machine sees a packet.

    async with Lab.start(folder, seed=7) as lab:
        ...  # lab.fetch_keys, lab.trackers, lab.dht_nodes, lab.truth

It needs no privilege. All it shares are files of random bytes.
"""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

from protech.errors import ConfigError
from protech.lists.fetch_key import FetchKey
from protech.locate.adapter import Endpoint
from protech.locate.lab.content import PIECE_BYTES, LabTorrent, make_content
from protech.locate.lab.plan import (
    OF_LIBTORRENT,
    PORTS,
    PROGRAMS,
    SMALL,
    Kind,
    Peer,
    draw_plan,
    loopback,
)
from protech.locate.lab.truth import Truth, truth_of

START_S = 60.0
END_S = 5.0
DHT_ENTRIES = 3
"""How many nodes are told to who joins the DHT, besides the poisoned one."""

ELSEWHERE = OF_LIBTORRENT | PROGRAMS

LINE_BYTES = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Where the parts of a swarm that are no peers listen."""

    tracker: tuple[str, int] = field(repr=False)
    poisoned_tracker: tuple[str, int] = field(repr=False)
    poisoned_node: tuple[str, int] = field(repr=False)
    tracker_v6: tuple[str, int] | None = field(default=None, repr=False)

    @property
    def trackers(self) -> tuple[str, ...]:
        """Those that a list names: an honest one, over HTTP and UDP, and one that is not."""
        found = [
            f"http://{_host(self.tracker)}/announce",
            f"udp://{_host(self.tracker)}/announce",
            f"http://{_host(self.poisoned_tracker)}/announce",
        ]
        if self.tracker_v6 is not None:
            found.append(f"http://{_host(self.tracker_v6)}/announce")
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A running swarm, and all that is known of it.

    ``fetch_keys`` are in the order in which ``truth`` counts them: a list must keep it.
    """

    seed: int
    torrents: tuple[LabTorrent, ...]
    peers: tuple[Peer, ...] = field(repr=False)
    grounds: Grounds = field(repr=False)
    truth: Truth = field(repr=False)
    processes: tuple[asyncio.subprocess.Process, ...] = field(repr=False)

    @property
    def fetch_keys(self) -> tuple[FetchKey, ...]:
        """The keys of all listed files."""
        return tuple(key for torrent in self.torrents for key in torrent.keys)

    @property
    def trackers(self) -> tuple[str, ...]:
        """The trackers that the keys name."""
        return self.grounds.trackers

    @property
    def dht_nodes(self) -> tuple[Endpoint, ...]:
        """Nodes by which to join the DHT; the last is poisoned."""
        places = [*_dht_entries(self.peers), self.grounds.poisoned_node]
        return tuple(Endpoint(address=ip_address(host), port=port) for host, port in places)

    @staticmethod
    @asynccontextmanager
    async def start(
        folder: Path, *, seed: int, counts: Mapping[Kind, int] = SMALL
    ) -> AsyncIterator["Lab"]:
        """Start a swarm in ``folder``, drawn from ``seed``; it ends with the context.

        Raises:
            ConfigError: It did not come up.
        """
        random = Random(seed)
        addresses = loopback(random)
        grounds = Grounds(
            tracker=(next(addresses), random.choice(PORTS)),
            poisoned_tracker=(next(addresses), random.choice(PORTS)),
            poisoned_node=(next(addresses), random.choice(PORTS)),
            tracker_v6=("::1", random.choice(PORTS)) if has_ipv6() else None,
        )
        if grounds.tracker_v6 is None:
            counts = {kind: count for kind, count in counts.items() if kind is not Kind.IPV6}
        torrents = make_content(folder, random, trackers=grounds.trackers)
        peers = draw_plan(random, torrents, counts, addresses)
        noise = await launch("noise", noise_spec(seed, torrents, peers, grounds))
        try:
            holders = await launch("holders", holders_spec(torrents, peers, grounds))
            try:
                yield Lab(
                    seed=seed,
                    torrents=torrents,
                    peers=peers,
                    grounds=grounds,
                    truth=truth_of(seed, torrents, peers),
                    processes=(noise, holders),
                )
            finally:
                await end(holders)
        finally:
            await end(noise)

    async def held(self) -> list[dict[str, list[int]]]:
        """Return what the clients say now that they hold: by holder, by torrent."""
        process = self.processes[1]
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        process.stdin.write(b"held\n")
        return json.loads(await _line(process))  # type: ignore[no-any-return] # of our own making


def has_ipv6() -> bool:
    """Return whether this machine has a loopback of IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


def noise_spec(
    seed: int,
    torrents: Sequence[LabTorrent],
    peers: Sequence[Peer],
    grounds: Grounds,
) -> dict[str, Any]:
    """Return the line that tells the hostile peers who they are."""
    upstream = {
        part.torrent: [peer.address, peer.port]
        for peer in peers
        if peer.kind is Kind.SEED
        for part in peer.parts
    }
    printers = [[peer.address, peer.port] for peer in peers if peer.kind is Kind.PRINTER]
    own = [grounds.tracker] + ([grounds.tracker_v6] if grounds.tracker_v6 else [])
    return {
        "seed": seed,
        "torrents": {one.name: _told(one) for one in torrents},
        "peers": [_described(one) for one in peers if one.kind not in ELSEWHERE],
        "upstream": upstream,
        "poison": printers,
        "trackers_at": own,
        "poisoned_trackers_at": [grounds.poisoned_tracker],
        "poisoned_node": grounds.poisoned_node,
        "dht_nodes": _dht_entries(peers),
        "announce_to": [grounds.tracker],
    }


def holders_spec(
    torrents: Sequence[LabTorrent], peers: Sequence[Peer], grounds: Grounds
) -> dict[str, Any]:
    """Return the line that tells the holders who they are."""
    trackers = [one for one in grounds.trackers if one.startswith("http")]
    trackers.remove(f"http://{_host(grounds.poisoned_tracker)}/announce")
    return {
        "torrents": {one.name: _told(one) for one in torrents},
        "peers": [_described(one) for one in peers if one.kind in OF_LIBTORRENT],
        "trackers": trackers,
        "dht_nodes": _dht_entries(peers),
    }


def _dht_entries(peers: Sequence[Peer]) -> list[tuple[str, int]]:
    found = [(one.address, one.port) for one in peers if one.kind is Kind.SEED]
    return found[:DHT_ENTRIES]


def _told(torrent: LabTorrent) -> dict[str, Any]:
    folder = torrent.folder / torrent.name
    files = sorted(folder.iterdir()) if folder.is_dir() else [folder]
    return {
        "torrent": str(torrent.folder / f"{torrent.name}.torrent"),
        "folder": str(torrent.folder),
        "paths": [str(one) for one in files],
        "info_hashes": [one.hex() for one in torrent.handshakes],
        "total": torrent.have,
        "telling": sorted(torrent.telling),
        "piece_bytes": PIECE_BYTES,
    }


def _described(peer: Peer) -> dict[str, Any]:
    parts = [{"torrent": one.torrent, "pieces": list(one.pieces)} for one in peer.parts]
    return {"kind": peer.kind, "address": peer.address, "port": peer.port, "parts": parts}


def _host(place: tuple[str, int]) -> str:
    return Endpoint(address=ip_address(place[0]), port=place[1]).text


async def launch(program: str, spec: Mapping[str, Any]) -> asyncio.subprocess.Process:
    """Start a process of the swarm, and wait until it is ready."""
    process = await asyncio.create_subprocess_exec(
        # -P: the directory that the person stands in must not be a place to import from.
        *(sys.executable, "-P", "-m", f"protech.locate.lab.{program}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
    )
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    process.stdin.write(json.dumps(spec).encode() + b"\n")
    line = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(START_S):
            line = await _line(process)
    if line != b"ready\n":
        await end(process)
        raise ConfigError(
            f"The lab's process '{program}' did not come up: another program may have one of"
            " its addresses. Run it again with another seed."
        )
    return process


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    return await process.stdout.readline()


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process of the swarm and wait for it."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            process.kill()
            await process.wait()
