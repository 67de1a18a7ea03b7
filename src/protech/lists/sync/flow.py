"""One sync of one repository, from its address to the lists that are in place.

Refresh the signed metadata (TUF) -> check who may sign what -> the log, its witnesses and its
past -> each list: in the log? for a use of this device? -> deltas or all of it -> decrypt ->
digest -> put in place. Every step before the last leaves what is here as it was.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from protech.errors import ProtechError, SourceError, TrustError
from protech.lists.clock import Clock, utc_now
from protech.lists.device import DeviceLists
from protech.lists.entries import OWN_USES, Use
from protech.lists.pinned import Pinned
from protech.lists.sync.address import address_of
from protech.lists.sync.fetch import Fetcher
from protech.lists.sync.history import read_history
from protech.lists.sync.remote import Offer, Remote
from protech.lists.sync.taking import Outcome, State, Taking

ROOT_BYTES = 512_000
"""What python-tuf takes of a root at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What a sync of one repository did; ``error`` is the first thing that did not hold.

    Where there is one, the lists that ``outcomes`` gives no reason for are in place.
    """

    repository: str
    root_version: int
    log_size: int
    fresh_until: datetime
    outcomes: tuple[Outcome, ...]
    error: ProtechError | None = None


def sync(
    device: DeviceLists,
    place: str,
    *,
    root: bytes | None = None,
    uses: frozenset[Use] | None = None,
    clock: Clock = utc_now,
    on_wait: Callable[[], None] | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> Synced:
    """Bring the lists of the repository at ``place`` to this device.

    Args:
        device: Where they are kept; another sync of it is waited for.
        place: Its web address or a directory that is a copy of it.
        root: The first root of trust, got otherwise than from ``place``; needed once.
        uses: What its lists are wanted for; None: as before, at first all but locate.
        clock: Tells the time.
        on_wait: Called once when another sync is waited for.
        on_bytes: Told how much has come so far.

    Raises:
        TrustError: The repository, or its log, is not what it was or must be.
        SourceError: It cannot be reached, or is too slow.
        ConfigError: It is not known and no root is given; or the disk is full.
    """
    address = address_of(place)
    with device.turn(on_wait):
        device.sweep()
        pinned, first = _pinned(device, address, root)
        if uses is not None:
            pinned = replace(pinned, uses=uses)
        identity = device.identity()
        pinned.begin(first)
        remote = Remote(
            metadata=pinned.metadata,
            coming=pinned.coming,
            address=address,
            root=first,
            fetcher=Fetcher(pinned.coming, on_bytes=on_bytes),
        )
        return _sync(device, pinned, remote, identity=identity, now=clock())


def known(device: DeviceLists, place: str) -> Pinned | None:
    """Return the repository that this device has at an address.

    Raises:
        TrustError: The record of one is damaged.
    """
    address = address_of(place)
    return next((one for one in device.repositories() if one.address == address), None)


def _pinned(device: DeviceLists, address: str, root: bytes | None) -> tuple[Pinned, bytes]:
    """Return the repository that is meant, and its first root of trust."""
    at_address = next((one for one in device.repositories() if one.address == address), None)
    if root is None:
        if at_address is None:
            raise TrustError(
                "This repository is not known here: give its root of trust, a file got from the"
                " authority by another way than this address, with --root FILE."
            )
        return at_address, at_address.root
    if len(root) > ROOT_BYTES:
        raise TrustError(f"The root of trust is larger than {ROOT_BYTES} bytes, so it is none.")
    for one in device.repositories():
        if one.knows(root):  # it has moved to another address, perhaps
            return replace(one, address=address), one.root
    if at_address is not None:
        raise TrustError(
            "This address is trusted with another root already. Where its authority has begun"
            " anew, forget the old one first: protech lists sync URL --forget"
        )
    return device.new_repository(root, address, OWN_USES), root


def _sync(
    device: DeviceLists, pinned: Pinned, remote: Remote, *, identity: str, now: datetime
) -> Synced:
    pins = remote.refresh()
    history = read_history(remote, pins.extension, earlier=pinned.checkpoint, now=now)
    pinned.keep_checkpoint(history.note)
    pinned.keep()
    taking = Taking(
        device=device,
        pinned=pinned,
        remote=remote,
        pins=pins,
        history=history,
        identity=identity,
    )
    errors: list[ProtechError] = []
    outcomes = tuple(_outcomes(taking, errors))
    return Synced(
        repository=pins.extension.log_origin,
        root_version=pins.version,
        log_size=history.checkpoint.size,
        fresh_until=pins.fresh_until,
        outcomes=outcomes,
        error=errors[0] if errors else None,
    )


def _outcomes(taking: Taking, errors: list[ProtechError]) -> Iterator[Outcome]:
    """Take one list after the other; a fault of one leaves the others alone."""
    offered: set[str] = set()
    for authority in taking.remote.delegations().values():
        lists = {path.removesuffix(".*") for path in authority.paths or ()}
        try:
            offers = _by_name(taking.remote.offers(authority))
        except (TrustError, SourceError) as wrong:
            errors.append(wrong)
            offered |= lists
            yield _fault(authority.name, wrong)
            continue
        offered |= set(offers)
        for name, ones in offers.items():
            try:
                yield taking.take(ones)
            except (TrustError, SourceError) as wrong:
                errors.append(wrong)
                yield _fault(name, wrong)
    yield from _withdrawn(taking.pinned, offered)


def _fault(name: str, wrong: ProtechError) -> Outcome:
    is_refused = isinstance(wrong, TrustError)
    state = State.REFUSED if is_refused else State.NOT_FETCHED
    return Outcome(name=name, state=state, why=str(wrong))


def _by_name(offers: Sequence[Offer]) -> Mapping[str, list[Offer]]:
    found: dict[str, list[Offer]] = {}
    for offer in offers:
        found.setdefault(offer.target.name, []).append(offer)
    return found


def _withdrawn(pinned: Pinned, offered: set[str]) -> Iterator[Outcome]:
    """Give the lists that are here and nobody offers any more."""
    for shelf in pinned.shelves():
        held = shelf.current()
        if held is not None and held.name not in offered:
            yield Outcome(
                name=held.name,
                state=State.WITHDRAWN,
                version=held.target.version,
                fresh_until=held.fresh_until,
            )
