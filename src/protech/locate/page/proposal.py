"""Whether a subscriber request can be proposed for a peer, and with what care; pure.

The rule is ``locate.proposal``'s; here is what a person has to know besides.
"""

from dataclasses import dataclass
from datetime import datetime

from protech.locate.page.peer import DELIVERED, Peer
from protech.locate.page.reading import moment_of
from protech.locate.proposal import SEPARATION, propose

CAUTIONS = ("tor_exit", "vpn", "hosting", "cgnat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A sighting as the rule looks at it."""

    level: int
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The answer, and the keys of the phrases that say why and with what care."""

    is_possible: bool
    reasons: tuple[str, ...]
    cautions: tuple[str, ...]
    hours: int
    """How far apart deliveries must be."""
    again_after: datetime | None
    """From when on a further delivery would count."""


def advice(peer: Peer, *, is_shared: bool) -> Advice:
    """Return whether two separated deliveries stand, in the jurisdiction, and what else counts.

    Args:
        peer: Whose sightings count.
        is_shared: Other peers were seen at its address.
    """
    deliveries = [
        Delivery(level=level, started_at=moment_of(ms))
        for ms, level in peer.moments()
        if level == DELIVERED
    ]
    proposal = propose(deliveries)
    reasons = []
    if proposal.is_proposed:
        reasons.append("separated")
    elif not deliveries:
        reasons.append("no_delivery")
    else:
        reasons.append("one_delivery" if len(deliveries) == 1 else "not_separated")
    is_inside = peer.place.verdict == "inside"
    if not is_inside:
        reasons.append("not_inside")
    cautions = [flag for flag in CAUTIONS if flag in peer.place.flags]
    return Advice(
        is_possible=proposal.is_proposed and is_inside,
        reasons=tuple(reasons),
        cautions=(*cautions, "shared") if is_shared else tuple(cautions),
        hours=round(SEPARATION.total_seconds() / 3600),
        again_after=proposal.again_after,
    )
