"""Groups sightings by the access point that they are about; pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from protech.locate.adapter import Level
from protech.locate.proposal import Proposal, propose
from protech.locate.report.case import Place, Seen, Socket


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """An address and port, and all its sightings of level 3 and 4, oldest first.

    ``number`` counts peers in the order in which the log first names them, from 1: it stays the
    same as a case grows.
    """

    number: int
    socket: Socket = field(repr=False)
    seen: tuple[Seen, ...]
    same_address: tuple[int, ...] = ()
    """Other peers, by number, at the same address."""

    @property
    def level(self) -> Level:
        """The highest level it reached."""
        return max(one.level for one in self.seen)

    @property
    def delivered(self) -> tuple[Seen, ...]:
        """Its sightings of level 4."""
        return tuple(one for one in self.seen if one.level is Level.DELIVERED)

    @property
    def proposal(self) -> Proposal:
        """Whether its subscriber may be asked for, and the sightings that carry that."""
        return propose(self.seen)

    @property
    def first_at(self) -> datetime:
        """When the first conversation began."""
        return min(one.started_at for one in self.seen)

    @property
    def last_at(self) -> datetime:
        """When the last conversation ended."""
        return max(one.ended_at for one in self.seen)

    @property
    def entries(self) -> tuple[str, ...]:
        """The listed files it was seen with."""
        return tuple(sorted({one.entry for one in self.seen}))

    @property
    def place(self) -> Place | None:
        """What was last said of where its address is registered."""
        return next((one.place for one in reversed(self.seen) if one.place is not None), None)

    @property
    def flags(self) -> tuple[str, ...]:
        """Every flag that any of its sightings bears."""
        places = (one.place for one in self.seen)
        return tuple(sorted({flag for place in places if place for flag in place.flags}))

    @property
    def client_ids(self) -> int:
        """How many names its program gave itself for the same listed file, at most."""
        named: dict[str, set[bytes]] = defaultdict(set)
        for one in self.seen:
            if one.client_id is not None:
                named[one.entry].add(one.client_id)
        return max((len(found) for found in named.values()), default=0)


def peers_of(seen: Iterable[Seen]) -> tuple[Peer, ...]:
    """Return the peers, those with the highest level and most proofs first."""
    by_socket: dict[Socket, list[Seen]] = defaultdict(list)
    for one in sorted(seen, key=lambda one: one.index):
        by_socket[one.peer].append(one)
    numbers = {socket: number for number, socket in enumerate(by_socket, start=1)}
    at_address: dict[str, list[int]] = defaultdict(list)
    for socket, number in numbers.items():
        at_address[socket.address].append(number)
    peers = [
        Peer(
            number=numbers[socket],
            socket=socket,
            seen=tuple(found),
            same_address=tuple(
                number for number in at_address[socket.address] if number != numbers[socket]
            ),
        )
        for socket, found in by_socket.items()
    ]
    return tuple(
        sorted(peers, key=lambda peer: (-peer.level, -len(peer.delivered), peer.number))
    )
