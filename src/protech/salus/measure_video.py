"""What a worker does with a video: hash the chosen frames, score a few of them, stop in time.

Runs only inside a sandboxed worker. Pixels stay here; sizes, hashes and scores leave.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from protech.salus.container import is_cut
from protech.salus.decode_video import Picture, decode
from protech.salus.frames import Pixels, Undecodable, spread
from protech.salus.sampling import Evenly, Sampling
from protech.salus.seekable import Raw, Seekable
from protech.salus.sniff import MediaType
from protech.salus.wire_measured import MAX_FRAMES
from protech.types import Frame, Limits, Measured, Scores, Unscannable

Scorer = Callable[[Pixels], Scores]
Clock = Callable[[], float]

HASHING_SHARE, WHOLE_SHARE = 0.8, 0.95
"""Shares of the time after which nothing more is decoded, and nothing more is scored.

The rest is for the answer: a worker that answers late is lost with all that it measured.
"""


def measure_video(
    source: Seekable,
    *,
    media_type: MediaType,
    sampling: Sampling,
    limits: Limits,
    scorer: Scorer | None = None,
    clock: Clock = time.monotonic,
) -> Measured:
    """Return size, hashes of the chosen frames and scores of some, or why there are none.

    Where a video breaks, is too long or takes too long, what was measured is returned with the
    reason. The frames of several video streams come one stream after the other.
    """
    begin = clock()
    share = HASHING_SHARE if scorer else WHOLE_SHARE
    raw = Raw(source, is_late=lambda: clock() - begin > share * limits.video_seconds)
    roll = _Roll(limits=limits, keeps=scorer is not None)
    broken: Unscannable | None = None
    try:
        if source.size_bytes > limits.video_bytes:
            raise Undecodable(Unscannable.TOO_LARGE)
        for picture in decode(raw, media_type=media_type, sampling=sampling, limits=limits):
            roll.add(picture)
        if is_cut(source, media_type):
            raise Undecodable(Unscannable.CORRUPT)
    except Undecodable as undecodable:
        broken = undecodable.reason
    except MemoryError:
        broken = Unscannable.TOO_LARGE
    if scorer is not None and not roll.score(
        scorer, is_late=lambda: clock() - begin > WHOLE_SHARE * limits.video_seconds
    ):
        broken = broken or Unscannable.TIMED_OUT
    return roll.measured(broken)


class _Strip:
    """The frames of one video stream, and some of them as they are shown."""

    def __init__(self, size: tuple[int, int], shown: Evenly[Pixels]) -> None:
        self.size = size
        self.shown = shown
        self.frames: list[Frame] = []
        self.last: Picture | None = None

    def stills(self, most: int) -> Iterator[tuple[int, Pixels]]:
        """Give at most ``most`` frames and their places, the first and the last among them."""
        kept = self.shown.kept
        if self.last is not None and kept[-1][0] != len(self.frames) - 1:
            kept = [*kept, (len(self.frames) - 1, self.last.displayed())]
        for chosen in spread(len(kept), most):
            yield kept[chosen]


class _Roll:
    """All that is measured of one video."""

    def __init__(self, *, limits: Limits, keeps: bool) -> None:
        self._limits = limits
        self._keeps = keeps
        self._strips: dict[int, _Strip] = {}
        self._room = min(limits.video_frames, MAX_FRAMES)

    def add(self, picture: Picture) -> None:
        """Hash one frame.

        Raises:
            Undecodable: TOO_LARGE where there is no room for another.
        """
        if self._room == 0:
            raise Undecodable(Unscannable.TOO_LARGE)
        self._room -= 1
        strip = self._strips.get(picture.track)
        if strip is None:
            strip = _Strip(picture.size, Evenly(self._limits.scored_frames))
            self._strips[picture.track] = strip
        strip.frames.append(Frame(track=picture.track, hashes=picture.hashes()))
        if self._keeps:
            strip.last = picture
            if strip.shown.wants():
                strip.shown.keep(picture.displayed())
            else:
                strip.shown.skip()

    def score(self, scorer: Scorer, *, is_late: Callable[[], bool]) -> bool:
        """Score frames of every stream; return whether there was time for all of them."""
        each = max(2, self._limits.scored_frames // max(1, len(self._strips)))
        for strip in self._strips.values():
            for place, pixels in strip.stills(each):
                if is_late():
                    return False
                strip.frames[place] = replace(strip.frames[place], scores=scorer(pixels))
        return True

    def measured(self, broken: Unscannable | None) -> Measured:
        """Return all of it."""
        tracks = sorted(self._strips)
        size = self._strips[tracks[0]].size if tracks else (None, None)
        return Measured(
            unscannable=broken,
            width_px=size[0],
            height_px=size[1],
            frames=tuple(frame for track in tracks for frame in self._strips[track].frames),
        )
