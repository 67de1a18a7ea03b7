import asyncio
import ipaddress
import socket
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from protech.guard.proxy.targets import ScreenedLoop, Targets, is_own_machine
from tests.proxied import Sent, origin, proxied

OWN = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "0.1.2.3", "169.254.1.1", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:0:0",
    "64:ff9b::7f00:1", "2002:7f00:1::",
]  # fmt: skip
OTHERS = [
    "8.8.8.8",
    "192.168.1.1",
    "10.0.0.1",
    "2001:db8::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("address", OWN)
def test_an_address_of_this_machine_is_known_in_every_form(address: str) -> None:
    assert is_own_machine(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OTHERS)
def test_other_addresses_are_not_this_machine(address: str) -> None:
    assert not is_own_machine(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "a.localhost", "[::1]", "fe80::1%lo"]
)
def test_this_machine_is_refused_by_name_and_by_address(host: str) -> None:
    assert Targets().is_refused(host)
    assert not Targets(overrides={host.rstrip(".").lower(): ("127.0.0.1", 1)}).is_refused(host)


def test_other_names_are_left_to_the_resolver() -> None:
    assert not Targets().is_refused("example.org")
    assert not Targets().is_refused("192.168.1.1")


def resolve(host: str | bytes | None, targets: Targets) -> list[object]:
    loop = ScreenedLoop()
    loop.targets = targets
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return list(runner.run(loop.getaddrinfo(host, 80, type=socket.SOCK_STREAM)))


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "0", "localhost", b"127.1"])
def test_every_way_to_write_this_machine_is_refused_by_the_resolver(host: str | bytes) -> None:
    with pytest.raises(OSError, match="this machine"):
        resolve(host, Targets())


def test_an_override_is_where_it_was_put() -> None:
    targets = Targets(overrides={"photos.test": ("127.0.0.1", 81), "six.test": ("::1", 82)})
    assert resolve("photos.test", targets)[0][4] == ("127.0.0.1", 81)  # type: ignore[index]
    assert resolve("six.test", targets)[0][0] is socket.AF_INET6  # type: ignore[index]


def test_other_addresses_are_resolved() -> None:
    assert resolve("8.8.8.8", Targets())


def test_a_page_cannot_reach_a_program_on_this_machine(tmp_path: Path) -> None:
    with origin() as program, proxied(tmp_path, {}) as proxy:
        program.routes["/"] = Sent(b"private")
        for host in ("127.0.0.1", "localhost", "127.1", "0", "[::1]", "2130706433"):
            with pytest.raises(RemoteDisconnected):
                proxy.get(f"http://{host}:{program.port}/")
        assert program.requests == []
        opened = {"Sec-Fetch-Dest": "document"}
        assert b"this computer itself" in proxy.get(f"http://127.1:{program.port}/", opened)[2]


def test_a_tunnel_to_this_machine_is_refused(tmp_path: Path) -> None:
    with origin() as program, proxied(tmp_path, {}) as proxy:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(OSError, match="403"):
                proxy.get(f"https://{host}:{program.port}/")
        with pytest.raises(OSError, match="403"):
            proxy.get("https://192.168.1.1/")
        assert program.requests == []
