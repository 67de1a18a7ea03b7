"""The policy table: findings in, verdict out; no disk, clock or process.

All rows are evaluated. The severest decision wins; the lowest-numbered row that gives it names
the reason. Adding a match or raising a score never unblocks.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from protech.types import (
    Decision,
    Findings,
    Match,
    MatchKind,
    OperatingPoint,
    Reason,
    Scores,
    Verdict,
)

POLICY_VERSION = 1

PDQ_RADIUS_BITS = 31
"""PDQ's published match radius. Source: ThreatExchange, hashing/hashing.pdf, section 4."""

PDQ_QUALITY_FLOOR = 50
"""Below this quality a PDQ hash says too little to match. Source: the same, section 3."""

VPDQ_QUERY_PERCENT = 80.0
VPDQ_KNOWN_PERCENT = 0.0
"""How much of a video, and of the known one, must be alike.

Source: ThreatExchange, threatexchange/extensions/vpdq/vpdq_util.py. A short piece of a known
video meets them; a long video that holds a known one whole needs a lower first percentage.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """What an application or its user chooses; the rest of the table is fixed.

    The percentages are of a video's distinct frames of quality 50 and more.
    """

    name: str
    unsure: Decision
    unscannable: Decision
    is_adult_filter_on: bool = False
    vpdq_query_percent: float = VPDQ_QUERY_PERCENT
    vpdq_known_percent: float = VPDQ_KNOWN_PERCENT


GUARD = PolicySettings(name="guard", unsure=Decision.BLOCK, unscannable=Decision.BLOCK)
TRIAGE = PolicySettings(name="triage", unsure=Decision.REVIEW, unscannable=Decision.REVIEW)
MESSAGING = PolicySettings(
    name="messaging", unsure=Decision.REVIEW, unscannable=Decision.REVIEW
)

_USUAL = {settings.name: settings.unsure for settings in (GUARD, TRIAGE, MESSAGING)}
"""What each application does with rows 5 and 7 unless somebody chose otherwise."""

Row = tuple[int, Decision, Reason]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The table under one choice of settings and one operating point of the models.

    ``point`` is None where no model is loaded; the rows about scores are then silent.
    """

    settings: PolicySettings
    point: OperatingPoint | None = None

    @property
    def version(self) -> str:
        """Name, table version, operating point and choices, as verdicts and rows print it."""
        settings = self.settings
        point = self.point.name if self.point else "no-models"
        choices = [
            f"+{row}={chosen}"
            for row, chosen, usual in (
                ("unsure", settings.unsure, _USUAL.get(settings.name)),
                ("unscannable", settings.unscannable, _USUAL.get(settings.name)),
            )
            if chosen is not usual
        ]
        percent = (settings.vpdq_query_percent, settings.vpdq_known_percent)
        if percent != (VPDQ_QUERY_PERCENT, VPDQ_KNOWN_PERCENT):
            choices.append(f"+vpdq={percent[0]:g}/{percent[1]:g}")
        adult = "+adult_filter" if settings.is_adult_filter_on else ""
        return f"{settings.name}-{POLICY_VERSION}/{point}{''.join(choices)}{adult}"

    def decide(self, findings: Findings) -> Verdict:
        """Return the severest row that applies, the lowest-numbered of its decision."""
        rule, decision, reason = min(
            self._rows(findings), key=lambda row: (-row[1].severity, row[0])
        )
        return Verdict(
            decision=decision, reason=reason, rule=rule, policy=self.version, findings=findings
        )

    def _rows(self, findings: Findings) -> Iterator[Row]:
        listed = [match for match in findings.matches if not match.is_known_good]
        if has_exact_match(listed):
            yield 1, Decision.BLOCK, Reason.KNOWN
        if any(self._resembles(match) for match in listed):
            yield 2, Decision.BLOCK, Reason.RESEMBLES
        for frame in findings.frames:
            if frame.scores is not None:
                yield from self._score_rows(frame.scores)
        if findings.is_listed_address:
            yield 6, Decision.BLOCK, Reason.LISTED_ADDRESS
        if findings.unscannable is not None:
            yield 7, self.settings.unscannable, Reason.UNSCANNABLE
        is_good = any(match.is_known_good for match in findings.matches)
        yield 8, Decision.ALLOW, Reason.KNOWN_GOOD if is_good else Reason.NONE

    def _score_rows(self, scores: Scores) -> Iterator[Row]:
        point = self.point
        if point is None or scores.explicit is None or scores.explicit < point.explicit:
            return
        judged = [p.apparent_minor for p in scores.persons if p.apparent_minor is not None]
        if any(score >= point.apparent_minor for score in judged):
            yield 3, Decision.BLOCK, Reason.CLASSIFIED
        if self.settings.is_adult_filter_on:
            yield 4, Decision.BLOCK, Reason.ADULT_FILTER
        adults = sum(score <= point.clearly_adult for score in judged)
        if not scores.persons or adults < len(scores.persons):
            yield 5, self.settings.unsure, Reason.UNSURE

    def _resembles(self, match: Match) -> bool:
        match match.kind:
            case MatchKind.MD5 | MatchKind.SHA1:
                return True
            case MatchKind.PDQ:
                return (
                    match.distance_bits is not None
                    and match.distance_bits <= PDQ_RADIUS_BITS
                    and match.quality is not None
                    and match.quality >= PDQ_QUALITY_FLOOR
                )
            case MatchKind.VPDQ:
                return (
                    match.query_percent is not None
                    and match.query_percent >= self.settings.vpdq_query_percent
                    and match.known_percent is not None
                    and match.known_percent >= self.settings.vpdq_known_percent
                )
            case _:
                return False


def has_exact_match(matches: Iterable[Match]) -> bool:
    """Return whether some list holds the SHA-256, or MD5 and SHA-1 together (row 1).

    A list of harmless files does not count: what it names is looked at as any other file.
    """
    by_list: dict[tuple[str, int], set[MatchKind]] = {}
    for match in matches:
        if match.is_known_good:
            continue
        by_list.setdefault((match.source.name, match.source.version), set()).add(match.kind)
    return any(
        MatchKind.SHA256 in kinds or {MatchKind.MD5, MatchKind.SHA1} <= kinds
        for kinds in by_list.values()
    )
