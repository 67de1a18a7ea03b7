"""Which frames of a video are hashed, and which of these the models look at.

Source of the first: vpdq 0.2.5, cpp/vpdq/cpp/hashing/filehasher.cpp, which counts frames as the
decoder gives them and takes every n-th, n being the whole part of the frame rate.
"""

import math
from enum import IntEnum


class Sampling(IntEnum):
    """How densely a video is looked at."""

    PER_SECOND = 1
    """The frames that vPDQ takes at one a second: the way to match what others have listed."""
    EVERY_FRAME = 2
    KEYFRAMES = 3
    """Only what can be decoded on its own: some twenty times as fast, and other frames."""


LONGEST_GAP_S = 1.5
"""Where timestamps say that more would go by without a hash, one more frame is taken."""
LEAST_GAP_S = 0.5
"""Keyframes that stand closer say nothing new; some codecs have nothing but keyframes."""


class Sampler:
    """Chooses frames of one stream as they come; ``rate`` is the average that it declares.

    Counting frames alone would follow a rate that lies, or that changes, past whole minutes; so
    timestamps may add frames, and never take one of vPDQ's away.
    """

    def __init__(self, sampling: Sampling, *, rate: float | None) -> None:
        """Begin with the first frame."""
        self._sampling = sampling
        self._every = _every(rate)
        self._number = -1
        self._last_s: float | None = None

    def takes(self, at_s: float | None) -> bool:
        """Return whether the next frame is hashed; ``at_s`` is when it shows, if it says."""
        self._number += 1
        is_taken = self._is_due(at_s)
        if is_taken and at_s is not None:
            self._last_s = at_s
        return is_taken

    def _is_due(self, at_s: float | None) -> bool:
        match self._sampling:
            case Sampling.EVERY_FRAME:
                return True
            case Sampling.PER_SECOND:
                return self._number % self._every == 0 or self._gap(at_s) > LONGEST_GAP_S
            case Sampling.KEYFRAMES:
                return not 0 <= self._gap(at_s) < LEAST_GAP_S

    def _gap(self, at_s: float | None) -> float:
        """Return how long the last hashed frame is ago; -1 where nobody says."""
        return -1 if at_s is None or self._last_s is None else at_s - self._last_s


def _every(rate: float | None) -> int:
    return max(1, int(rate)) if rate is not None and math.isfinite(rate) else 1


class Evenly[Item]:
    """Keeps some of many items, evenly spread, without knowing how many will come.

    What a file says of its own length is not to be believed. Twice as many as wanted are kept
    at most; when there are more, every second goes, and only every second of the next comes.
    """

    def __init__(self, most: int) -> None:
        """Keep nothing yet; ``most`` are given in the end."""
        self._room = 2 * max(2, most)
        self._kept: list[tuple[int, Item]] = []
        self._step = 1
        self._count = 0

    def wants(self) -> bool:
        """Return whether the next item is one to ``keep``; otherwise ``skip`` it."""
        return self._count % self._step == 0

    def keep(self, item: Item) -> None:
        """Take the next item."""
        self._kept.append((self._count, item))
        self._count += 1
        if len(self._kept) > self._room:
            self._kept = self._kept[::2]
            self._step *= 2

    def skip(self) -> None:
        """Pass over the next item."""
        self._count += 1

    @property
    def kept(self) -> list[tuple[int, Item]]:
        """What is kept, each with its place among all that came."""
        return self._kept
