"""Each rule is kept or not, and says what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from protech.lists.entries import Use
from protech.locate.papers import ClockReading, ListAnchor, Power, Quorum
from protech.locate.rules import RULES, Situation, judge, shown, unanchored
from tests.authorised import (
    ANCHORS,
    CLERK,
    DAY,
    FACTS,
    MAGISTRATE,
    NOW,
    authorisation,
    key,
    situation,
    timestamp,
)

FIELD = replace(ANCHORS, is_lab=False)
THREE = Quorum(keys=frozenset({MAGISTRATE.public, key("b").public}), threshold=2)


def at(moment: datetime, **changes: Any) -> ClockReading:
    return replace(
        ClockReading(at=moment, is_synchronised=True, error_ms=3.0),
        **changes,
    )


def test_in_a_good_situation_every_rule_is_kept() -> None:
    assert [(one.what, one.is_met, one.message) for one in judge(situation())] == [
        (what, True, "holds") for what, _ in RULES
    ]
    assert all(one.is_met for one in judge(situation(anchors=FIELD)))


@pytest.mark.parametrize(
    ("changes", "what", "message"),
    [
        (
            {"anchors": replace(ANCHORS, authorisations=THREE)},
            "authorisation signed",
            "has 1 of the 2 signatures",
        ),
        (
            {"reading": at(NOW - 2 * DAY), "logged_at": None},
            "authorisation in its term",
            "begins at 2026-11-01",
        ),
        (
            {"seen_at": NOW + timedelta(milliseconds=1)},
            "timestamp not older than one seen",
            "bring a newer one",
        ),
        ({"seen_version": 2}, "list not older than one used", "in version 1"),
        ({"reading": at(NOW + 10 * DAY)}, "authorisation in its term", "ended at 2026-11-12"),
        (
            {"authorisation": authorisation(powers=frozenset({Power.PROVE}))},
            "power to observe",
            "power to observe",
        ),
        (
            {
                "anchors": replace(
                    ANCHORS,
                    timestamps=Quorum(keys=frozenset({CLERK.public, b"x"}), threshold=2),
                )
            },
            "timestamp signed",
            "has 1 of the 2",
        ),
        (
            {"reading": at(NOW - timedelta(seconds=1)), "logged_at": None},
            "timestamp of today",
            "later than this machine's clock",
        ),
        ({"reading": at(NOW + DAY)}, "timestamp of today", "a day old or more"),
        ({"timestamp": timestamp()}, "authorisation not revoked", "not among those in force"),
        ({"facts": replace(FACTS, name="another")}, "list covered", "does not cover the list"),
        (
            {"facts": replace(FACTS, uses=frozenset({Use.LOCATE, Use.GUARD}))},
            "list covered",
            "not for locate",
        ),
        ({"facts": replace(FACTS, authority="x")}, "list of an authority", "does not name"),
        ({"facts": replace(FACTS, root_sha256=b"")}, "list of an authority", "does not name"),
        ({"facts": replace(FACTS, fresh_until=NOW)}, "list fresh", "is stale since"),
        (
            {"facts": replace(FACTS, signers=frozenset({MAGISTRATE.public}))},
            "keys apart",
            "use different keys",
        ),
        (
            {"facts": replace(FACTS, speakers=frozenset({CLERK.public}))},
            "keys apart",
            "use different keys",
        ),
        (
            {"logged_at": NOW + timedelta(hours=2)},
            "clock after the log",
            "log was last signed at 2026-11-02 14:00:00 UTC",
        ),
    ],
)
def test_a_rule_that_is_not_kept_says_so(
    changes: dict[str, Any], what: str, message: str
) -> None:
    (broken,) = (
        one for one in judge(situation(**changes)) if not one.is_met and one.what == what
    )
    assert message in broken.message


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        (at(NOW, is_synchronised=False), "not synchronised"),
        (at(NOW, error_ms=None), "not synchronised"),
        (at(NOW, error_ms=1000.5), "more than 1000"),
    ],
)
def test_outside_a_lab_the_clock_is_kept(reading: ClockReading, message: str) -> None:
    def clock(of: Situation) -> str:
        (one,) = (one for one in judge(of) if one.what == "clock synchronised")
        return one.message

    assert message in clock(situation(anchors=FIELD, reading=reading))
    assert clock(situation(reading=reading)) == "holds"
    assert clock(situation(anchors=FIELD, reading=at(NOW, error_ms=1000.0))) == "holds"


def test_a_list_counts_by_its_root_and_its_authority_together() -> None:
    others = (
        ListAnchor(root_sha256=FACTS.root_sha256, authorities=frozenset({"other"})),
        ListAnchor(root_sha256=bytes(32), authorities=frozenset({FACTS.authority})),
    )
    assert unanchored(replace(ANCHORS, lists=others), FACTS)
    assert unanchored(replace(ANCHORS, lists=(*others, *ANCHORS.lists)), FACTS) is None
    assert unanchored(replace(ANCHORS, lists=()), FACTS)


def test_times_are_shown_in_utc() -> None:
    east = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert shown(east) == "2025-12-31 23:00:00 UTC"
    assert shown(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01 00:00:00 UTC"
