"""What a person sees of a scan: a line for each item, progress, and the sum of it."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

from protech.salus.walk import Found, shown
from protech.types import Decision, Reason, Unscannable, Verdict

PROGRESS_AFTER_S = 2.0
PROGRESS_EVERY_S = 0.25

CLEAR_LINE = "\r\x1b[K"

HEADING = f"{'DECISION':<9}{'REASON':<15}{'WHY':<28} PATH\n"


def table_line(found: Found, verdict: Verdict) -> str:
    """Return an item as a line of a table; the path comes last, so it is never cut."""
    why = _why(verdict)
    return f"{verdict.decision:<9}{verdict.reason:<15}{why:<28} {shown(found.path)}\n"


def _why(verdict: Verdict) -> str:
    findings = verdict.findings
    is_good = verdict.reason is Reason.KNOWN_GOOD
    named = [match for match in findings.matches if match.is_known_good is is_good]
    if named:
        match = named[0]
        bits = "" if match.distance_bits is None else f", {match.distance_bits} bits"
        return f"{match.source.name} {match.source.version} ({match.kind}{bits})"
    if findings.unscannable is not None:
        return findings.unscannable.value
    scores = [
        frame.scores.explicit
        for frame in findings.frames
        if frame.scores is not None and frame.scores.explicit is not None
    ]
    return f"explicit {max(scores):.2f}" if scores else "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many items there were, by decision, and how many could not be read."""

    decisions: Counter[Decision] = field(default_factory=Counter)
    unscannable: Counter[Unscannable] = field(default_factory=Counter)

    def add(self, verdict: Verdict) -> None:
        """Count one item."""
        self.decisions[verdict.decision] += 1
        if verdict.findings.unscannable is not None:
            self.unscannable[verdict.findings.unscannable] += 1

    @property
    def text(self) -> str:
        """Return the counts in a line."""
        counts = self.decisions
        items = "item" if counts.total() == 1 else "items"
        line = (
            f"{counts.total():,} {items}: {counts[Decision.BLOCK]:,} blocked,"
            f" {counts[Decision.REVIEW]:,} to review, {counts[Decision.ALLOW]:,} allowed"
        )
        reasons = ", ".join(f"{count:,} {why}" for why, count in self.unscannable.most_common())
        return f"{line}; could not be judged: {reasons}" if reasons else line


class Progress:
    """A line on a terminal that says how far a long scan is; silent anywhere else."""

    def __init__(self, err: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to count the time now."""
        self._err = err
        self._clock = clock
        self._is_terminal = err.isatty()
        self._next_s = clock() + PROGRESS_AFTER_S
        self._is_shown = False

    def show(self, text: str) -> None:
        """Show ``text``, if it is time for it."""
        if self._is_terminal and self._clock() >= self._next_s:
            self._next_s = self._clock() + PROGRESS_EVERY_S
            self._err.write(f"{CLEAR_LINE}{text}")
            self._err.flush()
            self._is_shown = True

    def clear(self) -> None:
        """Make room for a line of something else."""
        if self._is_shown:
            self._err.write(CLEAR_LINE)
            self._err.flush()
            self._is_shown = False
