"""What a worker does with one item: decode it, hash every form of a frame, score what is shown.

Runs only inside a sandboxed worker. Pixels stay here; sizes, hashes and scores leave.
"""

from collections.abc import Callable
from dataclasses import dataclass

from protech.salus.decode import FrameForms, Pixels, Undecodable, decode, header
from protech.salus.frames import spread
from protech.salus.pdq import pdq
from protech.salus.sniff import MediaType
from protech.types import Frame, Limits, Measured, Scores, Unscannable

Scorer = Callable[[Pixels], Scores]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Measures one item after another; ``scorer`` is None where no model is loaded."""

    limits: Limits
    scorer: Scorer | None = None

    def measure(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        """Return size, hashes and scores of every sampled frame, or why there are none.

        Every sampled frame is hashed, ``limits.scored_frames`` of them are scored.
        Where an animation breaks half-way the frames before it are returned with the reason, so
        that a listed first frame still counts.
        """
        frames: list[Frame] = []
        broken: Unscannable | None = None
        size: tuple[int, int] | None = None
        try:
            decoded = decode(data, media_type=media_type, limits=self.limits)
            size = decoded.width_px, decoded.height_px
            scored = set(spread(decoded.count, self.limits.scored_frames))
            for at, forms in enumerate(decoded.forms):
                frames.append(self._frame(forms, is_scored=at in scored))
        except Undecodable as undecodable:
            broken = undecodable.reason
        width_px, height_px = size or (None, None)
        return Measured(
            unscannable=broken, width_px=width_px, height_px=height_px, frames=tuple(frames)
        )

    def header(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        """Return the displayed size that the header declares, without decoding."""
        try:
            size = header(data, media_type=media_type, limits=self.limits)
        except Undecodable as broken:
            return Measured(unscannable=broken.reason)
        return Measured(width_px=size[0], height_px=size[1]) if size else Measured()

    def _frame(self, forms: FrameForms, *, is_scored: bool) -> Frame:
        hashes = tuple(dict.fromkeys(pdq(form) for form in forms.hashed))
        scores = self.scorer(forms.displayed) if self.scorer and is_scored else None
        return Frame(hashes=hashes, scores=scores)
