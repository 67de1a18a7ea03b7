"""What a worker does with one item: decode it, hash every form of a frame, score what is shown.

Runs only inside a sandboxed worker. Pixels stay here; sizes, hashes and scores leave.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from protech.salus.borders import inner
from protech.salus.decode import Decoded, FrameForms, Pixels, Undecodable, decode, header
from protech.salus.frames import spread
from protech.salus.measure_video import measure_video
from protech.salus.pdq import Size, dihedral, pdq
from protech.salus.sampling import Sampling
from protech.salus.seekable import Seekable
from protech.salus.sniff import MediaType
from protech.types import Frame, Limits, Measured, PdqHash, Scores

Scorer = Callable[[Pixels], Scores]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Measures one item after another; ``scorer`` is None where no model is loaded.

    ``borders`` hashes a form without its uniform borders, too; ``dihedral`` hashes every form
    turned and mirrored in all eight ways.
    """

    limits: Limits
    scorer: Scorer | None = None
    borders: bool = False
    dihedral: bool = False

    def measure(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        """Return size, hashes and scores of every sampled frame, or why there are none.

        Every sampled frame is hashed, ``limits.scored_frames`` of them are scored.
        Where an animation breaks half-way the frames before it are returned with the reason, so
        that a listed first frame still counts.
        """
        return self._measured(partial(decode, data, media_type=media_type), scorer=self.scorer)

    def rehash(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        """Return size and hashes as ``measure`` does, of all pixels and without scores."""
        opening = partial(decode, data, media_type=media_type, at_full_size=True)
        return self._measured(opening, scorer=None)

    def video(self, source: Seekable, *, media_type: MediaType, sampling: Sampling) -> Measured:
        """Return size, hashes and scores of a video's frames, see ``measure_video``."""
        return measure_video(
            source,
            media_type=media_type,
            sampling=sampling,
            limits=self.limits,
            scorer=self.scorer,
        )

    def header(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        """Return the displayed size that the header declares, without decoding."""
        try:
            size = header(data, media_type=media_type, limits=self.limits)
        except Undecodable as broken:
            return Measured(unscannable=broken.reason)
        return Measured(width_px=size[0], height_px=size[1]) if size else Measured()

    def _measured(self, opening: Callable[..., Decoded], *, scorer: Scorer | None) -> Measured:
        frames: list[Frame] = []
        measured = Measured()
        try:
            decoded = opening(limits=self.limits)
            measured = Measured(
                width_px=decoded.width_px,
                height_px=decoded.height_px,
                is_scaled=decoded.is_scaled,
            )
            scored = set(spread(decoded.count, self.limits.scored_frames))
            for at, forms in enumerate(decoded.forms):
                scores = scorer(forms.displayed) if scorer and at in scored else None
                frames.append(Frame(hashes=self._hashes(forms), scores=scores))
        except Undecodable as undecodable:
            measured = replace(measured, unscannable=undecodable.reason)
        return replace(measured, frames=tuple(frames))

    def _hashes(self, forms: FrameForms) -> tuple[PdqHash, ...]:
        hashes: list[PdqHash] = []
        for form in forms.hashed:
            full_size = forms.full_size_of(form)
            hashes += self._turned(form, full_size)
            within = inner(form) if self.borders else None
            if within is not None:
                hashes += self._turned(within, _part_of(full_size, form, within))
        return tuple(dict.fromkeys(hashes))

    def _turned(self, form: Pixels, full_size: Size | None) -> tuple[PdqHash, ...]:
        if self.dihedral:
            return dihedral(form, full_size=full_size)
        return (pdq(form, full_size=full_size),)


def _part_of(full_size: Size | None, form: Pixels, within: Pixels) -> Size | None:
    """Return what a part of a scaled form measured before."""
    if full_size is None:
        return None
    scale = -(-full_size[0] // len(form))
    return within.shape[0] * scale, within.shape[1] * scale
