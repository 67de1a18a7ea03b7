"""Who will be in the swarm, where, and what each of them holds: drawn from a seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import repeat
from random import Random

from protech.locate.lab.content import LabTorrent

PORTS = range(20_000, 32_000)
"""Below those that the kernel hands out."""


class Kind(StrEnum):
    """What a peer of the lab does; the first eleven hold pieces, the others deceive."""

    SEED = "seed"
    PARTIAL = "partial"
    UTP_ONLY = "utp_only"
    ENCRYPTED = "encrypted"
    """It speaks to nobody who does not encrypt."""
    SUPER_SEED = "super_seed"
    """It names one piece at a time."""
    IPV6 = "ipv6"
    TRANSMISSION = "transmission"
    TRANSMISSION_ENCRYPTED = "transmission_encrypted"
    ARIA2 = "aria2"
    ARIA2_ENCRYPTED = "aria2_encrypted"
    QBITTORRENT = "qbittorrent"

    RELAY = "relay"
    """It holds nothing, and fetches what it is asked for from a peer that does."""
    NEIGHBOUR = "neighbour"
    """It holds other files of the torrent, honestly."""
    WEAK_ONLY = "weak_only"
    """It holds and serves pieces that are blank or in other files, too."""
    DEAD = "dead"
    DEAD_SILENT = "dead_silent"
    """Packets to it vanish."""
    STALE = "stale"
    """It held the file, announced itself, and left."""
    PRINTER = "printer"
    """It never heard of any of this: somebody else names its address."""
    LIAR = "liar"
    """It claims all pieces and serves random bytes."""
    MUTE = "mute"
    """It claims all pieces and serves none."""
    SWAPPER = "swapper"
    """It claims all pieces and serves another one than it is asked for."""
    REJECTER = "rejecter"
    """It claims all pieces and rejects each request."""
    EMPTY = "empty"
    """An honest peer at 0 %."""
    ECHO = "echo"
    COPIER = "copier"
    """It answers with our own peer id, then claims all."""
    OTHER_HASH = "other_hash"
    """It answers for another torrent than it is asked for."""
    CLOSER = "closer"
    """It hangs up after its handshake."""
    TARPIT = "tarpit"
    DRIPPER = "dripper"
    """It sends its handshake a byte at a time, without end."""
    GARBAGE = "garbage"
    HTTP = "http"
    OVERSIZE = "oversize"
    """It begins a message of two gigabytes."""
    METADATA_BOMB = "metadata_bomb"
    PEX_POISONER = "pex_poisoner"
    """It names printers as its peers."""
    MSE_GARBAGE = "mse_garbage"
    UTP_GARBAGE = "utp_garbage"
    """It breaks the sequence rules of uTP."""


HOLDERS = tuple(Kind)[:11]
PROGRAMS = frozenset(HOLDERS[6:])
"""Programs of other people, which are started one by one; they know the first version alone."""

OF_LIBTORRENT = frozenset(HOLDERS) - PROGRAMS - {Kind.SUPER_SEED}
"""Its own super-seeding names no piece at all to a peer that fetches nothing: ours does."""

DELIVERING = (*HOLDERS, Kind.RELAY)
"""Those from whom a piece can be had: a relay gives it as truly as a holder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one peer has of one torrent: the pieces of it, as its clients count them."""

    torrent: str
    pieces: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One peer of the plan. ``parts`` are the torrents that it says it takes part in."""

    kind: Kind
    address: str
    port: int
    parts: tuple[Part, ...]


SMALL: Mapping[Kind, int] = {
    Kind.SEED: 3,
    Kind.IPV6: 1,
    Kind.PARTIAL: 3,
    Kind.UTP_ONLY: 2,
    Kind.ENCRYPTED: 2,
    Kind.SUPER_SEED: 1,
    **dict.fromkeys(
        (
            Kind.RELAY,
            Kind.NEIGHBOUR,
            Kind.WEAK_ONLY,
            Kind.DEAD,
            Kind.STALE,
            Kind.PRINTER,
            Kind.LIAR,
            Kind.MUTE,
            Kind.EMPTY,
            Kind.ECHO,
            Kind.PEX_POISONER,
            Kind.UTP_GARBAGE,
        ),
        1,
    ),
}
"""The swarm that is shipped: 12 that hold pieces, 12 that do not or must not be believed."""


def draw_plan(
    random: Random,
    torrents: Sequence[LabTorrent],
    counts: Mapping[Kind, int],
    addresses: Iterator[str],
    *,
    torrents_each: int = 2,
    sixes: Iterator[str] | None = None,
) -> tuple[Peer, ...]:
    """Return the peers of a swarm.

    Args:
        random: What everything is drawn from.
        torrents: Each peer is in ``torrents_each`` of them, in turn, so that all have as many.
        counts: How many peers of each kind.
        addresses: Gives each peer one; the same one twice puts two peers behind it.
        torrents_each: At most as many as there are torrents.
        sixes: Gives those of IPv6 one each; by default they share that of loopback.
    """
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    sixes = sixes or repeat("::1")
    turns: dict[Kind, int] = {}
    peers = []
    for kind in kinds:
        turn = turns.setdefault(kind, random.randrange(len(torrents)))
        turns[kind] += torrents_each
        chosen = [torrents[(turn + i) % len(torrents)] for i in range(torrents_each)]
        if kind is Kind.NEIGHBOUR:
            chosen = [one for one in torrents if one.name.startswith("album")]
        if kind is Kind.WEAK_ONLY:
            chosen = [one for one in torrents if one.blank][:torrents_each]
        if kind in PROGRAMS:
            chosen = [one for one in torrents if one.name.startswith(("first", "album"))]
        peers.append(
            Peer(
                kind=kind,
                address=next(sixes if kind is Kind.IPV6 else addresses),
                port=random.choice(PORTS),
                parts=tuple(
                    Part(torrent=one.name, pieces=_held(random, kind, one)) for one in chosen
                ),
            )
        )
    return tuple(peers)


def loopback(random: Random) -> Iterator[str]:
    """Yield addresses of 127.0.0.0/8; now and then the same one again."""
    before = ""
    while True:
        if before and random.random() < SHARED:
            yield before
        before = (
            f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        )
        yield before


SHARED = 0.1
"""How often the next peer has the address of the one before."""


def _held(random: Random, kind: Kind, torrent: LabTorrent) -> tuple[int, ...]:
    everything = range(torrent.have)
    match kind:
        case Kind.PARTIAL:
            share = random.uniform(0.05, 0.95)
            some = {i for i in everything if random.random() < share}
            # One that holds nothing but borders would be no holder.
            return tuple(sorted(some | {random.choice(sorted(torrent.telling))}))
        case Kind.NEIGHBOUR:
            outside = set(everything) - set(
                range(min(torrent.telling) - 1, max(torrent.telling) + 2)
            )
            return tuple(sorted(outside))
        case Kind.WEAK_ONLY:
            return tuple(sorted(torrent.blank))
        case _ if kind in HOLDERS:
            return tuple(everything)
        case _:
            return ()
