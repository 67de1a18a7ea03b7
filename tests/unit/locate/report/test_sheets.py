from dataclasses import replace
from datetime import timedelta

import pytest

from protech.errors import AuthorityError, SourceError
from protech.locate.adapter import Level
from protech.locate.proposal import SEPARATION
from protech.locate.report.sheets import Basis, Sheet, peer_of, sheet
from protech.locate.report.words import Language, load
from tests.locate_case import BEGUN_AT, CaseMaker, material_of, place, said, small_case

ENGLISH = load(Language.ENGLISH)
FRENCH = load(Language.FRENCH)
MADE, STATES = small_case()
MATERIAL = material_of(MADE, STATES)
BOTH = pytest.mark.parametrize("kind", Sheet)


def test_a_peer_is_found_by_its_number_or_by_its_address_and_port() -> None:
    assert peer_of(MATERIAL, "1").socket.text == "198.18.7.9:51413"
    assert peer_of(MATERIAL, "[2001:db8::17]:6881").number == 4


@pytest.mark.parametrize("name", ["9", "198.18.7.9", "", "198.18.1.1:51413"])
def test_a_peer_that_the_report_does_not_name_is_refused_without_repeating_it(
    name: str,
) -> None:
    with pytest.raises(SourceError, match="no such access point") as refused:
        peer_of(MATERIAL, name)
    assert "198.18" not in str(refused.value)


@BOTH
def test_a_sheet_is_a_draft_with_what_was_measured(kind: Sheet) -> None:
    made = sheet(MATERIAL, ENGLISH, peer_of(MATERIAL, "1"), kind)
    text = said(made.blocks)
    assert made.mark in {"DRAFT LABORATORY", "PROJET LABORATOIRE"}
    assert text.count("198.18.7.9\nport 51413") == 3
    assert "198.18.0.1\nport 40123" in text
    assert "2026-11-26 08:05:00.000 UTC" in text
    assert "AS64500 Exemple Télécom" in text
    assert made.attachments == ()


@BOTH
def test_a_sheet_is_refused_until_two_separated_proofs(kind: Sheet) -> None:
    made = CaseMaker()
    made.sighting()
    made.sighting(at=BEGUN_AT + SEPARATION - timedelta(milliseconds=1))
    made.sighting(Level.CLAIMS, at=BEGUN_AT + 3 * SEPARATION)
    material = material_of(made)
    with pytest.raises(AuthorityError, match="at least 48 hours apart, and this one has 2"):
        sheet(material, ENGLISH, peer_of(material, "1"), kind)
    made.sighting(at=BEGUN_AT + SEPARATION)
    material = material_of(made)
    assert sheet(material, ENGLISH, peer_of(material, "1"), kind).blocks


def test_a_requisition_is_in_french_and_rests_on_what_the_user_chose() -> None:
    peer = peer_of(MATERIAL, "1")
    made = sheet(MATERIAL, ENGLISH, peer, Sheet.REQUISITION, basis=Basis.PRELIMINARY)
    assert made.language == Language.FRENCH
    assert "77-1-1" in said(made.blocks)
    blank = said(sheet(MATERIAL, ENGLISH, peer, Sheet.REQUISITION).blocks)
    assert blank.count(FRENCH.say("sheet_blank")) == 4


@pytest.mark.parametrize("basis", Basis)
def test_every_basis_has_its_words(basis: Basis) -> None:
    assert basis.value in FRENCH.say(f"basis_{basis}")


def test_an_epoc_sheet_asks_for_subscriber_data_alone_and_leaves_the_rest_blank() -> None:
    text = said(sheet(MATERIAL, ENGLISH, peer_of(MATERIAL, "1"), Sheet.EPOC).blocks)
    assert ENGLISH.say("epoc_f_value") in text
    assert text.count(ENGLISH.say("sheet_blank")) == 5
    assert "traffic" not in text


def test_what_speaks_against_asking_is_on_the_sheet() -> None:
    made = CaseMaker(is_lab=False)
    made.sighting(where=place(None, ["tor_exit"]))
    made.sighting(at=BEGUN_AT + SEPARATION, where=place(None))
    made.sighting(Level.CLAIMS, port=6999)
    material = material_of(made)
    made_sheet = sheet(material, ENGLISH, peer_of(material, "1"), Sheet.EPOC)
    text = said(made_sheet.blocks)
    assert made_sheet.mark == "DRAFT"
    assert "databases do not agree" in text
    assert "as: Tor exit" in text
    assert "Other ports of this address were seen too (2)" in text


def test_an_address_outside_the_jurisdiction_is_called_so() -> None:
    made = CaseMaker()
    outside = {**place("BE"), "verdict": "outside"}
    made.sighting(where=outside)
    made.sighting(at=BEGUN_AT + SEPARATION, where=outside)
    material = material_of(made)
    text = said(sheet(material, ENGLISH, peer_of(material, "1"), Sheet.EPOC).blocks)
    assert "outside the jurisdiction" in text


def test_a_place_that_is_not_known_leaves_the_provider_unknown() -> None:
    peer = peer_of(MATERIAL, "1")
    bare = replace(peer, seen=tuple(replace(one, place=None, local=None) for one in peer.seen))
    text = said(sheet(MATERIAL, ENGLISH, bare, Sheet.EPOC).blocks)
    assert text.count("unknown") == 4
