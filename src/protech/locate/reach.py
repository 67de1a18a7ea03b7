"""Where packets may go at all: ranges of addresses, allowed less barred; pure."""

from collections.abc import Iterable
from ipaddress import ip_network

from protech.locate.papers import AddressRange

LAB = tuple(
    ip_network(text)
    for text in (
        "127.0.0.0/8",
        "198.18.0.0/15",  # RFC 2544: laboratories of networks
        "::1/128",
        "2001:2::/48",  # RFC 5180: the same for IPv6
    )
)
"""Where a lab may send to, and nowhere else."""

EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("2000::/3"))
"""Global unicast; of IPv6 nothing else is (RFC 4291, 2.4), so no IPv4 address in disguise."""

NOWHERE = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",  # AS112, of whoever announces it, as two more below
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # Teredo among them, which holds an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4, as Teredo
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
"""Loopback, private, shared, multicast, documentation, reserved: IANA's special-purpose
address registries (RFC 6890)."""


def ranges(
    version: int, allowed: Iterable[AddressRange], barred: Iterable[AddressRange]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the first and the last addresses of what is allowed and not barred, rising."""
    left = sorted(_ends(one) for one in allowed if one.version == version)
    for first, last in (_ends(one) for one in barred if one.version == version):
        cut = []
        for begin, end in left:
            if last < begin or end < first:
                cut.append((begin, end))
                continue
            cut += [(begin, first - 1)] * (begin < first) + [(last + 1, end)] * (last < end)
        left = cut
    apart: list[tuple[int, int]] = []
    for begin, end in sorted(left):
        if apart and begin <= apart[-1][1] + 1:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((begin, end))
    return tuple(begin for begin, _ in apart), tuple(end for _, end in apart)


def _ends(of: AddressRange) -> tuple[int, int]:
    return int(of.network_address), int(of.broadcast_address)
