"""Ranges of addresses, allowed less barred."""

from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from protech.locate.reach import EVERYWHERE, LAB, NOWHERE, ranges


@st.composite
def network(draw: st.DrawFn) -> IPv4Network:
    length = draw(st.integers(24, 32))
    number = 10 << 24 | draw(st.integers(0, 255))
    return IPv4Network((number >> (32 - length) << (32 - length), length))


networks = st.lists(network(), max_size=6)


@given(networks, networks)
def test_an_address_is_in_where_it_is_allowed_and_not_barred(
    allowed: list[IPv4Network], barred: list[IPv4Network]
) -> None:
    firsts, lasts = ranges(4, allowed, barred)
    assert list(firsts) == sorted(firsts)
    for number in range(10 << 24, (10 << 24) + 256):
        address = IPv4Address(number)
        expected = any(address in one for one in allowed) and not any(
            address in one for one in barred
        )
        found = any(a <= number <= b for a, b in zip(firsts, lasts, strict=True))
        assert found is expected


def test_versions_are_kept_apart() -> None:
    both = [ip_network("10.0.0.0/8"), ip_network("2000::/3")]
    assert ranges(4, both, []) == ((10 << 24,), ((11 << 24) - 1,))
    assert ranges(6, both, [ip_network("0.0.0.0/0")]) == (
        (0x2000 << 112,),
        ((0x4000 << 112) - 1,),
    )
    assert ranges(6, both, [ip_network("::/0")]) == ((), ())


SPECIAL = """
    0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.1.1 172.31.0.1 192.0.0.1 192.0.0.170 192.0.2.1
    192.31.196.1 192.52.193.1 192.88.99.1 192.168.1.1 192.175.48.1 198.18.0.1 198.51.100.1
    203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255
    :: ::1 ::7f00:1
    ::ffff:8.8.8.8 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:1::1 2001:2::1
    2001:3::1 2001:4:112::1 2001:20::1 2001:30::1 2001:db8::1 2002:808:808::1 2620:4f:8000::1
    3fff::1 5f00::1 fc00::1 fd00::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1
"""
"""One address of each line of IANA's special-purpose registries, and of what was one once."""


def may_reach(text: str, *, allowed: object, barred: object) -> bool:
    address = ip_address(text)
    firsts, lasts = ranges(address.version, allowed, barred)  # type: ignore[arg-type]
    return any(a <= int(address) <= b for a, b in zip(firsts, lasts, strict=True))


def test_a_run_reaches_nothing_special() -> None:
    for text in SPECIAL.split():
        assert not may_reach(text, allowed=EVERYWHERE, barred=NOWHERE), text
    for text in ("8.8.8.8", "192.0.3.1", "2001:4860::1", "2a00::1", "198.20.0.1"):
        assert may_reach(text, allowed=EVERYWHERE, barred=NOWHERE), text


def test_a_lab_reaches_nothing_but_itself() -> None:
    inside = {"127.0.0.1", "198.18.0.1", "::1", "2001:2::1"}
    for text in (
        *SPECIAL.split(),
        "8.8.8.8",
        "2a00::1",
        "198.20.0.1",
        "198.17.255.255",
        "2001:2:1::1",
    ):
        assert may_reach(text, allowed=LAB, barred=()) is (text in inside), text
