"""Takes the newest version of one list: by its deltas, else whole; checked, then put in place.

Nothing is current until its digest is the one that was signed and logged. What a kill leaves is
in the directory of what is coming, and the next sync empties that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from protech.errors import ListFormatError, SourceError, TrustError
from protech.lists.device import DeviceLists
from protech.lists.pinned import Pinned
from protech.lists.seal import recipient_of
from protech.lists.shelf import HeldList, Shelf
from protech.lists.sync.history import History
from protech.lists.sync.plain import fetched, is_whole, patched
from protech.lists.sync.remote import Offer, Pins, Remote
from protech.lists.trust import ListTarget, newest, plan


class State(StrEnum):
    """What a sync did with a list."""

    TAKEN = "taken"
    """All of it was fetched."""
    PATCHED = "patched"
    """It was brought up to date by its deltas."""
    CURRENT = "current"
    """The newest version was here already."""
    OTHER_USE = "other_use"
    """It is for nothing that this device wants."""
    NOT_FOR_DEVICE = "not_for_device"
    """It is encrypted to others."""
    REVOKED = "revoked"
    """New versions are not for this device any more: the old one stays, and becomes stale."""
    WITHDRAWN = "withdrawn"
    """It is not offered any more: what is here stays, and becomes stale."""
    REFUSED = "refused"
    """Something does not hold: what is here stays, and becomes stale."""
    NOT_FETCHED = "not_fetched"
    """It could not be had this time: what is here stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a list, or of all of an authority's; ``why`` where it is not in place."""

    name: str
    state: State
    version: int | None = None
    fresh_until: datetime | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """All that taking one list after the other needs."""

    device: DeviceLists
    pinned: Pinned
    remote: Remote
    pins: Pins
    history: History
    identity: str = field(repr=False)

    def take(self, offers: Sequence[Offer]) -> Outcome:
        """Bring the list that ``offers`` are targets of up to date.

        Raises:
            TrustError: Something does not hold; the version that is here stays.
            SourceError: It cannot be had now.
            ConfigError: It cannot be written here.
        """
        targets = [offer.target for offer in offers]
        goal = newest(targets)
        if goal is None:
            raise TrustError(
                f"The list {targets[0].name} is on offer in deltas alone; its authority must"
                " publish it again."
            )
        if not goal.uses & self.pinned.uses:
            return Outcome(name=goal.name, state=State.OTHER_USE, version=goal.version)
        self.history.require([goal])
        self._check_name(goal)
        shelf = self.pinned.shelf(goal.name)
        held = _recorded(shelf)
        step = plan(held.target.version if held else None, targets)
        is_usable = held is not None and is_whole(held, self.identity)
        if held is not None and is_usable and not step:
            return self._renew(shelf, held, goal)
        chain = []
        if held is not None and is_usable and isinstance(step, list):
            chain = _offers_of(step, offers, held)
        return self._replace(shelf, held, chain, _offer_of(goal, offers))

    def _replace(
        self, shelf: Shelf, held: HeldList | None, chain: Sequence[Offer], whole: Offer
    ) -> Outcome:
        """Put the newest version in the place of the one that is here."""
        goal = whole.target
        path = None if held is None else self._by_deltas(held.path, chain, whole)
        state = State.TAKEN if path is None else State.PATCHED
        path = path or self._fetched(whole)
        if path is not None:
            return _outcome(state, shelf.put(path, goal, self._fresh_until(goal)))
        if held is not None:
            return _outcome(State.REVOKED, held)
        return Outcome(name=goal.name, state=State.NOT_FOR_DEVICE, version=goal.version)

    def _check_name(self, goal: ListTarget) -> None:
        """Refuse a list whose name another repository's list has here: which would be meant?"""
        for other in self.device.repositories():
            if other.folder != self.pinned.folder and other.shelf(goal.name).current():
                raise TrustError(
                    f"A list {goal.name} of another repository is on this device; forget that"
                    " repository first, or ask for another name."
                )

    def _renew(self, shelf: Shelf, held: HeldList, goal: ListTarget) -> Outcome:
        if _content_of(held.target) != _content_of(goal):
            raise TrustError(
                f"Version {goal.version} of the list {goal.name} is another one than this"
                " device has; its authority must publish a later version."
            )
        # What is said of it may have changed, its uses for instance; what it holds has not.
        renewed = HeldList(target=goal, path=held.path, fresh_until=self._fresh_until(goal))
        shelf.renew(renewed)
        return _outcome(State.CURRENT, renewed)

    def _fresh_until(self, goal: ListTarget) -> datetime:
        return min(self.pins.fresh_until, goal.expires_at or self.pins.fresh_until)

    def _by_deltas(self, base: Path, chain: Sequence[Offer], whole: Offer) -> Path | None:
        """Return what deltas make of the version here; None where all must be fetched."""
        if not chain or sum(offer.file.length for offer in chain) >= whole.file.length:
            return None
        try:
            return patched(
                self.remote,
                base,
                chain,
                coming=self.pinned.coming,
                identity=self.identity,
            )
        except (ListFormatError, TrustError, SourceError):
            return None

    def _fetched(self, offer: Offer) -> Path | None:
        """Return a version fetched whole; None where it is encrypted to others."""
        mark = f"{recipient_of(self.identity)} {offer.digest}"
        unreadable = self.pinned.unreadable
        ready = self.pinned.coming / "whole"
        if mark in unreadable:
            return None
        if fetched(self.remote, offer, ready=ready, identity=self.identity):
            return ready
        self.pinned.keep_unreadable(unreadable | {mark})
        return None


def _content_of(target: ListTarget) -> tuple[object, ...]:
    return target.sha256, target.kind, target.is_sealed


def _offer_of(target: ListTarget, offers: Sequence[Offer]) -> Offer:
    return next(offer for offer in offers if offer.target == target)


def _offers_of(
    step: Sequence[ListTarget], offers: Sequence[Offer], held: HeldList
) -> list[Offer]:
    """Return the deltas to fetch; none for a sealed list, which stays encrypted on disk."""
    if held.target.is_sealed or any(target.is_sealed for target in step):
        return []
    return [_offer_of(target, offers) for target in step]


def _recorded(shelf: Shelf) -> HeldList | None:
    try:
        return shelf.current()
    except TrustError:  # damaged: what it was is not known, and the list is taken again
        return None


def _outcome(state: State, held: HeldList) -> Outcome:
    return Outcome(
        name=held.name,
        state=state,
        version=held.target.version,
        fresh_until=held.fresh_until,
    )
