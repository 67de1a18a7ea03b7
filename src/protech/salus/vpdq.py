"""vPDQ: a video as the PDQ hashes of its frames.

Source: ThreatExchange, vpdq/cpp and threatexchange/extensions/vpdq: frames of quality below 50
do not count, and of several frames with the same hash one does.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from protech.salus.policy import PDQ_QUALITY_FLOOR, PDQ_RADIUS_BITS
from protech.types import Frame, PdqHash

HASH_BYTES = 32


def distinct(hashes: Iterable[PdqHash]) -> tuple[bytes, ...]:
    """Return the hashes of a video that count, each once, in the order of the frames."""
    good = (one.bits for one in hashes if one.quality >= PDQ_QUALITY_FLOOR)
    return tuple(dict.fromkeys(good))


def forms(frames: Sequence[Frame], *, track: int = 0) -> list[tuple[bytes, ...]]:
    """Return the hashes of one video stream: as stored, which is what vPDQ gives of the first.

    Where a player turns it, its hashes as displayed follow. None of these is empty.
    """
    of_track = [frame.hashes for frame in frames if frame.track == track and frame.hashes]
    count = max(map(len, of_track), default=0)
    found = (
        distinct(hashes[min(form, len(hashes) - 1)] for hashes in of_track)
        for form in range(count)
    )
    return [hashes for hashes in found if hashes]


def queries(frames: Sequence[Frame]) -> list[NDArray[np.uint8]]:
    """Return what is looked up for a video: each stream of it, as stored and as displayed.

    They are looked up one by one. A share of all together would be smaller the more streams a
    file has, and half of it where the video is turned.

    Returns:
        Arrays of shape (k, 32), none of them empty.
    """
    tracks = sorted({frame.track for frame in frames})
    return [_array(form) for track in tracks for form in forms(frames, track=track)]


def percentages(
    query: Sequence[PdqHash], known: Sequence[PdqHash], *, radius_bits: int = PDQ_RADIUS_BITS
) -> tuple[float, float]:
    """Return how much of ``query`` is in ``known``, and the reverse, in percent.

    For two videos; ``lists.alike`` does the same for a whole list. A video without a frame that
    counts has nothing in common with any.

    Cost: O(frames of one x frames of the other).
    """
    ours, theirs = (_array(distinct(hashes)).view(np.uint64) for hashes in (query, known))
    if not len(ours) or not len(theirs):
        return 0.0, 0.0
    met = np.zeros(len(theirs), bool)
    matched = 0
    for one in ours:
        near = np.bitwise_count(theirs ^ one).sum(axis=1) <= radius_bits
        matched += bool(near.any())
        met |= near
    return 100 * matched / len(ours), 100 * int(met.sum()) / len(theirs)


def _array(hashes: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES)
