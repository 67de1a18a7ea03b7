from dataclasses import replace
from datetime import timedelta

import pytest

from protech.evidence.letters import shown
from protech.evidence.report import Card, Heading
from protech.locate.adapter import Level, Outcome
from protech.locate.report import findings, self_test
from protech.locate.report.words import Language, load
from tests.locate_case import (
    BEGUN_AT,
    HOSTILE_NAME,
    SELF_TEST,
    CaseMaker,
    material_of,
    place,
    said,
    small_case,
)

WORDS = load(Language.ENGLISH)
MADE, STATES = small_case()
MATERIAL = material_of(MADE, STATES)


def cards(material: object) -> list[Card]:
    blocks = findings.peers(material, WORDS)  # type: ignore[arg-type]
    return [one for one in blocks if isinstance(one, Card)]


def card(index: int) -> str:
    return said([next(one for one in cards(MATERIAL) if f"Sighting {index}:" in one.title)])


def test_a_proof_is_told_with_all_that_a_provider_and_an_expert_need() -> None:
    made = CaseMaker()
    made.request()
    index = made.sighting(at=BEGUN_AT + timedelta(milliseconds=123))
    record = made.records[index]
    (told,) = cards(material_of(made, self_test=self_test.read(SELF_TEST)))
    text = said([told])
    for value in (
        "2026-11-26 08:00:00.123 UTC",
        "2026-11-26 08:00:01.357 UTC",
        "198.18.7.9:51413",
        "198.18.0.1:40123",
        "BitTorrent over",
        "synchronised, error at most 0.8 ms",
        f"{made.watch.targets[0].entry} (list lab-list, version 7)",
        "no. 2: 65,536 bytes from byte 131,072 of the listed file",
        f"SHA-1 {record['proof']['digest']}",  # type: ignore[index]
        str(record["proof"]["sha256"]),  # type: ignore[index]
        made.request_sha256.hex(),
        "sent the listed piece",
        "inside the jurisdiction (geo-a: FR; geo-b: FR)",
        "100.00 % (3,100 of 3,100",
        WORDS.say("l4_shows"),
        WORDS.say("l4_not"),
        "none yet",
    ):
        assert value in text
    assert told.is_strong


@pytest.mark.parametrize(("digest", "kind"), [("ab" * 32, "SHA-256, tree"), (None, "SHA-256 ")])
def test_the_digest_of_a_tree_is_not_called_that_of_the_piece(
    digest: str | None, kind: str
) -> None:
    made = CaseMaker()
    made.sighting()
    records = made.numbered
    proof = records[-1][1]["proof"]
    proof["digest"] = digest or proof["sha256"]
    made.records = [record for _, record in records]
    assert f"{kind}" in said(cards(material_of(made)))


def test_a_claim_shows_no_piece_and_says_how_it_ended() -> None:
    text = card(7)
    assert "sent data that is NOT the listed piece" in text
    assert WORDS.say("l3_not") in text
    assert WORDS.say("piece") not in text.splitlines()


def test_a_late_stamp_is_called_late_and_an_early_one_is_not() -> None:
    assert "the record existed on 2026-11-26 08:08:30 UTC (3 min after" in card(5)
    assert "certificate 0001020304050607)" in card(5)
    assert "LATE, on 2026-11-29 10:00:00 UTC, 3 days after the conversation" in card(8)


def test_a_stamp_of_nobody_known_is_called_so() -> None:
    unnamed = replace(STATES[0], certificate_sha256=None)
    text = said(findings.peers(material_of(MADE, [unnamed]), WORDS))
    assert "3 min after the conversation; unknown)" in text


def test_nothing_below_level_3_is_named() -> None:
    text = said([*findings.overview(MATERIAL, WORDS), *findings.peers(MATERIAL, WORDS)])
    assert "198.18.1." not in text
    assert "Sighting 2:" not in text


