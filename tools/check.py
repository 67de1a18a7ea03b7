"""Run every check: lint, unit tests and their coverage floors, conformance, end to end.

Called by `dev.py check` with the environment's Python. The table at the end tells seconds per
suite, the last line `N passed, N failed, N skipped`. With CI=true nothing may be skipped.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "tools" / "peers.py"
PYTEST_SUITES = ("unit", "conformance", "e2e")
SUITES = ("lint", "unit", "coverage", "conformance", "e2e")

SIDE_BY_SIDE = ("-n", str(os.cpu_count() or 1), "--dist", "loadfile")
"""A process for each core, each file of tests in one of them."""

LINTERS = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
    ("lint-imports", "--no-cache"),
)

DECIDING = (
    "guard/gate",
    "lists/index",
    "locate/authority",
    "locate/reach",
    "locate/rules",
    "merkle",
    "salus/policy",
)
"""The modules that decide or find: their own tests take every branch of them."""

COVERED = ("--cov", "--cov-report=", "--cov-fail-under=0")
BRANCHES = ".coverage.branches"
"""Where the branches that those tests take are kept, apart from the lines of all."""

TESTS_FAILED = 1
NO_TEST_RAN = 5
"""Exit codes of pytest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one suite gave; ``skips`` holds lines that name a test and why it was skipped."""

    suite: str
    passed: int = 0
    failed: int = 0
    skips: tuple[str, ...] = ()
    seconds: float = 0.0


# ---- system packages -------------------------------------------------------------------------


def missing_packages(listing: str) -> list[str]:
    """Return the Debian packages of a listing that are not installed."""
    names = [line.partition("#")[0].strip() for line in listing.splitlines()]
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}"]
    if shutil.which(query[0]) is None:
        return [name for name in names if name]
    return [
        name
        for name in names
        if name
        and subprocess.run([*query, name], capture_output=True, check=False).stdout
        != b"installed"
    ]


def install_packages() -> None:
    """Install what tests need where we may; else say what stays away."""
    missing = missing_packages((ROOT / "system-packages.txt").read_text())
    if not missing:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]
        run([*apt, "update"])
        run([*apt, "install", "--yes", "--no-install-recommends", *missing])
        return
    print(f"not installed: {' '.join(missing)}. Tests that need them are skipped, named below.")
    print(f"To run them all: apt-get install {' '.join(missing)}")


# ---- the suites ------------------------------------------------------------------------------


def run(command: list[str], **environment: str) -> int:
    """Run a command in the checkout and return its exit code; its output shows as it comes."""
    print(f"\n$ {' '.join(command)}", flush=True)
    beside = shutil.which(command[0], path=Path(sys.executable).parent)
    return subprocess.run(
        [beside or command[0], *command[1:]],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    ).returncode


def counted(suite: str, codes: list[int]) -> Outcome:
    """Return what commands gave that each count as one test, by their exit codes."""
    failed = sum(code != 0 for code in codes)
    return Outcome(suite=suite, passed=len(codes) - failed, failed=failed)


def run_pytest(suite: str, options: list[str], **environment: str) -> Outcome:
    """Run one folder of tests."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = ["pytest", f"tests/{suite}", "-q", f"--junit-xml={report}", *options]
        code = run(command, **environment)
        outcome = read_report(suite, report.read_text() if report.exists() else "<none/>")
    if code == NO_TEST_RAN and "-k" in options:
        return outcome
    if code > TESTS_FAILED or (code and not outcome.failed):
        return replace(outcome, failed=outcome.failed + 1)
    return outcome


def run_units(options: list[str], *, is_slow: bool) -> Outcome:
    """Run the unit tests and take down what they cover: lines, in a slow run also branches.

    Before Python 3.14 only lines are cheap; branches make every test take twice as long.
    """
    options = [*options, *SIDE_BY_SIDE, *COVERED]
    if is_slow:
        return run_pytest("unit", [*options, "--cov-branch"])
    return run_pytest("unit", options, COVERAGE_CORE="sysmon")


