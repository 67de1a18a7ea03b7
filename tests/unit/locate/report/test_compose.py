import pytest

from protech.evidence.report import Heading
from protech.locate.report import self_test
from protech.locate.report.compose import document
from protech.locate.report.words import Language, load
from tests.locate_case import SELF_TEST, CaseMaker, material_of, small_case

MADE, STATES = small_case()


@pytest.mark.parametrize("language", Language)
def test_a_report_is_in_the_order_in_which_a_magistrate_reads(language: Language) -> None:
    words = load(language)
    made = document(material_of(MADE, STATES), words)
    chapters = [one.text for one in made.blocks if isinstance(one, Heading) and one.level == 1]
    assert chapters == [
        words.say(name)
        for name in (
            "short", "levels", "cautions", "overview", "requests", "self_test", "runs",
            "databases", "log", "verify", "words", "signing",
        )
    ]  # fmt: skip
    assert made.language == language


def test_the_laboratory_stands_behind_every_page_and_only_there() -> None:
    words = load(Language.FRENCH)
    assert document(material_of(MADE), words).mark == "LABORATOIRE"
    assert document(material_of(CaseMaker(is_lab=False)), words).mark == ""


def test_the_bundle_and_the_certificate_are_inside() -> None:
    words = load(Language.ENGLISH)
    bare = document(material_of(MADE), words)
    assert [one.name for one in bare.attachments] == ["case.jsonld"]
    whole = document(material_of(MADE, self_test=self_test.read(SELF_TEST)), words)
    assert [one.name for one in whole.attachments] == ["case.jsonld", "self_test.json"]
    assert whole.attachments[1].text == SELF_TEST