def test_no_fetch_key_is_named() -> None:
    text = said(findings.peers(MATERIAL, WORDS))
    for target in MADE.watch.targets:
        assert target.key.info_hash.hex() not in text  # type: ignore[union-attr]


def test_a_hostile_name_is_a_value_like_any_other() -> None:
    assert shown(HOSTILE_NAME) in card(6)


def test_several_peers_behind_one_address_and_an_exit_are_warned_of() -> None:
    text = said(findings.peers(MATERIAL, WORDS))
    assert text.count(WORDS.say("peer_shared_title")) == 2
    assert "name this address as: Tor exit." in text


def test_a_request_is_proposed_for_the_peer_that_carries_it_alone() -> None:
    text = said(findings.peers(MATERIAL, WORDS))
    assert text.count("a subscriber request may be drafted") == 1
    assert text.count("No subscriber request is proposed") == 4


def test_the_overview_leads_to_each_peer() -> None:
    blocks = list(findings.peers(MATERIAL, WORDS))
    labels = {one.label for one in blocks if isinstance(one, Heading)}
    assert labels == {f"peer-{n}" for n in range(1, 6)}
    assert said(findings.overview(MATERIAL, WORDS)).count("peer-") == 5


def test_a_case_without_peers_says_so() -> None:
    text = said(findings.overview(material_of(CaseMaker()), WORDS))
    assert WORDS.say("overview_none") in text


def test_what_is_not_known_is_called_unknown() -> None:
    made = CaseMaker()
    made.sighting(Level.CLAIMS, outcome=Outcome.CLOSED, client_name=None)
    records = made.numbered
    records[-1][1].update(place=None, local=None, claims=None, transport=None)
    records[-1][1]["client"]["id"] = None
    records[-1][1]["clock"] = {"synchronised": False, "error_ms": None}
    made.records = [record for _, record in records]
    text = said(findings.peers(material_of(made), WORDS))
    assert "not looked up" in text
    assert "NOT synchronised" in text
    assert "no connection stood" in text
    assert WORDS.say("client") not in text.splitlines()


def test_a_clock_that_does_not_say_its_error_and_a_place_that_says_little() -> None:
    made = CaseMaker()
    made.sighting(where={"verdict": "inside", "operator": {"asn": None, "name": None}})
    records = made.numbered
    records[-1][1]["clock"]["error_ms"] = None
    made.records = [record for _, record in records]
    text = said(findings.peers(material_of(made), WORDS))
    assert "error not stated" in text
    assert "inside the jurisdiction (unknown)" in text


def test_a_long_address_takes_more_lines_and_loses_no_letter() -> None:
    made = CaseMaker()
    made.sighting(peer="2001:db8:1234:5678:9abc:def0:1234:5678")
    (told,) = cards(material_of(made))
    assert "[2001:db8:1234:5678:9abc:def0:1234:5678]:51413" in said([told]).replace("\n", "")
    overview = said(findings.overview(material_of(made), WORDS))
    assert "2001:db8:1234:5678:\n9abc:def0:1234:5678\nport 51413" in overview


def test_flags_and_countries_in_words() -> None:
    made = CaseMaker()
    made.sighting(where=place("FR", ["cgnat", "shared_address"]))
    text = said(findings.peers(material_of(made), WORDS))
    assert (
        "shared address (CGNAT), several ports or names of programs seen at this address"
        in text
    )


def test_a_program_with_two_names_for_one_file_is_no_proof_of_two_devices() -> None:
    assert "gave itself 2 different names" in said(findings.peers(MATERIAL, WORDS))


def test_what_was_measured_on_one_network_is_not_said_of_another() -> None:
    made = CaseMaker()
    index = made.sighting()
    made.records[index]["network"] = "ed2k"
    (told,) = cards(material_of(made, self_test=self_test.read(SELF_TEST)))
    assert WORDS.say("not_measured") in said([told])
    assert "3,100" not in said([told])
