"""Which entries of known lists a picture resembles, with a second look where that is in doubt.

A large JPEG is hashed as it was decoded at a smaller scale. That moves the hash by a few bits,
so near the radius only a hash of all its pixels counts.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from protech.salus.policy import PDQ_QUALITY_FLOOR, PDQ_RADIUS_BITS
from protech.types import Match, Measured, PdqHash

SURE_BITS = 24
"""A scaled hash nearer than this counts at once: that of all pixels is within the radius."""

DOUBTFUL_BITS = 40
"""A scaled hash farther than this is not looked at again. Of 318 photographs and regions of
these, scaling moved 95 in 100 by 2 bits at most and none by more than 4, so none is missed; of
drawn patterns it moved one by 18, and such a one can be missed at the edge of the radius."""


class Near(Protocol):
    """What is asked of a known list; ``engine.Known`` is one."""

    def near(self, hashes: Sequence[PdqHash], *, radius_bits: int) -> Sequence[Match]:
        """Return the entries within ``radius_bits`` of one of ``hashes``."""


def resembling(
    known: Sequence[Near], measured: Measured, *, rehash: Callable[[], Measured]
) -> tuple[Measured, tuple[Match, ...]]:
    """Return what ``measured`` resembles, and ``measured`` with the hashes that were compared.

    Args:
        known: Known lists.
        measured: Hashes of a picture, maybe of a scaled one.
        rehash: Measures the same picture again, by all its pixels. Asked at most once, where
            some list is between ``SURE_BITS`` and ``DOUBTFUL_BITS`` away and no nearer.

    Where measuring again fails, what the scaled hashes resemble counts and the item is
    unscannable: a doubt is never silently allowed.
    """
    if not measured.is_scaled:
        return measured, _flat(_near(known, measured, PDQ_RADIUS_BITS))
    near = _near(known, measured, DOUBTFUL_BITS)
    if not any(matches and not _has_sure(matches) for matches in near):
        return measured, tuple(match for match in _flat(near) if _distance(match) < SURE_BITS)
    whole = rehash()
    if not whole.frames:
        broken = replace(measured, unscannable=measured.unscannable or whole.unscannable)
        within = (match for match in _flat(near) if _distance(match) <= PDQ_RADIUS_BITS)
        return broken, tuple(within)
    return _rehashed(measured, whole), _flat(_near(known, whole, PDQ_RADIUS_BITS))


def _near(known: Sequence[Near], measured: Measured, radius_bits: int) -> list[Sequence[Match]]:
    hashes = list(dict.fromkeys(form for frame in measured.frames for form in frame.hashes))
    return [one.near(hashes, radius_bits=radius_bits) for one in known]


def _flat(near: Iterable[Sequence[Match]]) -> tuple[Match, ...]:
    return tuple(match for matches in near for match in matches)


def _has_sure(matches: Sequence[Match]) -> bool:
    return any(
        _distance(match) < SURE_BITS and (match.quality or 0) >= PDQ_QUALITY_FLOOR
        for match in matches
    )


def _distance(match: Match) -> int:
    return DOUBTFUL_BITS if match.distance_bits is None else match.distance_bits


def _rehashed(measured: Measured, whole: Measured) -> Measured:
    """Return ``measured``, scores and all, with the hashes of ``whole``."""
    frames = tuple(
        replace(frame, hashes=again.hashes)
        for frame, again in zip(measured.frames, whole.frames, strict=False)
    )
    return replace(
        measured,
        frames=frames,
        is_scaled=whole.is_scaled,
        unscannable=measured.unscannable or whole.unscannable,
    )
