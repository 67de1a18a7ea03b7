"""What a person sees: a table that no name can disturb, the sum, and progress."""

import io
from pathlib import Path

from protech.salus.policy import TRIAGE, Policy
from protech.salus.walk import Found
from protech.triage.show import CLEAR_LINE, Progress, Tally, table_line
from protech.types import (
    Findings,
    Frame,
    Kind,
    ListRef,
    Match,
    MatchKind,
    Scores,
    Unscannable,
    Verdict,
)

SOURCE = ListRef(name="mine", version=2)
KNOWN = Findings(
    kind=Kind.IMAGE, matches=(Match(source=SOURCE, kind=MatchKind.SHA256, entry="secret"),)
)
NEAR = Findings(
    kind=Kind.IMAGE,
    matches=(Match(source=SOURCE, kind=MatchKind.PDQ, distance_bits=4, quality=99),),
)
SCORED = Findings(
    kind=Kind.IMAGE,
    frames=(Frame(), Frame(scores=Scores(explicit=0.25)), Frame(scores=Scores())),
)
EMPTY = Findings(kind=Kind.OTHER, unscannable=Unscannable.EMPTY)


def decided(findings: Findings) -> Verdict:
    return Policy(settings=TRIAGE).decide(findings)


def line(findings: Findings, path: str = "a b.jpg") -> list[str]:
    return table_line(Found(path=Path(path)), decided(findings)).split(maxsplit=2)


def test_a_line_says_what_was_decided_and_why() -> None:
    assert line(KNOWN)[:2] == ["block", "known"]
    assert line(KNOWN)[2].startswith("mine 2 (sha256) ")
    assert line(NEAR)[2].startswith("mine 2 (pdq, 4 bits) ")
    assert line(SCORED)[2].startswith("explicit 0.25 ")
    assert line(EMPTY)[2].startswith("empty ")
    assert line(Findings(kind=Kind.OTHER))[2].startswith("- ")
    assert line(KNOWN)[2].endswith(" a b.jpg\n")


def test_a_list_of_harmless_files_is_no_reason_to_block() -> None:
    good = Match(
        source=ListRef(name="good", version=1), kind=MatchKind.SHA256, is_known_good=True
    )
    both = Findings(kind=Kind.IMAGE, matches=(good, *NEAR.matches))
    assert line(both)[2].startswith("mine 2 (pdq, 4 bits) ")
    assert line(Findings(kind=Kind.IMAGE, matches=(good,)))[2].startswith("good 1 (sha256) ")


def test_a_name_cannot_write_over_the_table() -> None:
    text = table_line(Found(path=Path("a\r\x1b[2Kb\n")), decided(KNOWN))
    assert text[:-1].isprintable()
    assert text.endswith("a\ufffd\ufffd[2Kb\ufffd\n")


def test_the_sum_counts_decisions_and_reasons() -> None:
    tally = Tally()
    assert tally.text == "0 items: 0 blocked, 0 to review, 0 allowed"
    tally.add(decided(KNOWN))
    assert tally.text == "1 item: 1 blocked, 0 to review, 0 allowed"
    tally.add(decided(EMPTY))
    tally.add(decided(SCORED))
    assert tally.text == (
        "3 items: 1 blocked, 1 to review, 1 allowed; could not be judged: 1 empty"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_shows_on_a_terminal_after_two_seconds() -> None:
    times = iter([0.0, 1.9, 2.0, 2.0, 2.1, 2.3, 2.3])
    terminal = Terminal()
    progress = Progress(terminal, clock=lambda: next(times))
    for text in ("a", "b", "c", "d"):
        progress.show(text)
    assert terminal.getvalue() == f"{CLEAR_LINE}b{CLEAR_LINE}d"
    progress.clear()
    progress.clear()
    assert terminal.getvalue() == f"{CLEAR_LINE}b{CLEAR_LINE}d{CLEAR_LINE}"


def test_progress_is_silent_in_a_pipe() -> None:
    pipe = io.StringIO()
    progress = Progress(pipe, clock=lambda: 0.0)
    progress.show("a")
    progress.clear()
    assert pipe.getvalue() == ""
