"""Dated lists of addresses."""

import bisect
import random
from contextlib import suppress
from datetime import date
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ConfigError, SourceError
from protech.locate.networks_listed import Flag, Ranges, parse_networks, read_networks

HEADER = b"# name: exits date: 2026-11-20\n"


def test_a_list_has_a_name_a_day_and_the_digest_of_its_file(tmp_path: Path) -> None:
    content = HEADER + b"\n# a remark\n192.0.2.7\n2001:db8::/48\n198.51.100.0/24\n"
    path = tmp_path / "exits"
    path.write_bytes(content)
    listed = read_networks(path, Flag.TOR_EXIT)
    assert (listed.name, listed.day) == ("exits", date(2026, 11, 20))
    assert listed.sha256 == sha256(content).digest()
    assert ip_address("192.0.2.7") in listed
    assert ip_address("192.0.2.8") not in listed
    assert ip_address("198.51.100.255") in listed
    assert ip_address("2001:db8:0:ffff::1") in listed
    assert ip_address("2001:db8:1::") not in listed


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "does not begin"),
        (b"192.0.2.7\n", "line 1"),
        (b"# name: a date: 2026-13-01\n", "no day"),
        (b"# name: a b date: 2026-12-01\n", "does not begin"),
        (HEADER + b"192.0.2.7\nexample.org\n", "line 3 it is no address"),
        (HEADER + b"192.0.2.7/24\n", "line 2"),
        (HEADER + b"0.0.0.0/0\n", "wider"),
        (HEADER + b"::/7\n", "wider"),
        (b"\xff" + HEADER, "UTF-8"),
    ],
)
def test_what_is_not_in_the_format_is_refused_and_not_quoted(content: bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as refused:
        parse_networks(content, Flag.VPN, what="The list")
    assert "example.org" not in str(refused.value)


@given(
    st.binary(max_size=200)
    | st.text("0123456789abcdef.:/#- \n\r\x0b\u2028", max_size=200).map(
        lambda text: HEADER + text.encode()
    )
)
def test_whatever_a_file_holds_it_is_a_list_or_an_error(content: bytes) -> None:
    with suppress(ConfigError):
        listed = parse_networks(content, Flag.VPN, what="The list")
        assert listed.name == "exits"


def test_a_list_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protech.locate.networks_listed.LIST_BYTES", len(HEADER))
    assert len(parse_networks(HEADER, Flag.VPN, what="It").ranges) == 0
    with pytest.raises(ConfigError, match="larger"):
        parse_networks(HEADER + b"\n", Flag.VPN, what="It")


def test_a_list_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_networks(tmp_path / "none", Flag.VPN)


@given(
    st.lists(st.tuples(st.integers(0, 2**12), st.integers(24, 32)), max_size=30),
    st.integers(0, 2**12 + 300),
)
def test_ranges_hold_what_their_networks_hold(
    made: list[tuple[int, int]], address: int
) -> None:
    networks = [ip_network((at, bits), strict=False) for at, bits in made]
    asked = IPv4Address(address)
    assert (asked in Ranges(networks)) == any(asked in one for one in networks)


def test_a_hundred_thousand_ranges_are_searched_not_walked() -> None:
    chance = random.Random(3)
    networks = [ip_network((chance.getrandbits(32), 28), strict=False) for _ in range(100_000)]
    networks += [ip_network((chance.getrandbits(128), 48), strict=False) for _ in range(1000)]
    ranges = Ranges(networks)
    firsts = sorted(int(one.network_address) for one in networks if one.version == 4)
    for _ in range(1000):
        address = IPv4Address(chance.getrandbits(32))
        at = bisect.bisect_right(firsts, int(address)) - 1
        assert (address in ranges) == (at >= 0 and int(address) < firsts[at] + 16)
    assert IPv6Address(int(networks[-1].network_address) + 5) in ranges
