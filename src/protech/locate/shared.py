"""Addresses at which several peers were seen: a household, a firm, a provider's street."""

from collections import Counter, OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from protech.locate.adapter import Address, Level, Sighting
from protech.locate.place import plain_address

WINDOW = timedelta(hours=24)
"""Two peers within a day are two; some providers hand out addresses anew each day."""

ADDRESSES = 1_000_000
"""Beyond these the one that was quiet longest is forgotten; about 300 bytes each."""

ID = "id "

PEERS = 16
"""Peers of one address that are told apart: two already make it shared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """How many ports, and names of peers for one file, an address showed within the window.

    A client calls itself otherwise for each torrent, so names for two files are not two peers.
    """

    ports: int
    client_ids: int

    @property
    def is_shared(self) -> bool:
        """Whether it looks as if several peers are behind it.

        One peer may look like two when its program starts anew: a name and a port are no
        identity, so this only ever says "look closer".
        """
        return self.ports > 1 or self.client_ids > 1


class SharedAddresses:
    """Which addresses had several peers lately; in memory, fed with sightings."""

    def __init__(self, *, window: timedelta = WINDOW, addresses: int = ADDRESSES) -> None:
        """Begin with none."""
        self._window = window
        self._most = addresses
        self._seen: OrderedDict[Address, dict[tuple[str, bytes], datetime]] = OrderedDict()

    def note(self, sighting: Sighting) -> Crowd:
        """Take a sighting and return what its address looks like now.

        Only valid handshakes count: anybody can be *named* with any port.
        """
        address = plain_address(sighting.peer.address)
        if sighting.level >= Level.HANDSHAKE:
            marks = self._seen.setdefault(address, {})
            self._seen.move_to_end(address)
            self._mark(marks, ("port", sighting.peer.port.to_bytes(2)), sighting.ended_at)
            if sighting.client_id is not None:
                mark = (f"{ID}{sighting.entry}", sighting.client_id)
                self._mark(marks, mark, sighting.ended_at)
            if len(self._seen) > self._most:
                self._seen.popitem(last=False)
        return self.crowd(address, sighting.ended_at)

    def _mark(
        self, marks: dict[tuple[str, bytes], datetime], mark: tuple[str, bytes], at: datetime
    ) -> None:
        for old in [one for one, seen_at in marks.items() if at - seen_at > self._window]:
            del marks[old]
        if mark in marks or len(marks) < 2 * PEERS:
            marks[mark] = at

    def crowd(self, address: Address, now: datetime) -> Crowd:
        """Return how many peers an address showed within the window before ``now``."""
        marks = self._seen.get(plain_address(address), {})
        kinds = Counter(kind for (kind, _), at in marks.items() if now - at <= self._window)
        names = (count for kind, count in kinds.items() if kind.startswith(ID))
        return Crowd(ports=kinds["port"], client_ids=max(names, default=0))
