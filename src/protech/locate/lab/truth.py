"""What is so in a swarm of ours, against which sightings are held."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from protech.locate.lab.content import LabTorrent
from protech.locate.lab.plan import DELIVERING, HOLDERS, Kind, Peer

FORMAT_VERSION = 1

TRANSPORTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.UTP_ONLY: ("utp", "utp_mse"),
    Kind.ENCRYPTED: ("mse", "utp_mse"),
    Kind.TRANSMISSION_ENCRYPTED: ("mse", "utp_mse"),
    Kind.ARIA2_ENCRYPTED: ("mse",),
    Kind.UTP_GARBAGE: ("utp",),
    Kind.DEAD: (),
    Kind.DEAD_SILENT: (),
    Kind.STALE: (),
}
"""By what a peer can be spoken to; all others over plain TCP, and perhaps more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is so of one peer and one key of the list.

    ``pieces`` are those that lie wholly in the listed file, prove something, and are held; as
    the torrent counts them. A relay holds none, and delivers.
    """

    kind: Kind
    address: str = field(repr=False)
    port: int = field(repr=False)
    number: int
    pieces: frozenset[int] = field(repr=False)
    delivers: bool
    transports: tuple[str, ...]
    group: str = ""
    """Which program it is, where that matters."""

    @property
    def holds(self) -> bool:
        """Whether it has a piece of the listed file that proves something."""
        return bool(self.pieces)

    @property
    def place(self) -> tuple[str, int, int]:
        """Address, port and number of the key: what a sighting is about."""
        return self.address, self.port, self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """All that is so in a swarm, and the seed from which it was drawn."""

    seed: int
    facts: tuple[Fact, ...] = field(repr=False)

    @property
    def by_place(self) -> dict[tuple[str, int, int], Fact]:
        """Facts by what a sighting is about."""
        return {one.place: one for one in self.facts}

    @property
    def content(self) -> bytes:
        """The truth as its file holds it."""
        facts = [
            {
                "kind": one.kind,
                "address": one.address,
                "port": one.port,
                "number": one.number,
                "pieces": sorted(one.pieces),
                "delivers": one.delivers,
                "transports": list(one.transports),
                "group": one.group,
            }
            for one in self.facts
        ]
        whole = {"v": FORMAT_VERSION, "seed": self.seed, "facts": facts}
        return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()


def read_truth(content: bytes) -> Truth:
    """Return the truth in a file that ``Truth.content`` made.

    Raises:
        ValueError: It is of another version.
    """
    whole: Mapping[str, Any] = json.loads(content)
    if whole["v"] != FORMAT_VERSION:
        raise ValueError("the truth is in another version than is read here")
    facts = tuple(
        Fact(
            kind=Kind(one["kind"]),
            address=one["address"],
            port=one["port"],
            number=one["number"],
            pieces=frozenset(one["pieces"]),
            delivers=one["delivers"],
            transports=tuple(one["transports"]),
            group=one["group"],
        )
        for one in whole["facts"]
    )
    return Truth(seed=whole["seed"], facts=facts)


def truth_of(seed: int, torrents: Iterable[LabTorrent], peers: Iterable[Peer]) -> Truth:
    """Return what is so when every peer is as it was planned."""
    by_name = {one.name: one for one in torrents}
    return Truth(
        seed=seed,
        facts=tuple(
            _fact(peer, by_name[part.torrent], number, part.pieces)
            for peer in peers
            for part in peer.parts
            for number in by_name[part.torrent].numbers
        ),
    )


def _fact(peer: Peer, torrent: LabTorrent, number: int, pieces: tuple[int, ...]) -> Fact:
    held = frozenset(pieces) & torrent.telling if peer.kind in HOLDERS else frozenset()
    return Fact(
        kind=peer.kind,
        address=peer.address,
        port=peer.port,
        number=number,
        pieces=held,
        delivers=peer.kind in DELIVERING,
        transports=TRANSPORTS.get(peer.kind, ("tcp",)),
        group=peer.kind,
    )
