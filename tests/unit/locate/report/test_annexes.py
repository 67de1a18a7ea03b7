from dataclasses import replace

from protech.locate.report import annexes, self_test
from protech.locate.report.words import Language, load
from tests.locate_case import (
    CERTIFICATE_SHA256,
    SELF_TEST,
    CaseMaker,
    material_of,
    said,
    small_case,
)

WORDS = load(Language.ENGLISH)
MADE, STATES = small_case()
MATERIAL = material_of(MADE, STATES)
BARE = material_of(CaseMaker())


def flat(text: str) -> str:
    return text.replace("\n", "")


def test_leave_to_ask_names_both_operators_and_the_request() -> None:
    text = said(annexes.requests(MATERIAL, WORDS))
    assert "operator-17, operator-21" in text
    assert MADE.request_sha256.hex() in text
    assert "all of the list" in text
    assert "2026-11-25 00:00:00 UTC – 2026-12-05 00:00:00 UTC" in text
    assert WORDS.say("requests_none") in said(annexes.requests(BARE, WORDS))


def test_a_request_names_its_files_and_one_that_cannot_be_read_its_digest_alone() -> None:
    made = CaseMaker()
    made.request(entries=["e1", "e2"])
    assert "e1, e2" in said(annexes.requests(material_of(made), WORDS))
    made.request(entries=[f"e{n}" for n in range(annexes.NAMED_ENTRIES + 1)])
    assert "61 entries" in said(annexes.requests(material_of(made), WORDS))
    for text in ("{", "[]"):
        made.records[1:] = [{**made.records[-1], "request": text}]
        told = said(annexes.requests(material_of(made), WORDS))
        assert made.request_sha256.hex() in told
        assert WORDS.say("request_pieces") not in told


def test_a_build_that_nobody_measured_is_called_so() -> None:
    text = said(annexes.certificate(MATERIAL, WORDS))
    assert WORDS.say("self_test_none_title") in text
    assert "%" not in text


def test_the_certificate_is_printed_with_counts_intervals_and_seeds() -> None:
    found = self_test.read(SELF_TEST)
    text = said(annexes.certificate(material_of(MADE, self_test=found), WORDS))
    for value in (
        "Precision, level 4",
        "3,100 / 3,100",
        "99.88 % – 100.00 %",
        "Recall, proved (level 4)",
        "1, 2, 3",
        "2026-11-28",
    ):
        assert value in text
    assert WORDS.say("self_test_other_title") not in text


def test_a_measurement_of_another_build_is_called_so() -> None:
    other = replace(self_test.read(SELF_TEST), code="f" * 64)
    text = said(annexes.certificate(material_of(MADE, self_test=other), WORDS))
    assert WORDS.say("self_test_other_title") in text


def test_every_database_stands_once_with_its_date_and_digest() -> None:
    text = said(annexes.databases(MATERIAL, WORDS))
    assert text.count("geo-a") == 1
    assert "aa" * 32 in flat(text)
    assert "2026-11-03" in text


def test_a_case_without_databases_says_so() -> None:
    made = CaseMaker()
    records = made.numbered
    records[0][1]["databases"] = []
    made.records = [record for _, record in records]
    assert WORDS.say("databases_none") in said(annexes.databases(material_of(made), WORDS))


def test_all_checkpoints_stamps_and_stops_are_printed() -> None:
    text = said(annexes.log(MATERIAL, WORDS))
    for state in STATES:
        assert state.root.hex() in flat(text)
    assert flat(text).count(CERTIFICATE_SHA256.hex()) == 2
    assert "newer than the last checkpoint: 1." in text
    assert "the operator stopped it" in text


def test_a_checkpoint_without_a_stamp_and_a_log_without_a_checkpoint_say_so() -> None:
    bare = replace(STATES[0], stamped_at=None, certificate_sha256=None)
    assert "not yet" in said(annexes.log(material_of(MADE, [bare]), WORDS))
    unnamed = replace(STATES[0], certificate_sha256=None)
    assert "2026-11-26 08:08:30" in said(annexes.log(material_of(MADE, [unnamed]), WORDS))
    text = said(annexes.log(BARE, WORDS))
    assert WORDS.say("log_none") in text
    assert "newer" not in text


def test_the_key_of_the_log_is_printed_for_who_compares_it() -> None:
    keyed = replace(BARE, log_key="case+00+key")
    assert "case+00+key" in said(annexes.log(keyed, WORDS))
    assert WORDS.say("log_key") not in said(annexes.log(BARE, WORDS))


def test_the_defence_is_told_how_to_check_and_with_which_files() -> None:
    text = said(annexes.verifying(MATERIAL, WORDS))
    names = [name for name in WORDS.sentences if name.startswith("verify_")]
    assert len(names) == annexes.STEPS
    assert all(WORDS.say(name) in text for name in names)
    assert text.count("SHA-256") >= 3
    packed = replace(MATERIAL, packs={"sighting-5.json": "ab" * 32})
    assert "sighting-5.json, SHA-256\n" + "ab" * 32 in said(annexes.verifying(packed, WORDS))
    without = replace(MATERIAL, bundle="", verifier="")
    assert WORDS.say("bundle_sha256") not in said(annexes.verifying(without, WORDS))


def test_every_word_of_the_field_is_explained_and_an_officer_signs() -> None:
    text = said(annexes.glossary(WORDS))
    meant = [name for name in WORDS.sentences if name.endswith("_means")]
    assert len(meant) == annexes.GLOSSARY
    assert all(WORDS.say(name) in text for name in meant)
    assert WORDS.say("sign_signature") in said(annexes.signing(WORDS))
