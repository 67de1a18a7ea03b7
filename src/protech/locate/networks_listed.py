"""Dated lists of addresses that say what stands behind one: a Tor exit, a VPN, a host.

No such list is shipped: the operator brings each, and its name, date and digest go into every
record. Format: UTF-8; the first line ``# name: NAME date: YYYY-MM-DD``; then one address or
CIDR range a line, IPv4 and IPv6 mixed; blank lines and lines that begin with ``#`` say nothing.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from protech.errors import ConfigError, SourceError
from protech.locate.adapter import Address

LIST_BYTES = 64 * 1024 * 1024
"""About four million lines; the largest public lists of hosting ranges have 100,000."""

HEADER = re.compile(r"# name: ([!-~]{1,64}) date: (\d{4}-\d{2}-\d{2})")

CGNAT_RANGE = IPv4Network("100.64.0.0/10")
"""Between a provider and its own subscribers. Source: RFC 6598."""

CLOSEST_RANGE_BITS = 8
"""A range wider than a /8 is a slip of the pen: it would flag a continent."""


class Flag(StrEnum):
    """What is known of an address besides where it is: why it may be no household's."""

    TOR_EXIT = "tor_exit"
    VPN = "vpn"
    HOSTING = "hosting"
    CGNAT = "cgnat"
    """Many subscribers at one address: only ports and times tell them apart."""
    SHARED = "shared_address"
    """Several peers were seen at it (``locate.shared``)."""


class Ranges:
    """Ranges of addresses that answer whether one is among them.

    Cost: 16 to 64 bytes a range; a look-up is a binary search, about a microsecond.
    """

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        """Sort and join ranges; which may overlap."""
        found: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for one in networks:
            first = int(one.network_address)
            found[one.version].append((first, first + one.num_addresses - 1))
        self._bounds = {version: _joined(ranges) for version, ranges in found.items()}

    def __contains__(self, address: Address) -> bool:
        """Return whether an address lies in one of the ranges."""
        firsts, lasts = self._bounds[address.version]
        at = bisect_right(firsts, int(address)) - 1
        return at >= 0 and int(address) <= lasts[at]

    def __len__(self) -> int:
        return sum(len(firsts) for firsts, _ in self._bounds.values())


def _joined(ranges: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    firsts: list[int] = []
    lasts: list[int] = []
    for first, last in sorted(ranges):
        if lasts and first <= lasts[-1] + 1:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return firsts, lasts


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedNetworks:
    """One list: what it flags, of which day, and the digest of the file."""

    flag: Flag
    name: str
    day: date
    sha256: bytes = field(repr=False)
    ranges: Ranges = field(repr=False)

    def __contains__(self, address: Address) -> bool:
        """Return whether the list has an address."""
        return address in self.ranges


def read_networks(path: Path, flag: Flag) -> ListedNetworks:
    """Return the list in a file.

    Raises:
        SourceError: It cannot be read.
        ConfigError: It is not in the format; the message says which line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LIST_BYTES + 1)
    except OSError as refused:
        raise SourceError(
            f"The list of addresses {path} cannot be read ({refused.strerror}); name one that"
            " can."
        ) from refused
    return parse_networks(content, flag, what=str(path))


def parse_networks(content: bytes, flag: Flag, *, what: str) -> ListedNetworks:
    """Return the list in ``content``; ``what`` begins the message where it is none.

    Raises:
        ConfigError: It is not in the format.
    """
    if len(content) > LIST_BYTES:
        raise _malformed(what, 0, f"it is larger than {LIST_BYTES} bytes")
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as broken:
        raise _malformed(what, 0, "it is not UTF-8") from broken
    header = HEADER.fullmatch(lines[0].strip()) if lines else None
    if header is None:
        raise _malformed(what, 1, "it does not begin with '# name: NAME date: YYYY-MM-DD'")
    try:
        day = date.fromisoformat(header[2])
    except ValueError as broken:
        raise _malformed(what, 1, "its date is no day") from broken
    return ListedNetworks(
        flag=flag,
        name=header[1],
        day=day,
        sha256=hashlib.sha256(content).digest(),
        ranges=Ranges(_networks(lines, what)),
    )


def _networks(lines: Sequence[str], what: str) -> list[IPv4Network | IPv6Network]:
    found = []
    for number, line in enumerate(lines[1:], start=2):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            network = ip_network(text)
        except ValueError:  # its message quotes the line
            raise _malformed(what, number, "it is no address and no range") from None
        if network.prefixlen < CLOSEST_RANGE_BITS:
            raise _malformed(what, number, f"a range wider than /{CLOSEST_RANGE_BITS}")
        found.append(network)
    return found


def _malformed(what: str, line: int, why: str) -> ConfigError:
    place = f" line {line}" if line else ""
    return ConfigError(
        f"The list of addresses {what} cannot be used:{place} {why}. Get it again, or write it"
        " anew: a header, then one address or range a line."
    )
