"""A proof request from its proposal to two signatures."""

import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from protech.errors import AuthorityError, ConfigError, TrustError
from protech.locate.adapter import Network
from protech.locate.approve import (
    approve,
    operator_of,
    propose,
    read_pin,
    signatures_of,
)
from protech.locate.authority import check_request
from protech.locate.documents import Document, read_document, read_request
from protech.locate.papers import Authorisation, KeyKind, Operator, Paper, Power
from protech.locate.tokens import Token
from protech.signing import verify_p256
from tests.authorised import DAY, NOW, OPERATORS, TERMS, authorisation, key, request
from tests.repository import LIST
from tests.softhsm import MODULE, PIN, tokens

PAPER = authorisation()


def proposed(paper: Paper[Authorisation] = PAPER, **changes: Any) -> Document:
    asked: dict[str, Any] = {
        "id": "R-1",
        "list_name": LIST,
        "entries": frozenset({"E-1"}),
        "pieces": 10,
        "not_before": NOW,
        "not_after": NOW + DAY,
    }
    return propose(paper, **asked | changes)


def test_two_operators_approve_one_after_the_other() -> None:
    first = approve(proposed(), PAPER, OPERATORS[0])
    assert (first.signed, first.missing) == (("anna",), 1)
    again = approve(first.document, PAPER, OPERATORS[0])
    assert (again.signed, again.missing) == (("anna",), 1)
    carried = read_document(first.document.content, "The proof request")
    second = approve(carried, PAPER, OPERATORS[1])
    assert (second.signed, second.missing) == (("anna", "bert"), 0)
    signed = check_request(PAPER, read_request(second.document.content), is_lab=True)
    assert [one.name for one in signed] == ["anna", "bert"]


def test_who_is_not_named_cannot_approve() -> None:
    with pytest.raises(AuthorityError, match="names no operator with this key"):
        approve(proposed(), PAPER, key("stranger"))
    assert operator_of(key("stranger").public, TERMS) is None


def test_a_request_of_another_authorisation_is_not_approved() -> None:
    other = authorisation(id="A-2")
    with pytest.raises(AuthorityError, match="for another authorisation"):
        approve(proposed(other), PAPER, OPERATORS[0])


def test_a_forged_signature_is_not_added_to() -> None:
    first = approve(proposed(), PAPER, OPERATORS[0]).document
    forged = replace(first, text=first.text.replace("E-1", "E-2"))
    with pytest.raises(TrustError, match="does not hold"):
        approve(forged, PAPER, OPERATORS[1])


@pytest.mark.parametrize(
    "changes",
    [
        {"list_name": "another"},
        {"not_before": TERMS.not_before - timedelta(seconds=1)},
        {"not_after": TERMS.not_after + timedelta(seconds=1)},
    ],
)
def test_more_than_is_authorised_is_not_proposed(changes: dict[str, Any]) -> None:
    with pytest.raises(AuthorityError, match="asks for more than the authorisation"):
        proposed(**changes)


def test_a_network_that_is_not_authorised_is_not_proposed() -> None:
    paper = authorisation(networks=frozenset({Network.ED2K}))
    with pytest.raises(AuthorityError, match="asks for more"):
        proposed(paper, networks=frozenset({Network.BITTORRENT}))
    proposed(paper)


def test_without_the_power_to_prove_nothing_is_proposed() -> None:
    with pytest.raises(AuthorityError, match="power to prove"):
        proposed(authorisation(powers=frozenset({Power.OBSERVE})))


def test_the_log_keeps_the_text_and_who_signed_it() -> None:
    asked = request(PAPER, *OPERATORS[:2], key("stranger"))
    signatures = signatures_of(asked, TERMS)
    assert [one["operator"] for one in signatures] == ["anna", "bert"]
    assert [one["public_key"] for one in signatures] == [
        one.public.hex() for one in OPERATORS[:2]
    ]


def test_a_pin_comes_through_a_descriptor() -> None:
    def given(content: bytes) -> str:
        reading, writing = os.pipe()
        os.write(writing, content)
        os.close(writing)
        try:
            return read_pin(reading)
        finally:
            os.close(reading)

    assert given(b"123456\n") == "123456"
    for bad in (b"", b"\n", b"\xff", b"1" * 257):
        with pytest.raises(ConfigError, match="PIN"):
            given(bad)
    with pytest.raises(ConfigError, match="No PIN can be read"):
        read_pin(-1)


@pytest.mark.needs("softhsm2-util")
def test_outside_of_a_lab_two_tokens_approve() -> None:
    labels = tokens()[:2]
    with (
        Token.open(MODULE, labels[0], PIN, may_make_keys=True) as one,
        Token.open(MODULE, labels[1], PIN, may_make_keys=True) as two,
    ):
        keys = [token.make_key("approves") for token in (one, two)]
        operators = tuple(
            Operator(name=name, kind=KeyKind.P256, public=made.public)
            for name, made in zip(("anna", "bert"), keys, strict=True)
        )
        paper = authorisation(operators=operators)
        document = proposed(paper)
        for made in keys:
            document = approve(document, paper, made).document
    asked = read_request(document.content)
    assert check_request(paper, asked, is_lab=False) == operators
    for signature in asked.signatures:
        assert verify_p256(signature.public, asked.text.encode(), signature.signature)
