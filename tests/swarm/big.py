"""The big swarm: clients of several makers, a real tracker, and every hostile peer of the lab.

It is started inside a network namespace of its own (``tests.swarm.stage``), on addresses of RFC
2544 that lead nowhere. All it shares are files of random bytes.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from protech.locate.lab.content import LabTorrent, make_content
from protech.locate.lab.plan import PROGRAMS, Kind, draw_plan
from protech.locate.lab.swarm import (
    Grounds,
    Lab,
    end,
    holders_spec,
    launch,
    noise_spec,
)
from protech.locate.lab.truth import truth_of
from tests.swarm.programs import Program, named, start_program, start_tracker

TRACKER = ("198.18.0.10", 6969)
OBSERVER = ("198.18.0.2", "2001:2::2")
"""The addresses from which whoever observes does so."""

FULL: Mapping[Kind, int] = {
    Kind.SEED: 50,
    Kind.PARTIAL: 40,
    Kind.UTP_ONLY: 10,
    Kind.ENCRYPTED: 12,
    Kind.SUPER_SEED: 4,
    Kind.IPV6: 4,
    Kind.TRANSMISSION: 2,
    Kind.TRANSMISSION_ENCRYPTED: 1,
    Kind.ARIA2: 1,
    Kind.ARIA2_ENCRYPTED: 1,
    Kind.QBITTORRENT: 1,
    Kind.RELAY: 1,
    Kind.NEIGHBOUR: 2,
    Kind.WEAK_ONLY: 1,
    Kind.DEAD: 8,
    Kind.DEAD_SILENT: 6,
    Kind.STALE: 3,
    Kind.PRINTER: 4,
    Kind.LIAR: 4,
    Kind.MUTE: 3,
    Kind.SWAPPER: 1,
    Kind.REJECTER: 3,
    Kind.EMPTY: 5,
    Kind.ECHO: 4,
    Kind.COPIER: 1,
    Kind.OTHER_HASH: 2,
    Kind.CLOSER: 2,
    Kind.TARPIT: 4,
    Kind.DRIPPER: 1,
    Kind.GARBAGE: 3,
    Kind.HTTP: 3,
    Kind.OVERSIZE: 1,
    Kind.METADATA_BOMB: 1,
    Kind.PEX_POISONER: 2,
    Kind.MSE_GARBAGE: 1,
    Kind.UTP_GARBAGE: 2,
}
"""126 that hold pieces, 68 that do not, or must not be believed.

So many claim what they have not as in the swarm that was measured first: one in ten of those
that claim. The precision of a claim is a figure of this mixture; that of a proof is not.
"""

THIN: Mapping[Kind, int] = {
    **dict.fromkeys(FULL, 1),
    Kind.SEED: 8,
    Kind.PARTIAL: 5,
    Kind.UTP_ONLY: 3,
    Kind.ENCRYPTED: 3,
}
"""26 that hold pieces, and one of every other kind."""


def addresses(random: Random) -> Iterator[str]:
    """Yield addresses of 198.18.0.0/16; now and then the same one again."""
    before = ""
    while True:
        if before and random.random() < 0.08:
            yield before
        before = f"198.18.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        yield before


def sixes(random: Random) -> Iterator[str]:
    """Yield addresses of 2001:2::/48 (RFC 5180)."""
    while True:
        yield f"2001:2::{random.randrange(256, 1 << 16):x}"


@asynccontextmanager
async def big_swarm(
    folder: Path, *, seed: int, counts: Mapping[Kind, int]
) -> AsyncIterator[Lab]:
    """Start a big swarm; it ends with the context, and at the latest with its namespace."""
    random = Random(seed)
    drawn = addresses(random)
    grounds = Grounds(
        tracker=TRACKER,
        poisoned_tracker=("198.18.0.11", 6969),
        poisoned_node=("198.18.0.12", 6881),
        tracker_v6=("2001:2::10", 6969),
    )
    content = folder / "content"
    content.mkdir()
    torrents = make_content(content, random, trackers=grounds.trackers)
    peers = draw_plan(random, torrents, counts, drawn, sixes=sixes(random))
    own = noise_spec(seed, torrents, peers, grounds)
    own["trackers_at"] = [one for one in own["trackers_at"] if ":" in one[0]]
    processes = [
        await start_tracker(folder, TRACKER, [h for t in torrents for h in t.handshakes])
    ]
    try:
        processes.append(await launch("noise", own))
        processes.append(await launch("holders", holders_spec(torrents, peers, grounds)))
        programs = [
            Program(
                kind=peer.kind,
                address=peer.address,
                port=peer.port,
                torrents=_chosen(torrents, [part.torrent for part in peer.parts]),
            )
            for peer in peers
            if peer.kind in PROGRAMS
        ]
        announce = f"http://{TRACKER[0]}:{TRACKER[1]}/announce"
        for i, one in enumerate(programs):
            home = folder / f"program-{i}"
            home.mkdir()
            processes.append(await start_program(one, home, announce))
        for one in programs:
            await named(one, TRACKER, OBSERVER[0])
        yield Lab(
            seed=seed,
            torrents=torrents,
            peers=peers,
            grounds=grounds,
            truth=truth_of(seed, torrents, peers),
            processes=(processes[1], processes[2]),
        )
    finally:
        await asyncio.gather(*(end(one) for one in processes))


def _chosen(torrents: tuple[LabTorrent, ...], names: list[str]) -> tuple[LabTorrent, ...]:
    return tuple(one for one in torrents if one.name in names)
