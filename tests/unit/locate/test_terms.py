"""The terms of papers, each field read strictly."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from protech.errors import TrustError
from protech.lists.fields import Fields
from protech.locate.papers import KeyKind, Operator, Power, ProofRequest, Timestamp
from protech.locate.terms import (
    authorisation_fields,
    parse_authorisation,
    parse_request,
    parse_timestamp,
    request_fields,
    timestamp_fields,
)
from tests.authorised import DAY, NOW, TERMS

REQUEST = ProofRequest(
    id="R-1",
    case="case 7",
    authorisation_sha256=bytes(range(32)),
    list_name="a-list",
    entries=frozenset({"E-1", "E-2"}),
    networks=TERMS.networks,
    pieces=5,
    not_before=NOW,
    not_after=NOW + DAY,
)


def operator(**changes: Any) -> dict[str, Any]:
    public = base64.b64encode(bytes(32)).decode()
    return {"name": "anna", "kind": "ed25519", "public_key": public} | changes


def test_an_authorisation_comes_back() -> None:
    told = authorisation_fields(TERMS)
    assert parse_authorisation(Fields(told, "It")) == TERMS
    point = Operator(name="dora", kind=KeyKind.P256, public=b"\x04" + bytes(64))
    terms = replace(TERMS, operators=(point, *TERMS.operators))
    assert parse_authorisation(Fields(authorisation_fields(terms), "It")) == terms


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("case", "two\nlines"),
        ("powers", []),
        ("powers", ["observe", "observe"]),
        ("powers", ["listen"]),
        ("powers", "observe"),
        ("jurisdiction", ["fr"]),
        ("jurisdiction", ["FRA"]),
        ("jurisdiction", [1]),
        ("networks", ["tor"]),
        ("not_before", "2026-11-01"),
        ("not_after", "2026-10-01T00:00:00.000Z"),
        ("lists", ["../x"]),
        ("lists", []),
        ("operators", [operator()]),
        ("operators", [operator(), operator()]),
        ("operators", [operator(), operator(name="bert")]),
        ("operators", [operator(), operator(kind="p256", name="bert")]),
        ("operators", [operator(), operator(kind="rsa", name="bert")]),
        ("operators", [operator(), operator(public_key="?", name="bert")]),
        ("operators", {}),
    ],
)
def test_a_field_that_is_none_is_refused(field: str, value: object) -> None:
    told = authorisation_fields(TERMS) | {field: value}
    with pytest.raises(TrustError):
        parse_authorisation(Fields(told, "It"))


def test_who_may_only_observe_needs_no_operators() -> None:
    terms = replace(TERMS, powers=frozenset({Power.OBSERVE}), operators=())
    assert parse_authorisation(Fields(authorisation_fields(terms), "It")) == terms


def test_a_timestamp_comes_back_even_where_nothing_is_in_force() -> None:
    for in_force in (frozenset[bytes](), frozenset({bytes(32), bytes(range(32))})):
        terms = Timestamp(at=NOW, in_force=in_force)
        assert parse_timestamp(Fields(timestamp_fields(terms), "It")) == terms


@pytest.mark.parametrize("value", [None, "00" * 32, [1], ["00"], ["AA" * 32], ["zz" * 32]])
def test_digests_in_force_are_lowercase_hex(value: object) -> None:
    told = timestamp_fields(Timestamp(at=NOW, in_force=frozenset())) | {"in_force": value}
    with pytest.raises(TrustError):
        parse_timestamp(Fields(told, "It"))


def test_a_request_comes_back() -> None:
    for entries in (None, frozenset({"E-1"})):
        terms = replace(REQUEST, entries=entries)
        assert parse_request(Fields(request_fields(terms), "It")) == terms


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("entries", None),
        ("entries", "some"),
        ("entries", []),
        ("entries", ["E 1"]),
        ("entries", ["E-1", "E-1"]),
        ("pieces", 0),
        ("pieces", 1_000_001),
        ("pieces", True),
        ("list", None),
        ("list", ["a-list"]),
        ("authorisation_sha256", "00"),
        ("not_before", "2026-12-01T00:00:00.000Z"),
    ],
)
def test_a_field_of_a_request_that_is_none_is_refused(field: str, value: object) -> None:
    with pytest.raises(TrustError):
        parse_request(Fields(request_fields(REQUEST) | {field: value}, "It"))
