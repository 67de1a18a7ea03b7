"""Where an address is registered: a filter of jurisdiction, never a pin on a map.

Databases of countries differ on one address in twenty. So two of them must say that a peer is
out of the jurisdiction before it is dropped, and two that it is inside before it is proved;
whatever is between is *undetermined*: observed up to its claims (level 3), never asked for a
piece. Civil identity is nowhere in here: who held an address is for a provider to say, to a
magistrate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from protech.errors import ConfigError
from protech.locate.adapter import Address, Level
from protech.locate.mmdb import Origin
from protech.locate.networks_listed import CGNAT_RANGE, Flag, ListedNetworks

AGREEING = 2
"""How many databases must say the same of an address before anything follows from it."""


class Verdict(StrEnum):
    """Whether an address is in the jurisdiction of the authorisation."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    """Counted, and nothing else: neither spoken to nor kept."""
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the operator's databases and lists say of one address.

    ``country`` is what all databases that know the address agree on; ``countries`` is what each
    says. ``databases`` names every file that was asked: its name, date and SHA-256.
    """

    verdict: Verdict
    country: str | None
    countries: tuple[tuple[str, str | None], ...]
    asn: int | None
    operator: str | None
    flags: frozenset[Flag]
    databases: tuple[tuple[str, date, bytes], ...] = field(repr=False)

    @property
    def highest(self) -> Level | None:
        """The level up to which such a peer may be observed; None: not at all."""
        match self.verdict:
            case Verdict.INSIDE:
                return Level.DELIVERED
            case Verdict.UNDETERMINED:
                return Level.CLAIMS
            case Verdict.OUTSIDE:
                return None

    @property
    def may_be_proved(self) -> bool:
        """Whether a piece may be asked for, as far as the place goes."""
        return self.highest is Level.DELIVERED

    @property
    def as_json(self) -> dict[str, object]:
        """The place as records hold it."""
        return {
            "verdict": self.verdict.value,
            "country": self.country,
            "countries": [[name, country] for name, country in self.countries],
            "operator": {"asn": self.asn, "name": self.operator},
            "flags": sorted(flag.value for flag in self.flags),
            "databases": [
                [name, day.isoformat(), sha256.hex()] for name, day, sha256 in self.databases
            ],
        }


class Database(Protocol):
    """What can say where an address is registered: an MMDB file, or the lab's own table."""

    @property
    def name(self) -> str:
        """What records call it."""
        ...

    @property
    def day(self) -> date:
        """When it was built."""
        ...

    @property
    def sha256(self) -> bytes:
        """Of the whole file."""
        ...

    def origin(self, address: Address) -> Origin:
        """Return what it says of an address."""
        ...


class Gazetteer:
    """The databases and lists of one run, and the countries of its authorisation."""

    def __init__(
        self,
        *,
        jurisdiction: frozenset[str],
        databases: Sequence[Database],
        lists: Sequence[ListedNetworks] = (),
    ) -> None:
        """Take what the operator supplied.

        Raises:
            ConfigError: A file stands there twice, or two bear one name.
        """
        names = {one.name for one in databases}
        if min(len(names), len({one.sha256 for one in databases})) < len(databases):
            raise ConfigError(
                "Two databases of places are one file, or bear one name: a source that agrees"
                " with itself proves nothing. Name each file once, from different makers."
            )
        self._jurisdiction = jurisdiction
        self._databases = tuple(databases)
        self._lists = tuple(lists)
        self.sources: tuple[tuple[str, date, bytes], ...] = (
            *((one.name, one.day, one.sha256) for one in databases),
            *((one.name, one.day, one.sha256) for one in lists),
        )

    def place(self, address: Address, *, is_shared: bool = False) -> Place:
        """Return what is known of an address.

        Args:
            address: Of a peer; IPv4 inside IPv6 is looked up as IPv4.
            is_shared: Several peers were seen there (``locate.shared``).

        Raises:
            TrustError: A database does not hold together.
        """
        plain = plain_address(address)
        origins = [one.origin(plain) for one in self._databases]
        named = [one.country for one in origins if one.country is not None]
        operator = next((one for one in origins if one.asn is not None), Origin())
        return Place(
            verdict=self._verdict(named),
            country=named[0] if len(set(named)) == 1 else None,
            countries=tuple(
                (database.name, origin.country)
                for database, origin in zip(self._databases, origins, strict=True)
            ),
            asn=operator.asn,
            operator=operator.operator,
            flags=self._flags(plain, is_shared=is_shared),
            databases=self.sources,
        )

    def _verdict(self, named: Sequence[str]) -> Verdict:
        """Return what follows from the countries that were named; one that differs stops it."""
        inside = sum(country in self._jurisdiction for country in named)
        if len(named) < AGREEING or 0 < inside < len(named):
            return Verdict.UNDETERMINED
        return Verdict.INSIDE if inside else Verdict.OUTSIDE

    def _flags(self, address: Address, *, is_shared: bool) -> frozenset[Flag]:
        flags = {one.flag for one in self._lists if address in one}
        if address.version == 4 and address in CGNAT_RANGE:
            flags.add(Flag.CGNAT)
        if is_shared:
            flags.add(Flag.SHARED)
        return frozenset(flags)


def plain_address(address: Address) -> Address:
    """Return the IPv4 address in an IPv6 one that only carries it (RFC 4291 2.5.5.2)."""
    if address.version == 6 and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


LAB_DAY = date(2026, 11, 1)

LAB_HOME = "XA"
LAB_ABROAD = "XB"
"""Countries that ISO 3166 leaves to its users."""

LAB_NETWORKS: Sequence[tuple[IPv4Network | IPv6Network, str, int, str]] = (
    (IPv4Network("127.255.0.0/16"), LAB_ABROAD, 64498, "Lab network C"),
    (IPv4Network("127.0.0.0/9"), LAB_HOME, 64496, "Lab network A"),
    (IPv4Network("127.128.0.0/9"), LAB_HOME, 64497, "Lab network B"),
    (IPv4Network("198.18.0.0/16"), LAB_HOME, 64496, "Lab network A"),
    (IPv4Network("198.19.0.0/16"), LAB_ABROAD, 64498, "Lab network C"),
    (IPv6Network("::1/128"), LAB_HOME, 64496, "Lab network A"),
)
"""The first that holds an address; the numbers are for examples (RFC 5398)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabDatabase:
    """The lab's own table of places: made up, for loopback and 198.18.0.0/15 alone.

    ``sha256`` is zero, so that no record of the lab looks like one of a file.
    """

    name: str
    day: date = LAB_DAY
    number: int = 0

    @property
    def sha256(self) -> bytes:
        """No file's digest: ``number``, which tells two such tables apart."""
        return self.number.to_bytes(32)

    def origin(self, address: Address) -> Origin:
        """Return the made-up country of a lab's address; nothing of any other."""
        for network, country, asn, operator in LAB_NETWORKS:
            if address in network:
                return Origin(country=country, asn=asn, operator=operator)
        return Origin()


def lab_databases() -> tuple[LabDatabase, LabDatabase]:
    """Return the two tables that agree about the lab."""
    return LabDatabase(name="lab-1", number=0), LabDatabase(name="lab-2", number=1)
