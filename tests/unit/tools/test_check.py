import re
from pathlib import Path

import pytest

from tools import check
from tools.check import Outcome

REPORT = """<testsuites><testsuite>
<testcase classname="tests.e2e.test_a" name="test_one"/>
<testcase classname="tests.e2e.test_a" name="test_two"><failure message="no"/></testcase>
<testcase classname="tests.e2e.test_a" name="test_three"><error message="no"/></testcase>
<testcase classname="tests.e2e.test_a" name="test_four"><skipped message="why"/></testcase>
</testsuite></testsuites>"""

GREEN = Outcome(suite="unit", passed=3, seconds=1.5)
SKIPPING = Outcome(suite="e2e", passed=1, skips=("tests.e2e.test_a::test_four: why",))


def test_a_report_is_counted_and_its_skips_named() -> None:
    outcome = check.read_report("e2e", REPORT)
    assert (outcome.passed, outcome.failed) == (1, 2)
    assert outcome.skips == ("tests.e2e.test_a::test_four: why",)


def test_a_skip_is_green_at_home() -> None:
    assert check.exit_code([GREEN, SKIPPING], is_ci=False) == 0


def test_a_skip_is_not_green_in_ci() -> None:
    assert check.exit_code([GREEN, SKIPPING], is_ci=True) == 1


def test_a_failure_is_not_green() -> None:
    assert check.exit_code([GREEN, Outcome(suite="lint", failed=1)], is_ci=False) == 1


def test_a_run_of_nothing_is_not_green() -> None:
    assert check.exit_code([Outcome(suite="unit")], is_ci=False) == 1


def test_the_last_line_is_the_plain_sum() -> None:
    lines = check.closing_lines([GREEN, SKIPPING], is_ci=False)
    assert lines[-1].strip() == "4 passed, 0 failed, 1 skipped"
    assert lines[0] == "skipped: tests.e2e.test_a::test_four: why"


def test_the_table_tells_seconds_per_suite() -> None:
    table = "\n".join(check.closing_lines([GREEN], is_ci=True))
    assert re.search(r"unit +3 +0 +0 +1\.5", table)


def test_a_whole_run_takes_every_suite() -> None:
    assert tuple(check.parse([]).suites) == check.SUITES


def test_a_narrowed_run_leaves_out_what_needs_the_whole() -> None:
    assert "coverage" not in check.parse(["-k", "policy"]).suites


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(SystemExit) as stopped:
        check.parse(["units"])
    assert stopped.value.code == 2


def test_missing_packages_are_named_and_comments_are_not() -> None:
    listing = "# why\n\nno-such-package-of-debian  # for a test\n"
    assert check.missing_packages(listing) == ["no-such-package-of-debian"]


def test_the_listing_names_packages_only() -> None:
    for line in Path("system-packages.txt").read_text().splitlines():
        assert re.fullmatch(r"(#.*|[a-z0-9][a-z0-9.+-]+ +# .+)", line)


def test_tests_that_fail_unseen_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "run", lambda command: 3)
    assert check.run_pytest("unit", []).failed == 1


def test_an_empty_suite_fails_unless_it_was_narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "run", lambda command: check.NO_TEST_RAN)
    assert check.run_pytest("e2e", []).failed == 1
    assert check.run_pytest("e2e", ["-k", "policy"]).failed == 0
