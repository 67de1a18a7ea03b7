"""The gate: no packet but what signed papers cover, and none a moment too late."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import AuthorityError
from protech.locate.adapter import Network
from protech.locate.authority import PIECE_TAKES, Gate, check_request, open_gate
from protech.locate.papers import Authorisation, KeyKind, Operator, Power
from protech.locate.reach import LAB, NOWHERE
from protech.locate.rules import RULES
from tests.authorised import (
    ANCHORS,
    DAY,
    FACTS,
    NOW,
    OPERATORS,
    TARGET,
    TERMS,
    authorisation,
    endpoint,
    key,
    request,
    situation,
)

FIELD = replace(
    ANCHORS,
    is_lab=False,
    observers=(ip_network("9.9.9.0/24"), ip_network("2a00:1::/32")),
    sources=(ip_address("8.8.4.4"), ip_address("2a00:2::7")),
)
"""The anchors of an authority package: no lab."""


def ns(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


SOON = ns(NOW + timedelta(hours=2))


def lab() -> Gate:
    return open_gate(situation())


def field() -> Gate:
    return open_gate(situation(anchors=FIELD))


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "198.18.0.1", "198.19.255.255", "::1", "2001:2::9"]
)
def test_a_lab_speaks_to_its_own_addresses(text: str) -> None:
    lab().permit(endpoint(text), SOON)


@pytest.mark.parametrize(
    "text", ["128.0.0.0", "198.17.255.255", "198.20.0.0", "8.8.8.8", "::2"]
)
def test_a_lab_speaks_to_nobody_else(text: str) -> None:
    with pytest.raises(AuthorityError, match="a lab speaks to loopback"):
        lab().permit(endpoint(text), SOON)


@pytest.mark.parametrize("text", ["8.8.8.8", "1.0.0.0", "223.255.255.255", "2a00:1450::1"])
def test_a_run_speaks_to_public_addresses(text: str) -> None:
    field().permit(endpoint(text), SOON)


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "172.31.255.255",
        "192.168.0.1",
        "198.18.0.1",
        "224.0.0.251",
        "255.255.255.255",
        "::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:808:808::1",
    ],
)
def test_a_run_never_speaks_to_special_addresses(text: str) -> None:
    with pytest.raises(AuthorityError, match="public addresses alone"):
        field().permit(endpoint(text), SOON)


@pytest.mark.parametrize("text", ["9.9.9.9", "2a00:1::5", "8.8.4.4", "2a00:2::7"])
def test_a_run_never_speaks_to_observers(text: str) -> None:
    with pytest.raises(AuthorityError, match="never to observers"):
        field().permit(endpoint(text), SOON)


def test_a_lab_speaks_to_its_own_source_but_not_to_an_observer_that_it_names() -> None:
    anchors = replace(
        ANCHORS,
        observers=(ip_network("198.18.0.9/32"),),
        sources=(ip_address("127.0.0.1"),),
    )
    gate = open_gate(situation(anchors=anchors))
    gate.permit(endpoint("127.0.0.1"), SOON)
    with pytest.raises(AuthorityError, match="observers"):
        gate.permit(endpoint("198.18.0.9"), SOON)


@given(st.integers(0, 2**32 - 1))
def test_every_ipv4_address_is_judged_as_its_ranges_say(number: int) -> None:
    address = IPv4Address(number)
    barred = any(address in one for one in (*NOWHERE, *FIELD.observers)) or (
        address in FIELD.sources
    )
    assert is_permitted(field(), address) is not barred
    assert is_permitted(lab(), address) is any(address in one for one in LAB)


@given(st.integers(0, 2**128 - 1) | st.integers(0x2000 << 112, (0x4000 << 112) - 1))
def test_every_ipv6_address_is_judged_as_its_ranges_say(number: int) -> None:
    address = IPv6Address(number)
    barred = any(address in one for one in (*NOWHERE, *FIELD.observers)) or (
        address in FIELD.sources
    )
    expected = address in ip_network("2000::/3") and not barred
    assert is_permitted(field(), address) is expected
    assert is_permitted(lab(), address) is any(address in one for one in LAB)


def is_permitted(gate: Gate, address: IPv4Address | IPv6Address) -> bool:
    try:
        gate.permit(endpoint(str(address)), SOON)
    except AuthorityError:
        return False
    return True


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_not_spoken_to(port: int) -> None:
    with pytest.raises(AuthorityError, match="was not sent"):
        lab().permit(endpoint("127.0.0.1", port), SOON)
    lab().permit(endpoint("127.0.0.1", 65535), SOON)
    lab().permit(endpoint("127.0.0.1", 1), SOON)


def test_the_refusal_names_no_address() -> None:
    with pytest.raises(AuthorityError) as refused:
        field().permit(endpoint("10.1.2.3"), SOON)
    assert "10.1" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "ends_at", "why"),
    [
        ({}, NOW + DAY, "timestamp is a day old"),
        ({"facts": replace(FACTS, fresh_until=NOW + DAY / 2)}, NOW + DAY / 2, "is stale"),
    ],
)
def test_the_next_packet_after_the_end_is_not_sent(
    changes: dict[str, object], ends_at: datetime, why: str
) -> None:
    gate = open_gate(situation(**changes))
    assert gate.ends_at == ends_at
    gate.permit(endpoint("127.0.0.1"), ns(ends_at) - 1)
    with pytest.raises(AuthorityError, match=why):
        gate.permit(endpoint("127.0.0.1"), ns(ends_at))


def test_the_end_of_the_authorisation_stops_a_run() -> None:
    ends_at = NOW + timedelta(hours=3)
    gate = open_gate(situation(authorisation=authorisation(not_after=ends_at)))
    with pytest.raises(AuthorityError, match="authorisation A-1 ended at 2026-11-02 15:00:00"):
        gate.permit(endpoint("127.0.0.1"), ns(ends_at))


def test_a_clock_before_the_log_sends_nothing() -> None:
    gate = open_gate(situation())
    assert gate.begins_at == NOW
    with pytest.raises(AuthorityError, match="clock is earlier"):
        gate.permit(endpoint("127.0.0.1"), ns(NOW) - 1)


def test_a_new_case_begins_with_the_later_of_its_papers() -> None:
    paper = authorisation(not_before=NOW + timedelta(minutes=1))
    gate = open_gate(situation(authorisation=paper, logged_at=None))
    assert gate.begins_at == NOW + timedelta(minutes=1)


def test_a_rule_that_is_not_kept_opens_no_gate() -> None:
    with pytest.raises(AuthorityError, match="power to observe; ask its issuer"):
        open_gate(situation(authorisation=authorisation(powers=frozenset({Power.PROVE}))))
    assert len(RULES) == 14


def test_only_targets_of_the_list_that_was_opened_are_covered() -> None:
    lab().cover(TARGET)
    others = [
        replace(TARGET.list_name, name="another"),
        replace(TARGET.list_name, version=2),
        replace(TARGET.list_name, sha256=bytes(32)),
    ]
    for other in others:
        with pytest.raises(AuthorityError, match="another list"):
            lab().cover(replace(TARGET, list_name=other))


def test_only_networks_of_the_authorisation_are_covered() -> None:
    paper = authorisation(networks=frozenset({Network.BITTORRENT}))
    with pytest.raises(AuthorityError, match="network ed2k"):
        open_gate(situation(authorisation=paper)).cover(TARGET)


def granting(now_ns: int = SOON, **changes: Any) -> None:
    paper = authorisation()
    gate = open_gate(situation(authorisation=paper))
    grant = gate.grant(TARGET, request(paper, **changes), now_ns=now_ns)
    assert grant.not_after == NOW + DAY


def test_two_operators_grant_a_piece_until_the_first_paper_ends() -> None:
    granting()
    granting(entries=frozenset({"E-1", "E-2"}))
    paper = authorisation()
    gate = open_gate(situation(authorisation=paper))
    early = request(paper, not_after=NOW + timedelta(hours=4))
    grant = gate.grant(TARGET, early, now_ns=SOON)
    assert (grant.not_after, grant.request_sha256) == (NOW + timedelta(hours=4), early.sha256)


def test_no_piece_is_begun_that_could_outlast_its_request() -> None:
    paper = authorisation()
    gate = open_gate(situation(authorisation=paper))
    ends = NOW + timedelta(hours=4)
    last = ends - PIECE_TAKES
    assert gate.grant(TARGET, request(paper, not_after=ends), now_ns=ns(last)).not_after == ends
    with pytest.raises(AuthorityError, match="may take 90 seconds"):
        gate.grant(TARGET, request(paper, not_after=ends), now_ns=ns(last) + 1)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"entries": frozenset({"E-2"})}, "does not name this file"),
        ({"networks": frozenset({Network.BITTORRENT})}, "its network"),
        ({"not_before": NOW + 2 * DAY}, "holds from"),
        ({"not_after": NOW + timedelta(hours=1)}, "holds from"),
        ({"case": "case 8"}, "another authorisation, case or list"),
        ({"authorisation_sha256": bytes(32)}, "another authorisation, case or list"),
        ({"list_name": "another"}, "another authorisation, case or list"),
        ({"not_after": TERMS.not_after + DAY}, "asks for more"),
    ],
)
def test_what_a_request_does_not_cover_is_not_granted(
    changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(AuthorityError, match=why):
        granting(**changes)


def test_a_request_of_a_second_list_grants_nothing_of_the_first() -> None:
    paper = authorisation(lists=TERMS.lists | {"second"})
    gate = open_gate(situation(authorisation=paper))
    with pytest.raises(AuthorityError, match="does not name this file"):
        gate.grant(TARGET, request(paper, list_name="second"), now_ns=SOON)


def test_nothing_is_granted_once_the_gate_is_closed() -> None:
    with pytest.raises(AuthorityError, match="a day old"):
        granting(now_ns=ns(NOW + DAY))


def test_a_request_for_another_network_than_authorised_is_refused() -> None:
    paper = authorisation(networks=frozenset({Network.ED2K}))
    asked = request(paper, networks=frozenset(Network))
    with pytest.raises(AuthorityError, match="asks for more"):
        check_request(paper, asked, is_lab=True)


def test_without_the_power_to_prove_no_request_counts() -> None:
    paper = authorisation(powers=frozenset({Power.OBSERVE}))
    with pytest.raises(AuthorityError, match="power to prove"):
        check_request(paper, request(paper), is_lab=True)


def test_one_operator_alone_or_with_a_stranger_is_not_enough() -> None:
    paper = authorisation()
    for signers in ([OPERATORS[0]], [OPERATORS[0], key("stranger")]):
        with pytest.raises(AuthorityError, match="signed by 1 of the operators"):
            check_request(paper, request(paper, *signers), is_lab=True)
    signed = check_request(paper, request(paper, *OPERATORS, key("stranger")), is_lab=True)
    assert [one.name for one in signed] == ["anna", "bert", "carl"]


def test_keys_in_files_count_in_a_lab_alone() -> None:
    paper = authorisation()
    with pytest.raises(AuthorityError, match="signed by 0 of the operators"):
        check_request(paper, request(paper), is_lab=False)


def test_one_person_with_two_keys_is_one_person() -> None:
    paper = authorisation()
    twice = tuple(
        Operator(name="anna", kind=KeyKind.ED25519, public=one.public) for one in OPERATORS[:2]
    )
    asked = request(paper)
    named: Authorisation = replace(paper.terms, operators=twice)
    with pytest.raises(AuthorityError, match="it needs 2"):
        check_request(replace(paper, terms=named), asked, is_lab=True)
