"""One peer of a case, as the page adds up what its records say."""

from array import array
from dataclasses import dataclass

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


class Peer:
    """The sum of a peer's sightings: small, since there can be a million of them.

    Of a sighting stay its place in the log, its time and its level (16 bytes); the rest is read
    from the log again when somebody looks at this peer.
    """

    __slots__ = (
        "_seen",
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
        """The highest level that each listed file was seen at."""
        self.lists = 0
        """A bit for each list, by its number."""
        self.proofs = 0
        self.first_proof_ms: int | None = None
        self.last_proof_ms: int | None = None
        self._seen = array("q")

    def add(
        self, index: int, moment_ms: int, level: int, *, entry: int, listed: int, place: Place
    ) -> bool:
        """Count one sighting; return whether it is the first proof of its entry.

        Args:
            index: Its place in the log.
            moment_ms: When it began, since 1970, UTC.
            level: How far it went.
            entry: The number of the listed file.
            listed: The number of its list.
            place: Where the address is registered.
        """
        self._seen.extend((index, moment_ms << _LEVEL_BITS | level))
        self.level = max(self.level, level)
        self.place = place
        self.lists |= 1 << listed
        highest = self.entries.get(entry, 0)
        self.entries[entry] = max(highest, level)
        if level < DELIVERED:
            return False
        self.proofs += 1
        first, last = self.first_proof_ms, self.last_proof_ms
        self.first_proof_ms = moment_ms if first is None else min(first, moment_ms)
        self.last_proof_ms = moment_ms if last is None else max(last, moment_ms)
        return highest < DELIVERED

    @property
    def sightings(self) -> int:
        """How many conversations named it."""
        return len(self._seen) // 2

    @property
    def first_ms(self) -> int:
        """When it was first seen."""
        return self._seen[1] >> _LEVEL_BITS

    @property
    def last_ms(self) -> int:
        """When it was last seen."""
        return self._seen[-1] >> _LEVEL_BITS

    @property
    def proved_entries(self) -> int:
        """How many listed files it delivered a piece of."""
        return sum(1 for level in self.entries.values() if level == DELIVERED)

    def moments(self) -> list[tuple[int, int]]:
        """Return the time in ms and the level of each sighting, oldest first."""
        return [(one >> _LEVEL_BITS, one & _LEVEL_MASK) for one in self._seen[1::2]]

    def indices(self, *, skip: int, limit: int) -> list[int]:
        """Return where its latest sightings stand in the log, latest first."""
        end = max(0, self.sightings - skip)
        return list(reversed(self._seen[2 * max(0, end - limit) : 2 * end : 2]))
