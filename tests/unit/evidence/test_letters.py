from hypothesis import given
from hypothesis import strategies as st

from protech.evidence.letters import LONGEST_CHARACTERS, shown


def test_what_no_font_has_and_what_hides_is_shown_as_its_number() -> None:
    assert shown("a\u202eb\u4e2d\u0301\u00ad\n") == r"a\u{202e}b\u{4e2d}\u{301}\u{ad}\u{a}"
    assert shown("Été, Ωμέγα, Привет") == "Été, Ωμέγα, Привет"


def test_a_text_has_a_limit() -> None:
    assert shown("x" * LONGEST_CHARACTERS) == "x" * LONGEST_CHARACTERS
    longer = shown("x" * (LONGEST_CHARACTERS + 1))
    assert len(longer) == LONGEST_CHARACTERS
    assert longer.endswith("\N{HORIZONTAL ELLIPSIS}")


@given(st.text())
def test_what_may_be_printed_is_shown_as_itself(text: str) -> None:
    assert shown(shown(text)) == shown(text)
    assert "\u202e" not in shown(text)
