"""One peer of a case, as the page adds up what its records say."""

from array import array
from dataclasses import dataclass, field

from protech.locate.page.reading import fields, text, words

LEVELS = (0, 1, 2, 3, 4)
NAMED = 3
"""From this level on a record names an address; below it there are pseudonyms and counts."""
DELIVERED = 4

_LEVEL_BITS = 3
_LEVEL_MASK = (1 << _LEVEL_BITS) - 1

type Key = tuple[str, str, int]
"""Network, address, port: a peer of the page. The same person may be several, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an address is registered, as the record says; ``flags`` are of dated lists."""

    verdict: str = "undetermined"
    country: str | None = None
    asn: int | None = None
    operator: str | None = None
    flags: tuple[str, ...] = ()


NOWHERE = Place()
"""What an address without databases is known to be."""


def place_of(value: object) -> Place:
    """Return the ``place`` of a record; what it does not say is not made up."""
    record = fields(value)
    operator = fields(record.get("operator"))
    asn = operator.get("asn")
    return Place(
        verdict=str(record.get("verdict", "undetermined")),
        country=text(record, "country") or None,
        asn=asn if isinstance(asn, int) else None,
        operator=text(operator, "name") or None,
        flags=words(record.get("flags")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one sighting adds to its peer; ``moment_ms`` counts from 1970, UTC."""

    index: int
    moment_ms: int
    level: int
    entry: int
    list_number: int
    place: Place = field(repr=False)


class Peer:
    """The sum of a peer's sightings: small, since there can be a million of them.

    Of a sighting stay its place in the log, its time and its level (16 bytes); the rest is read
    from the log again when somebody looks at this peer.
    """

    __slots__ = (
        "_indices",
        "_moments",
        "entries",
        "first_proof_ms",
        "key",
        "last_proof_ms",
        "level",
        "lists",
        "number",
        "place",
        "proofs",
    )

    def __init__(self, key: Key, number: int) -> None:
        """Start with no sighting; ``number`` is the log's index of the first one."""
        self.key = key
        self.number = number
        self.level = 0
        self.place = NOWHERE
        self.entries: dict[int, int] = {}
        self.lists: set[int] = set()
        self.proofs = 0
        self.first_proof_ms: int | None = None
        self.last_proof_ms: int | None = None
        self._indices = array("Q")
        self._moments = array("q")

    def add(self, seen: Seen) -> bool:
        """Count one sighting; return whether it is the first proof of its entry."""
        self._indices.append(seen.index)
        self._moments.append(seen.moment_ms << _LEVEL_BITS | seen.level)
        self.level = max(self.level, seen.level)
        self.place = seen.place
        self.lists.add(seen.list_number)
        highest = self.entries.get(seen.entry, 0)
        self.entries[seen.entry] = max(highest, seen.level)
        if seen.level < DELIVERED:
            return False
        self.proofs += 1
        first, last = self.first_proof_ms, self.last_proof_ms
        self.first_proof_ms = seen.moment_ms if first is None else min(first, seen.moment_ms)
        self.last_proof_ms = seen.moment_ms if last is None else max(last, seen.moment_ms)
        return highest < DELIVERED

    @property
    def sightings(self) -> int:
        """How many conversations named it."""
        return len(self._indices)

    @property
    def first_ms(self) -> int:
        """When it was first seen."""
        return self._moments[0] >> _LEVEL_BITS

    @property
    def last_ms(self) -> int:
        """When it was last seen."""
        return self._moments[-1] >> _LEVEL_BITS

    @property
    def proved_entries(self) -> int:
        """How many listed files it delivered a piece of."""
        return sum(1 for level in self.entries.values() if level == DELIVERED)

    def moments(self) -> list[tuple[int, int]]:
        """Return the time in ms and the level of each sighting, oldest first."""
        return [(one >> _LEVEL_BITS, one & _LEVEL_MASK) for one in self._moments]

    def indices(self, *, skip: int, limit: int) -> list[int]:
        """Return where its latest sightings stand in the log, latest first."""
        end = len(self._indices) - skip
        return list(reversed(self._indices[max(0, end - limit) : max(0, end)]))
