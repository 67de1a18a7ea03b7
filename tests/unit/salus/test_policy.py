"""The policy table, row by row, and the properties that hold over all of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.salus.policy import (
    GUARD,
    MESSAGING,
    TRIAGE,
    Policy,
    PolicySettings,
    has_exact_match,
)
from protech.types import (
    Decision,
    Findings,
    Frame,
    Kind,
    ListRef,
    Match,
    MatchKind,
    OperatingPoint,
    Person,
    Reason,
    Scores,
    Unscannable,
)

POINT = OperatingPoint(name="test", explicit=0.5, apparent_minor=0.4, clearly_adult=0.1)
OWN = ListRef(name="own", version=1)
OTHER = ListRef(name="other", version=3)


def policy(settings: PolicySettings = GUARD, *, adult_filter: bool = False) -> Policy:
    return Policy(settings=replace(settings, is_adult_filter_on=adult_filter), point=POINT)


def image(**facts: object) -> Findings:
    return replace(Findings(kind=Kind.IMAGE), **facts)  # type: ignore[arg-type] # test facts


def scored(explicit: float | None, *minors: float | None) -> Findings:
    persons = tuple(Person(apparent_minor=minor) for minor in minors)
    return image(frames=(Frame(scores=Scores(explicit=explicit, persons=persons)),))


def pdq_match(distance_bits: int, quality: int) -> Match:
    return Match(source=OWN, kind=MatchKind.PDQ, distance_bits=distance_bits, quality=quality)


def vpdq_match(query_percent: float, known_percent: float) -> Match:
    return Match(
        source=OWN,
        kind=MatchKind.VPDQ,
        query_percent=query_percent,
        known_percent=known_percent,
    )


@pytest.mark.parametrize(
    ("findings", "rule", "decision", "reason"),
    [
        (image(matches=(Match(source=OWN, kind=MatchKind.SHA256),)), 1, "block", "known"),
        (
            image(
                matches=(
                    Match(source=OWN, kind=MatchKind.MD5),
                    Match(source=OWN, kind=MatchKind.SHA1),
                )
            ),
            1,
            "block",
            "known",
        ),
        (
            image(
                matches=(
                    Match(source=OWN, kind=MatchKind.MD5),
                    Match(source=OTHER, kind=MatchKind.SHA1),
                )
            ),
            2,
            "block",
            "resembles",
        ),
        (image(matches=(Match(source=OWN, kind=MatchKind.SHA1),)), 2, "block", "resembles"),
        (image(matches=(vpdq_match(80, 0),)), 2, "block", "resembles"),
        (image(matches=(vpdq_match(79.9, 100),)), 8, "allow", "none"),
        (image(matches=(Match(source=OWN, kind=MatchKind.VPDQ),)), 8, "allow", "none"),
        (image(matches=(pdq_match(31, 50),)), 2, "block", "resembles"),
        (image(matches=(pdq_match(32, 100),)), 8, "allow", "none"),
        (image(matches=(pdq_match(0, 49),)), 8, "allow", "none"),
        (scored(0.5, 0.4), 3, "block", "classified"),
        (scored(0.5, 0.4, 0.0), 3, "block", "classified"),
        (scored(0.49, 1.0), 8, "allow", "none"),
        (scored(0.9, 0.1), 8, "allow", "none"),
        (scored(0.9, 0.11), 5, "block", "unsure"),
        (scored(0.9, 0.1, None), 5, "block", "unsure"),
        (scored(0.9), 5, "block", "unsure"),
        (scored(None, 1.0), 8, "allow", "none"),
        (image(is_listed_address=True), 6, "block", "listed_address"),
        (image(unscannable=Unscannable.CORRUPT), 7, "block", "unscannable"),
        (image(), 8, "allow", "none"),
    ],
)
def test_each_row_decides_as_the_table_says(
    findings: Findings, rule: int, decision: str, reason: str
) -> None:
    verdict = policy().decide(findings)
    assert (verdict.rule, verdict.decision, verdict.reason) == (rule, decision, reason)


def test_adult_filter_hides_what_is_explicit_and_clearly_adult() -> None:
    adult = scored(0.9, 0.0)
    assert policy().decide(adult).decision is Decision.ALLOW
    verdict = policy(adult_filter=True).decide(adult)
    assert (verdict.rule, verdict.reason) == (4, Reason.ADULT_FILTER)


def test_known_good_names_the_reason_and_never_unblocks() -> None:
    good = Match(source=OTHER, kind=MatchKind.SHA256, is_known_good=True)
    assert policy().decide(image(matches=(good,))).reason is Reason.KNOWN_GOOD
    both = image(matches=(good, Match(source=OWN, kind=MatchKind.SHA256)))
    assert policy().decide(both).reason is Reason.KNOWN
    assert has_exact_match(both.matches)
    assert not has_exact_match((good,))


def test_severest_decision_wins_over_a_lower_row_number() -> None:
    findings = replace(scored(0.9), unscannable=Unscannable.CORRUPT)
    settings = PolicySettings(name="x", unsure=Decision.REVIEW, unscannable=Decision.BLOCK)
    verdict = policy(settings).decide(findings)
    assert (verdict.rule, verdict.decision) == (7, Decision.BLOCK)


@pytest.mark.parametrize("settings", [TRIAGE, MESSAGING])
def test_examiners_and_operators_review_what_the_guard_hides(settings: PolicySettings) -> None:
    assert policy(settings).decide(scored(0.9)).decision is Decision.REVIEW
    corrupt = image(unscannable=Unscannable.CORRUPT)
    assert policy(settings).decide(corrupt).decision is Decision.REVIEW


def test_scores_are_silent_without_an_operating_point() -> None:
    bare = Policy(settings=GUARD)
    assert bare.decide(scored(1.0, 1.0)).rule == 8
    assert bare.version == "guard-1/no-models"


def test_version_names_the_choices() -> None:
    assert policy(adult_filter=True).version == "guard-1/test+adult_filter"
    softer = replace(GUARD, unsure=Decision.REVIEW)
    assert policy(softer).version == "guard-1/test+unsure=review"


def test_stale_list_shows_in_the_verdict() -> None:
    assert not policy().decide(image(lists=(OWN,))).is_stale
    assert policy().decide(image(lists=(OWN, replace(OTHER, stale=True)))).is_stale


unit = st.floats(0, 1)
matches = st.builds(
    Match,
    source=st.sampled_from([OWN, OTHER]),
    kind=st.sampled_from(MatchKind),
    distance_bits=st.none() | st.integers(0, 256),
    quality=st.none() | st.integers(0, 100),
    query_percent=st.none() | st.floats(0, 100),
    known_percent=st.none() | st.floats(0, 100),
    is_known_good=st.booleans(),
)
scores = st.builds(
    Scores,
    explicit=st.none() | unit,
    persons=st.lists(st.builds(Person, apparent_minor=st.none() | unit), max_size=3).map(tuple),
)
frames = st.builds(Frame, scores=st.none() | scores)
findings = st.builds(
    Findings,
    kind=st.sampled_from(Kind),
    frames=st.lists(frames, max_size=3).map(tuple),
    matches=st.lists(matches, max_size=4).map(tuple),
    unscannable=st.none() | st.sampled_from(Unscannable),
    is_listed_address=st.booleans(),
)
policies = st.builds(
    policy, st.sampled_from([GUARD, TRIAGE, MESSAGING]), adult_filter=st.booleans()
)


@given(findings, matches, policies)
def test_adding_a_match_never_unblocks(
    findings: Findings, match: Match, policy: Policy
) -> None:
    more = replace(findings, matches=(*findings.matches, match))
    assert policy.decide(more).decision.severity >= policy.decide(findings).decision.severity


@given(findings, frames, policies)
def test_adding_a_frame_never_unblocks(
    findings: Findings, frame: Frame, policy: Policy
) -> None:
    more = replace(findings, frames=(*findings.frames, frame))
    assert policy.decide(more).decision.severity >= policy.decide(findings).decision.severity


@given(scores, unit, policies)
def test_raising_the_explicit_score_never_unblocks(
    scores: Scores, rise: float, policy: Policy
) -> None:
    lower = image(frames=(Frame(scores=scores),))
    explicit = min(1.0, (scores.explicit or 0.0) + rise)
    higher = image(frames=(Frame(scores=replace(scores, explicit=explicit)),))
    assert policy.decide(higher).decision.severity >= policy.decide(lower).decision.severity


@given(unit, st.lists(unit, min_size=1, max_size=3), unit, policies)
def test_raising_apparent_youth_never_unblocks(
    explicit: float, minors: list[float], rise: float, policy: Policy
) -> None:
    older = scored(explicit, *minors)
    younger = scored(explicit, *(min(1.0, minor + rise) for minor in minors))
    assert policy.decide(younger).decision.severity >= policy.decide(older).decision.severity


@given(st.sampled_from(Unscannable), findings, policies)
def test_unscannable_is_never_silently_allowed(
    why: Unscannable, findings: Findings, policy: Policy
) -> None:
    verdict = policy.decide(replace(findings, unscannable=why))
    assert verdict.decision.severity >= policy.settings.unscannable.severity
    assert verdict.decision is not Decision.ALLOW


def test_an_operator_may_ask_for_other_percentages_and_the_version_says_so() -> None:
    settings = replace(GUARD, vpdq_query_percent=10, vpdq_known_percent=90)
    chosen = Policy(settings=settings)
    within, without = vpdq_match(10, 90), vpdq_match(10, 89)
    assert chosen.decide(image(matches=(within,))).reason is Reason.RESEMBLES
    assert chosen.decide(image(matches=(without,))).reason is Reason.NONE
    assert chosen.version.endswith("+vpdq=10/90")
