from protech.locate.report import cover, self_test
from protech.locate.report.words import Language, load
from tests.locate_case import SELF_TEST, CaseMaker, material_of, said, small_case

WORDS = load(Language.ENGLISH)
MADE, STATES = small_case()
MATERIAL = material_of(MADE, STATES)


def test_the_cover_names_case_authorisation_list_and_build() -> None:
    text = said(cover.front(MATERIAL, WORDS))
    for value in (
        "LAB-2026-0042",
        "LAB-AUTH-7",
        "Laboratory prosecutor",
        "CPP 230-46, 1° to 3°",
        "observe (levels 0 to 3), ask for a piece (level 4)",
        "2026-12-20 00:00:00 UTC",
        "operator-17, operator-21",
        "lab-list, version 7, issued by lab-authority, 3 entries",
        "commit 0123456789abcdef",
    ):
        assert value in text


def test_the_laboratory_is_named_first_and_only_where_it_is_one() -> None:
    assert WORDS.say("lab_title") in said(cover.front(MATERIAL, WORDS))
    real = material_of(CaseMaker(is_lab=False))
    assert WORDS.say("lab_title") not in said(cover.front(real, WORDS))


def test_the_short_account_counts_and_names_nobody() -> None:
    text = said(cover.in_short(MATERIAL, WORDS))
    assert "(level 4): 3, in 5 conversations" in text
    assert "(level 3): 2, in 2 conversations" in text
    assert "(levels 0 to 2): 3." in text
    assert "outside the jurisdiction: 31" in text
    assert "at least 48 hours apart): 1." in text
    assert "not measured in this build" in text
    assert "198.18" not in text


def test_each_level_says_what_it_does_not_show() -> None:
    measured = material_of(MADE, self_test=self_test.read(SELF_TEST))
    text = said(cover.levels(measured, WORDS))
    for level in range(5):
        assert WORDS.say(f"l{level}_shows") in text
        assert WORDS.say(f"l{level}_not") in text
    assert "100.00 % (3,100 of 3,100" in text
    assert text.count("only counted") == 3


def test_every_caution_is_printed() -> None:
    text = said(cover.cautions(WORDS))
    names = [name for name in WORDS.sentences if name.startswith("caution_")]
    assert len(names) == cover.CAUTIONS
    assert all(WORDS.say(name) in text for name in names)


def test_every_run_is_told_in_full() -> None:
    made = CaseMaker(is_lab=False)
    made.records += CaseMaker().records
    text = said(cover.basis(material_of(made), WORDS))
    assert "Run 2: begun" in text
    assert made.watch.tree_root.hex() in text
    assert "198.18.0.1" in text


def test_what_an_authorisation_lacks_and_a_build_does_not_know_is_left_out() -> None:
    made = CaseMaker()
    records = made.numbered
    records[0][1].update(authorisation={"case": "x", "powers": [], "id": 3})
    records[0][1].update(source_addresses=[], build={"version": "1", "commit": ""})
    records[0][1]["list"]["issuer"] = ""
    made.records = [record for _, record in records]
    text = said(cover.basis(material_of(made), WORDS))
    assert "Powers" not in text
    assert "commit unknown" in text
    assert "issued by unknown" in text
    assert WORDS.say("sources_ours") not in text