def run_coverage() -> Outcome:
    """Hold what the unit tests covered against its floors.

    That is 90 % over all (pyproject.toml), and every branch of the modules that decide.
    """
    tests = [str(ROOT / "tests/unit" / path_of_tests(one)) for one in DECIDING]
    command = ["pytest", "-q", "-m", "not slow", *SIDE_BY_SIDE, *tests]
    codes = [
        run(["coverage", "report"]),
        run([*command, *COVERED, "--cov-branch"], COVERAGE_FILE=BRANCHES),
        run(
            [
                *("coverage", "report", f"--data-file={BRANCHES}", "--fail-under=100"),
                "--include=" + ",".join(f"*/protech/{one}.py" for one in DECIDING),
            ]
        ),
    ]
    return counted("coverage", codes)


def path_of_tests(module: str) -> Path:
    """Return where a module's own tests are, in tests/unit."""
    path = Path(module)
    return path.with_name(f"test_{path.name}.py")


def read_report(suite: str, report: str) -> Outcome:
    """Return what pytest's own JUnit report tells."""
    cases = list(ET.fromstring(report).iter("testcase"))  # noqa: S314 - we had it written
    failed = [case for case in cases if {"failure", "error"} & {child.tag for child in case}]
    skips = [
        f"{case.get('classname')}::{case.get('name')}: {child.get('message')}"
        for case in cases
        for child in case.iter("skipped")
    ]
    passed = len(cases) - len(failed) - len(skips)
    return Outcome(suite=suite, passed=passed, failed=len(failed), skips=tuple(skips))


def run_suite(suite: str, choice: argparse.Namespace) -> Outcome:
    """Run one suite and time it."""
    started = time.monotonic()
    options = [] if choice.slow else ["-m", "not slow"]
    options += ["-k", choice.k] if choice.k else []
    match suite:
        case "lint":
            outcome = counted(suite, [run(list(linter)) for linter in LINTERS])
        case "coverage":
            outcome = run_coverage()
        case "unit":
            outcome = run_units(options, is_slow=choice.slow)
        case _:
            outcome = run_pytest(suite, [*options, *SIDE_BY_SIDE])
    return replace(outcome, seconds=time.monotonic() - started)


# ---- the end ---------------------------------------------------------------------------------


def closing_lines(outcomes: list[Outcome], *, is_ci: bool) -> list[str]:
    """Return the skips by name, the table, and the line that sums them up."""
    lines = [f"skipped: {skip}" for outcome in outcomes for skip in outcome.skips]
    if is_ci and lines:
        lines.append("CI=true: a skipped test is a failure, for all it needs must be there")
    lines.append(f"\n{'suite':<12}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    lines += [
        f"{one.suite:<12}{one.passed:>8}{one.failed:>8}{len(one.skips):>9}{one.seconds:>9.1f}"
        for one in outcomes
    ]
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(outcome.failed for outcome in outcomes)
    skipped = sum(len(outcome.skips) for outcome in outcomes)
    return [*lines, f"\n{passed} passed, {failed} failed, {skipped} skipped"]


def exit_code(outcomes: list[Outcome], *, is_ci: bool) -> int:
    """Return 0 when all is green; a skip is not green in CI, nor is a run of nothing."""
    if any(outcome.failed for outcome in outcomes):
        return 1
    if is_ci and any(outcome.skips for outcome in outcomes):
        return 1
    return 0 if any(outcome.passed for outcome in outcomes) else 1


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return which suites to run and how."""
    parser = argparse.ArgumentParser(prog="dev.py check", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of: {', '.join(SUITES)}")
    parser.add_argument("--slow", action="store_true", help="run the tests marked slow too")
    parser.add_argument("-k", metavar="EXPR", help="only tests that match, as in pytest")
    choice = parser.parse_args(arguments)
    unknown = set(choice.suites) - set(SUITES)
    if unknown:
        parser.error(f"no suite is called {', '.join(sorted(unknown))}")
    if not choice.suites:
        choice.suites = [suite for suite in SUITES if not choice.k or suite in PYTEST_SUITES]
    return choice


def main(arguments: list[str]) -> int:
    """Run the chosen suites, print what came of them, return the exit code."""
    choice = parse(arguments)
    is_ci = os.environ.get("CI") == "true"
    if {"conformance", "e2e"} & set(choice.suites):
        install_packages()
    if "conformance" in choice.suites:
        run([sys.executable, str(PEERS)])  # tests that miss it say so
    outcomes = [run_suite(suite, choice) for suite in SUITES if suite in choice.suites]
    print("\n".join(closing_lines(outcomes, is_ci=is_ci)), flush=True)
    return exit_code(outcomes, is_ci=is_ci)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
