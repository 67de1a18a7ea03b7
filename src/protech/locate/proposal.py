"""When a request for a subscriber may be proposed to a magistrate; pure.

One delivered piece shows that an address had it at one moment. A lease that changed hands, a
borrowed access point or a slip of one clock is then still possible; the same address and port
delivering again, days later, leaves less of that. It stays a proposal: a person decides.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from protech.locate.adapter import Level

SIGHTINGS = 2
SEPARATION = timedelta(days=2)
"""Between two deliveries of one address: longer than the day for which many providers lease it.
Source: research on leases and the dismissed cases that rested on one download."""


class Delivery(Protocol):
    """What the rule looks at of a sighting of one peer."""

    @property
    def level(self) -> int:
        """How far it goes."""
        ...

    @property
    def started_at(self) -> datetime:
        """When the conversation began, in UTC."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Whether a subscriber request is proposed, the sightings that carry it, and why.

    ``sightings`` are places in what was given, oldest first. ``again_after`` is the earliest
    moment at which a further delivery would count, where one is missing.
    """

    is_proposed: bool
    sightings: tuple[int, ...]
    reason: str
    again_after: datetime | None = None


def propose(
    seen: Iterable[Delivery], *, separation: timedelta = SEPARATION, needed: int = SIGHTINGS
) -> Proposal:
    """Return whether the sightings of one peer (address and port) carry a subscriber request.

    Args:
        seen: All its sightings in the case, of any level and in any order.
        separation: How far apart those that count must begin.
        needed: How many must count.
    """
    ordered = sorted(
        (
            (one.started_at, place)
            for place, one in enumerate(seen)
            if one.level >= Level.DELIVERED
        ),
    )
    counted = _apart(ordered, separation)
    places = tuple(place for _, place in counted[:needed])
    if len(counted) >= needed:
        return Proposal(
            is_proposed=True,
            sightings=places,
            reason=f"{len(counted)} deliveries, {_hours(separation)} or more apart",
        )
    if not counted:
        return Proposal(is_proposed=False, sightings=(), reason="nothing was delivered")
    return Proposal(
        is_proposed=False,
        sightings=places,
        reason=(
            f"{len(counted)} of {needed} deliveries that are {_hours(separation)} or more apart"
        ),
        again_after=counted[-1][0] + separation,
    )


def _apart(
    ordered: Sequence[tuple[datetime, int]], separation: timedelta
) -> list[tuple[datetime, int]]:
    counted: list[tuple[datetime, int]] = []
    for at, place in ordered:
        if not counted or at - counted[-1][0] >= separation:
            counted.append((at, place))
    return counted


def _hours(span: timedelta) -> str:
    hours = round(span / timedelta(hours=1))
    return f"{hours} hours"
