"""Ranges of addresses, allowed less barred."""

from ipaddress import IPv4Address, IPv4Network, ip_network

from hypothesis import given
from hypothesis import strategies as st

from protech.locate.reach import ranges


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
