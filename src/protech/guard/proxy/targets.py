"""Where requests may go: never to this machine, whatever name leads there.

Names are resolved in one place, the event loop's ``getaddrinfo``, and the addresses that it
lets through are the ones that are connected to; a name that answers differently a moment later
(rebinding) gains nothing.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from protech.guard.proxy.upstream import OWN_MACHINE_ERROR

Address = tuple[str, int]
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: IPv4 inside IPv6


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Which hosts may be reached; ``overrides`` says where a name of the demo lies."""

    overrides: Mapping[str, Address] = field(default_factory=dict)

    def override(self, host: str) -> Address | None:
        """Return where ``host`` was put by hand, None for any other host."""
        return self.overrides.get(host.rstrip(".").lower())

    def is_refused(self, host: str) -> bool:
        """Return whether ``host``, as written in a request, is this machine."""
        if self.override(host):
            return False
        name = host.strip("[]").rstrip(".").lower()
        if name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            return is_own_machine(ipaddress.ip_address(name.partition("%")[0]))
        except ValueError:
            return False


def is_own_machine(address: IpAddress) -> bool:
    """Return whether ``address`` is loopback, link-local, unspecified or for many at once."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_own_machine(inner)
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address in ipaddress.ip_network("0.0.0.0/8")
        or address == ipaddress.ip_address("255.255.255.255")
    )


class ScreenedLoop(asyncio.SelectorEventLoop):
    """An event loop whose resolver knows the overrides and never answers with this machine."""

    targets = Targets()

    async def getaddrinfo(  # type: ignore[override]  # ours is typed more narrowly
        self,
        host: str | bytes | None,
        port: str | int | None,
        **options: int,
    ) -> list[tuple[Any, ...]]:
        """Resolve ``host``, leaving out the addresses of this machine.

        Raises:
            OSError: The name is not known, or nothing but this machine is behind it.
        """
        name = host.decode() if isinstance(host, bytes) else host or ""
        override = self.targets.override(name)
        if override:
            family = socket.AF_INET6 if ":" in override[0] else socket.AF_INET
            return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", override)]
        if self.targets.is_refused(name):
            raise OSError(OWN_MACHINE_ERROR)
        found = await super().getaddrinfo(host, port, **options)
        outside = [info for info in found if not _is_own(info[4][0])]
        if not outside:
            raise OSError(OWN_MACHINE_ERROR)
        return outside


def _is_own(address: Any) -> bool:  # noqa: ANN401 - what getaddrinfo gives
    return is_own_machine(ipaddress.ip_address(str(address).partition("%")[0]))
