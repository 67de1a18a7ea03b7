"""What must hold before anything is sent: one rule after the other, each with its remedy; pure.

A rule returns what is wrong and what to do, or None where it is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from protech.lists.entries import Use
from protech.locate.papers import (
    Anchors,
    Authorisation,
    ClockReading,
    ListFacts,
    Paper,
    Power,
    Timestamp,
)

TIMESTAMP_AGE = timedelta(hours=24)
"""So long at most a revoked authorisation can be used by who holds back the news of it."""

CLOCK_ERROR_MS = 1000.0
"""A provider needs the second to find a subscriber behind shared addresses (RFC 6302, 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the rules look at.

    ``logged_at`` is when the case's log was last signed, ``seen_at`` when the newest timestamp
    was made that the case has seen, and ``seen_version`` the list's newest one.
    """

    anchors: Anchors
    authorisation: Paper[Authorisation]
    timestamp: Paper[Timestamp]
    facts: ListFacts
    reading: ClockReading
    logged_at: datetime | None = None
    seen_at: datetime | None = None
    seen_version: int = 0

    @property
    def terms(self) -> Authorisation:
        """What is authorised."""
        return self.authorisation.terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule, whether it is kept, and what a person is told of it."""

    what: str
    is_met: bool
    message: str


def _term(of: Situation) -> str | None:
    if of.reading.at < of.terms.not_before:
        return (
            f"The authorisation {of.terms.id} begins at {shown(of.terms.not_before)}; wait for"
            " it, or ask its issuer."
        )
    if of.reading.at >= of.terms.not_after:
        return (
            f"The authorisation {of.terms.id} ended at {shown(of.terms.not_after)}; ask its"
            " issuer for another one."
        )
    return None


def _signed(of: Situation) -> str | None:
    quorum = of.anchors.authorisations
    count = quorum.count(of.authorisation.signers)
    if count >= quorum.threshold:
        return None
    return (
        f"The authorisation {of.terms.id} has {count} of the {quorum.threshold} signatures that"
        f" {of.anchors.name} asks for; have its issuer sign it."
    )


def _observes(of: Situation) -> str | None:
    if Power.OBSERVE in of.terms.powers:
        return None
    return (
        f"The authorisation {of.terms.id} does not carry the power to observe; ask its issuer."
    )


def _vouched(of: Situation) -> str | None:
    quorum = of.anchors.timestamps
    count = quorum.count(of.timestamp.signers)
    if count >= quorum.threshold:
        return None
    return (
        f"The timestamp has {count} of the {quorum.threshold} signatures that"
        f" {of.anchors.name} asks for; get a newer one from the authority."
    )


def _recent(of: Situation) -> str | None:
    age = of.reading.at - of.timestamp.terms.at
    if age < timedelta(0):
        return (
            f"The timestamp is of {shown(of.timestamp.terms.at)}, later than this machine's"
            " clock; set the clock, or ask the authority about its own."
        )
    if age >= TIMESTAMP_AGE:
        return (
            f"The timestamp is of {shown(of.timestamp.terms.at)}, a day old or more, so nobody"
            " says that the authorisation still holds; get today's from the authority."
        )
    return None


def _newest(of: Situation) -> str | None:
    if of.seen_at is None or of.timestamp.terms.at >= of.seen_at:
        return None
    return (
        f"The timestamp is of {shown(of.timestamp.terms.at)}, and this case goes on from one of"
        f" {shown(of.seen_at)} or later, which may have revoked what this names; bring a newer"
        " one."
    )


def _in_force(of: Situation) -> str | None:
    if of.authorisation.sha256 in of.timestamp.terms.in_force:
        return None
    return (
        f"The authorisation {of.terms.id} is not among those in force: it was revoked, or is"
        " newer than the timestamp. Ask its issuer, or get a newer timestamp."
    )


def _listed(of: Situation) -> str | None:
    if of.facts.name not in of.terms.lists:
        return (
            f"The authorisation {of.terms.id} does not cover the list {of.facts.name}; name one"
            f" of {', '.join(sorted(of.terms.lists))}."
        )
    if of.facts.uses != {Use.LOCATE}:
        return f"The list {of.facts.name} is not for locate; ask its authority for one that is."
    return None


def _anchored(of: Situation) -> str | None:
    return unanchored(of.anchors, of.facts)


def _fresh(of: Situation) -> str | None:
    if of.reading.at < of.facts.fresh_until:
        return None
    return (
        f"The list {of.facts.name} is stale since {shown(of.facts.fresh_until)}: nobody"
        " vouches for it. Run `protech lists sync`, or ask its authority for a newer one."
    )


def _last(of: Situation) -> str | None:
    if of.facts.version >= of.seen_version:
        return None
    return (
        f"The list {of.facts.name} is in version {of.facts.version}, and this case has used"
        f" {of.seen_version}; run `protech lists sync`, or put back the newer one."
    )


def _apart(of: Situation) -> str | None:
    lists = of.facts.signers | of.facts.speakers
    authorising = (
        of.anchors.authorisations.keys | of.anchors.timestamps.keys | of.authorisation.signers
    )
    if lists.isdisjoint(authorising):
        return None
    return (
        "A key that may sign lists may sign authorisations, too: who names the files must not"
        " be who allows the search. Have the authority use different keys."
    )


def _synchronised(of: Situation) -> str | None:
    if of.anchors.is_lab:
        return None
    error_ms = of.reading.error_ms
    if not of.reading.is_synchronised or error_ms is None:
        return (
            "The kernel says that this machine's clock is not synchronised; start chrony or"
            " systemd-timesyncd, and wait until `timedatectl` says that it is."
        )
    if error_ms > CLOCK_ERROR_MS:
        return (
            f"This machine's clock may be {error_ms:.0f} ms off, more than"
            f" {CLOCK_ERROR_MS:.0f}; name a nearer time server, or wait until it has settled."
        )
    return None


def _onward(of: Situation) -> str | None:
    if of.logged_at is None or of.reading.at >= of.logged_at:
        return None
    return (
        f"The case's log was last signed at {shown(of.logged_at)}, later than this machine's"
        " clock; set the clock right before anything is recorded."
    )


RULES: tuple[tuple[str, Callable[[Situation], str | None]], ...] = (
    ("authorisation signed", _signed),
    ("authorisation in its term", _term),
    ("power to observe", _observes),
    ("timestamp signed", _vouched),
    ("timestamp of today", _recent),
    ("timestamp not older than one seen", _newest),
    ("authorisation not revoked", _in_force),
    ("list covered", _listed),
    ("list of an authority", _anchored),
    ("list fresh", _fresh),
    ("list not older than one used", _last),
    ("keys apart", _apart),
    ("clock synchronised", _synchronised),
    ("clock after the log", _onward),
)


def judge(of: Situation) -> tuple[Check, ...]:
    """Return each rule and whether it is kept."""
    faults = ((what, rule(of)) for what, rule in RULES)
    return tuple(
        Check(what=what, is_met=fault is None, message=fault or "holds")
        for what, fault in faults
    )


def unanchored(anchors: Anchors, facts: ListFacts) -> str | None:
    """Return what is wrong with where a list is from; None where the anchors name it."""
    for one in anchors.lists:
        if one.root_sha256 == facts.root_sha256 and facts.authority in one.authorities:
            return None
    return (
        f"The list {facts.name} is of a repository, or of an authority in it, that"
        f" {anchors.name} does not name; use its lists, or have its package changed."
    )


def shown(at: datetime) -> str:
    """Return a time as people read it."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
