"""What the page knows of a case: the records of its log, folded one after another; pure.

Everything is a sum, so a million records cost a second or two each hundred thousand and stay
small; what a sum forgets is read from the log when somebody asks for it.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from protech.locate.page.peer import LEVELS, NAMED, Key, Peer, Place, place_of
from protech.locate.page.reading import Record, fields, ms_of, text, words

ALERTS = 200
"""How many of the latest proofs are kept for the list; the log has them all."""

PSEUDONYM_DIGITS = 16
"""Of the 32: enough to tell a million apart."""

BUCKET_MS = 60_000
"""The finest step of the chart over time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A peer delivered a piece of a listed file for the first time."""

    index: int
    moment_ms: int
    peer: int
    entry: str
    place: Place = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSeen:
    """A list that sightings of this case are about."""

    name: str
    version: int


class Fold:
    """The state of a case after the records up to ``size``."""

    def __init__(self) -> None:
        """Start before the first record."""
        self.size = 0
        self.run: Record = {}
        self.runs = 0
        self.builds: set[str] = set()
        self.stop: Record = {}
        self.last: Record = {}
        self.peers: dict[Key, Peer] = {}
        self.by_number: dict[int, Peer] = {}
        self.entries: list[str] = []
        self.lists: list[ListSeen] = []
        self.networks: set[str] = set()
        self.alerts: deque[Alert] = deque(maxlen=ALERTS)
        self.proved = 0
        self.sightings = [0] * len(LEVELS)
        self.buckets: dict[int, list[int]] = {}
        self.outside: dict[str, int] = {}
        self.packets = 0
        self.requests = 0
        self._entry_numbers: dict[str, int] = {}
        self._list_numbers: dict[tuple[str, int], int] = {}
        self._places: dict[tuple[object, ...], Place] = {}
        self._pseudonyms: dict[int, int] = {}
        self._by_address: dict[str, list[Peer]] = {}

    def add(self, index: int, record: Record) -> None:
        """Fold the record at ``index`` of the log; kinds that the page does not know count."""
        self.size = index + 1
        self.last = record
        match record["kind"]:
            case "sighting":
                self._add_sighting(index, record)
            case "counts":
                self._add_counts(record)
            case "proof_request":
                self.requests += 1
            case "run":
                self.run, self.stop = record, {}
                self.runs += 1
                self.builds.add(text(fields(record.get("build")), "code"))
            case "stop":
                self.stop = record
            case _:
                pass

    def pseudonyms(self) -> list[int]:
        """Return how many peers without a name reached each level, and no higher."""
        counts = [0] * len(LEVELS)
        for level in self._pseudonyms.values():
            counts[level] += 1
        return counts

    def number_of(self, entry: str) -> int | None:
        """Return what a peer's ``entries`` call a listed file; None before it was seen."""
        return self._entry_numbers.get(entry)

    def at_address(self, address: str) -> list[Peer]:
        """Return the peers at an address, in the order of the log."""
        return self._by_address.get(address, [])

    def _add_sighting(self, index: int, record: Record) -> None:
        level = int(str(record["level"]))
        moment_ms = ms_of(record["started_at"])
        self.sightings[level] += 1
        bucket = self.buckets.setdefault(moment_ms // BUCKET_MS, [0] * len(LEVELS))
        bucket[level] += 1
        named = fields(record["peer"])
        network = str(record["network"])
        self.networks.add(network)
        if level < NAMED or "address" not in named:
            name = int(str(named.get("pseudonym", "0"))[:PSEUDONYM_DIGITS], 16)
            self._pseudonyms[name] = max(level, self._pseudonyms.get(name, 0))
            return
        peer = self._peer((network, str(named["address"]), int(named["port"])), index)
        place = self._place(record.get("place"))
        entry = str(record["entry"])
        is_first_proof = peer.add(
            index,
            moment_ms,
            level,
            entry=self._entry_number(entry),
            listed=self._list_number(record["list"]),
            place=place,
        )
        if is_first_proof:
            self.proved += 1
            self.alerts.appendleft(
                Alert(
                    index=index,
                    moment_ms=moment_ms,
                    peer=peer.number,
                    entry=entry,
                    place=place,
                )
            )

    def _add_counts(self, record: Record) -> None:
        counts = fields(record.get("counts"))
        outside = counts.get("outside", {})
        by_network = outside if isinstance(outside, Mapping) else {"": outside}
        for network, count in by_network.items():
            self.outside[str(network)] = self.outside.get(str(network), 0) + int(count)
        packets = counts.get("packets", 0)
        self.packets += sum(packets.values()) if isinstance(packets, Mapping) else packets

    def _peer(self, key: Key, index: int) -> Peer:
        found = self.peers.get(key)
        if found is None:
            found = self.peers[key] = self.by_number[index] = Peer(key, index)
            self._by_address.setdefault(key[1], []).append(found)
        return found

    def _entry_number(self, entry: str) -> int:
        number = self._entry_numbers.setdefault(entry, len(self.entries))
        if number == len(self.entries):
            self.entries.append(entry)
        return number

    def _list_number(self, listed: object) -> int:
        found = fields(listed)
        name = ListSeen(name=str(found["name"]), version=int(found["version"]))
        number = self._list_numbers.setdefault((name.name, name.version), len(self.lists))
        if number == len(self.lists):
            self.lists.append(name)
        return number

    def _place(self, record: object) -> Place:
        """Return a place: the same one for all records that say the same of it."""
        said = fields(record)
        operator = fields(said.get("operator"))
        key = (
            said.get("verdict"),
            said.get("country"),
            operator.get("asn"),
            operator.get("name"),
            *words(said.get("flags")),
        )
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = place_of(record)
        return found
