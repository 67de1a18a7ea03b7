from dataclasses import replace

from protech.locate.adapter import Level
from protech.locate.report import self_test
from protech.locate.report.material import sha256_hex
from tests.locate_case import COMMIT, SELF_TEST, CaseMaker, material_of, small_case

MADE, STATES = small_case()


def test_conversations_are_counted_at_the_level_they_reached() -> None:
    material = material_of(MADE)
    reached = {level: material.conversations(level) for level in Level}
    assert list(reached.values()) == [1, 1, 1, 2, 5]
    assert len(material.reached(Level.DELIVERED)) == 3
    assert len(material.reached(Level.CLAIMS)) == 2


def test_a_rate_counts_only_where_it_was_measured_on_this_build() -> None:
    found = self_test.read(SELF_TEST)
    assert material_of(MADE).measured == {}
    assert material_of(MADE, self_test=found).measured.keys() == {3, 4}
    other = replace(found, code="f" * 64)
    assert material_of(MADE, self_test=other).measured == {}


def test_a_rate_of_one_build_is_none_of_a_case_of_two() -> None:
    made = CaseMaker()
    made.records.append({**made.records[0], "build": {"version": "1", "commit": "f" * 40}})
    material = material_of(made, self_test=self_test.read(SELF_TEST))
    assert material.unmeasured == ("f" * 40,)
    assert material.measured == {}
    assert material_of(made).unmeasured == (COMMIT, "f" * 40)


def test_a_digest_is_of_the_text_in_utf8() -> None:
    assert sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
