"""Where an address is registered, and what follows from it."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_address, ip_network

import pytest

from protech.errors import ConfigError
from protech.locate.adapter import Address, Level
from protech.locate.mmdb import Origin
from protech.locate.networks_listed import Flag, ListedNetworks, Ranges
from protech.locate.place import Gazetteer, Place, Verdict, lab_databases, plain_address

ADDRESS = ip_address("192.0.2.1")
DAY = date(2026, 11, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    name: str
    says: Origin
    day: date = DAY

    @property
    def sha256(self) -> bytes:
        return self.name.encode().rjust(32)

    def origin(self, address: Address) -> Origin:
        return self.says


def gazetteer(*countries: str | None, lists: Mapping[str, Flag] | None = None) -> Gazetteer:
    return Gazetteer(
        jurisdiction=frozenset({"FR", "RE"}),
        databases=[
            Table(name=f"d{i}", says=Origin(country=one)) for i, one in enumerate(countries)
        ],
        lists=[
            ListedNetworks(
                flag=flag, name=f"of {range_}", day=DAY, sha256=bytes([7]) * 32,
                ranges=Ranges([ip_network(range_)]),
            )
            for range_, flag in (lists or {}).items()
        ],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("countries", "verdict"),
    [
        ((), Verdict.UNDETERMINED),
        (("FR",), Verdict.UNDETERMINED),
        (("DE",), Verdict.UNDETERMINED),
        (("DE", None), Verdict.UNDETERMINED),
        (("FR", None), Verdict.UNDETERMINED),
        ((None, None), Verdict.UNDETERMINED),
        (("FR", "FR"), Verdict.INSIDE),
        (("FR", "RE"), Verdict.INSIDE),
        (("DE", "DE"), Verdict.OUTSIDE),
        (("DE", "BE"), Verdict.OUTSIDE),
        (("DE", "BE", None), Verdict.OUTSIDE),
        (("FR", "DE"), Verdict.UNDETERMINED),
        (("FR", "FR", "DE"), Verdict.UNDETERMINED),
        (("DE", "DE", "FR"), Verdict.UNDETERMINED),
    ],
)
def test_two_must_agree_and_none_may_differ(
    countries: tuple[str | None, ...], verdict: Verdict
) -> None:
    for order in itertools.permutations(countries):
        assert gazetteer(*order).place(ADDRESS).verdict is verdict


def test_what_is_undetermined_is_observed_up_to_its_claims_and_not_proved() -> None:
    inside, outside, between = (
        gazetteer(*one).place(ADDRESS) for one in (("FR", "FR"), ("DE", "DE"), ("FR", "DE"))
    )
    assert (inside.highest, inside.may_be_proved) == (Level.DELIVERED, True)
    assert (between.highest, between.may_be_proved) == (Level.CLAIMS, False)
    assert (outside.highest, outside.may_be_proved) == (None, False)


def test_a_country_is_named_only_where_all_agree() -> None:
    assert gazetteer("FR", None, "FR").place(ADDRESS).country == "FR"
    assert gazetteer("FR", "RE").place(ADDRESS).country is None
    assert gazetteer(None, None).place(ADDRESS).country is None


def test_one_file_twice_is_refused() -> None:
    twice = [Table(name="a", says=Origin())] * 2
    with pytest.raises(ConfigError, match="agrees with itself"):
        Gazetteer(jurisdiction=frozenset({"FR"}), databases=twice)


def test_a_place_is_written_with_every_file_that_was_asked() -> None:
    place = gazetteer("FR", "DE", lists={"192.0.2.0/24": Flag.VPN}).place(ADDRESS)
    assert place.as_json == {
        "verdict": "undetermined",
        "country": None,
        "countries": [["d0", "FR"], ["d1", "DE"]],
        "operator": {"asn": None, "name": None},
        "flags": ["vpn"],
        "databases": [
            ["d0", "2026-11-20", b"d0".rjust(32).hex()],
            ["d1", "2026-11-20", b"d1".rjust(32).hex()],
            ["of 192.0.2.0/24", "2026-11-20", "07" * 32],
        ],
    }


def test_the_operator_is_the_first_that_a_database_names() -> None:
    tables = [
        Table(name="a", says=Origin(country="FR")),
        Table(name="b", says=Origin(asn=3215, operator="Orange")),
        Table(name="c", says=Origin(asn=1, operator="Other")),
    ]
    place = Gazetteer(jurisdiction=frozenset({"FR"}), databases=tables).place(ADDRESS)
    assert (place.asn, place.operator) == (3215, "Orange")


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("100.63.255.255", set()),
        ("100.64.0.0", {Flag.CGNAT}),
        ("100.127.255.255", {Flag.CGNAT}),
        ("100.128.0.0", set()),
        ("::ffff:100.64.0.1", {Flag.CGNAT}),
        ("198.51.100.7", {Flag.TOR_EXIT, Flag.HOSTING}),
        ("2001:db8::1", {Flag.HOSTING}),
    ],
)
def test_flags_come_from_the_lists_and_the_range_of_providers(
    text: str, flags: set[Flag]
) -> None:
    lists = {
        "198.51.100.7/32": Flag.TOR_EXIT,
        "198.51.100.0/24": Flag.HOSTING,
        "2001:db8::/32": Flag.HOSTING,
    }
    assert gazetteer("FR", lists=lists).place(ip_address(text)).flags == flags


def test_an_address_of_several_peers_is_flagged() -> None:
    assert gazetteer().place(ADDRESS, is_shared=True).flags == {Flag.SHARED}


def test_ipv4_inside_ipv6_is_ipv4() -> None:
    assert plain_address(ip_address("::ffff:192.0.2.1")) == ADDRESS
    assert plain_address(ip_address("2001:db8::1")) == ip_address("2001:db8::1")


def lab(text: str) -> Place:
    databases = lab_databases()
    return Gazetteer(jurisdiction=frozenset({"XA"}), databases=databases).place(
        ip_address(text)
    )


@pytest.mark.parametrize(
    ("text", "country", "verdict"),
    [
        ("127.0.0.1", "XA", Verdict.INSIDE),
        ("127.128.0.1", "XA", Verdict.INSIDE),
        ("127.254.255.255", "XA", Verdict.INSIDE),
        ("127.255.0.1", "XB", Verdict.OUTSIDE),
        ("198.18.3.4", "XA", Verdict.INSIDE),
        ("198.19.3.4", "XB", Verdict.OUTSIDE),
        ("192.0.2.1", None, Verdict.UNDETERMINED),
        ("::1", "XA", Verdict.INSIDE),
        ("::2", None, Verdict.UNDETERMINED),
    ],
)
def test_the_lab_has_made_up_countries(text: str, country: str, verdict: Verdict) -> None:
    assert (lab(text).country, lab(text).verdict) == (country, verdict)
