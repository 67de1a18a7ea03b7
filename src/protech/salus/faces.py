"""BlazeFace's tensors into faces: anchors, decoding, blended suppression across views.

Source: Bazarevsky et al., BlazeFace (arXiv 1907.05047), sections 3 and 4.2 (blending).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from protech.models.card import AnchorGrid, FaceHead
from protech.salus.views import View

Array = NDArray[np.float32]
Numbers = NDArray[np.float64]

LOGIT_BOUND = 80.0
"""Beyond it a sigmoid is 0 or 1 in float64; it keeps exp from overflowing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """Faces of one frame, best first: scores (n,), and points (n, 4, 2) x, y in frame pixels.

    The points are the box's left-top and right-bottom, then the image-left and image-right eye.
    """

    scores: Numbers
    points: Numbers

    @property
    def sides_px(self) -> Numbers:
        """The shorter side of each box, (n,)."""
        sides: Numbers = (self.points[:, 1] - self.points[:, 0]).min(axis=1)
        return sides


def anchors(grids: tuple[AnchorGrid, ...]) -> Numbers:
    """Return the anchors' centres as shares of the input's side, (n, 2) x, y."""
    return np.concatenate([_grid(grid) for grid in grids])


def _grid(grid: AnchorGrid) -> Numbers:
    places = (np.arange(grid.cells) + 0.5) / grid.cells
    y, x = np.meshgrid(places, places, indexing="ij")
    return np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), grid.per_cell, axis=0)


def views(whole: View, head: FaceHead) -> Iterator[View]:
    """Yield the views that the card asks for: whole, tiles, turned; barred where too long."""
    parts = [whole]
    if head.tiles > 1:
        share = 1.0 / (head.tiles - (head.tiles - 1) * head.tile_overlap)
        step = share * (1.0 - head.tile_overlap)
        for i in range(head.tiles**2):
            row, column = divmod(i, head.tiles)
            parts.append(
                View(
                    left=whole.left + whole.width * column * step,
                    top=whole.top + whole.height * row * step,
                    width=whole.width * share,
                    height=whole.height * share,
                )
            )
    if head.is_turned:
        parts.append(replace(whole, is_turned=True))
    yield from (_barred(part, head.max_stretch) for part in parts)


def _barred(view: View, max_stretch: float) -> View:
    """Return ``view`` grown around its middle until no side is too long for the other."""
    width = max(view.width, view.height / max_stretch)
    height = max(view.height, view.width / max_stretch)
    left = view.left - (width - view.width) / 2
    top = view.top - (height - view.height) / 2
    return replace(view, left=left, top=top, width=width, height=height)


def decode_faces(
    logits: Array, boxes: Array, *, centres: Numbers, size_px: int, threshold: float
) -> Faces:
    """Return the faces in one view, points as shares of its sides.

    Args:
        logits: (1, n, 1); a score is its sigmoid.
        boxes: (1, n, at least 8), in pixels of the input of ``size_px``.
        centres: (n, 2), from ``anchors``.
        size_px: Side of the square input.
        threshold: Scores below it are no face.

    Raises:
        ValueError: A shape does not fit the anchors.
    """
    if logits.shape != (1, len(centres), 1) or boxes.shape[:2] != (1, len(centres)):
        raise ValueError("the face model's tensors do not fit the anchors of its card")
    bounded = np.clip(logits[0, :, 0].astype(np.float64), -LOGIT_BOUND, LOGIT_BOUND)
    scores = 1.0 / (1.0 + np.exp(-bounded))
    found = np.isfinite(boxes[0, :, :8]).all(axis=1) & (scores >= threshold)
    parts = boxes[0, found, :8].astype(np.float64).reshape(-1, 4, 2) / size_px
    middle, half = parts[:, 0] + centres[found], parts[:, 1] / 2
    eyes = parts[:, 2:] + centres[found, np.newaxis]
    points = np.concatenate([np.stack([middle - half, middle + half], axis=1), eyes], axis=1)
    return Faces(scores=scores[found], points=points)


def in_frame(faces: Faces, view: View) -> Faces:
    """Return faces of ``view`` in frame pixels; a turned box keeps its left-top first."""
    points = view.to_frame(faces.points.reshape(-1, 2)).reshape(-1, 4, 2)
    if view.is_turned:
        points = points[:, [1, 0, 2, 3]]
    return Faces(scores=faces.scores, points=points)


def blend(found: list[Faces], *, overlap: float) -> Faces:
    """Return each face once: boxes that share ``overlap`` of their union, weighted by score.

    A view that shows a face the wrong way up finds it with its eyes elsewhere: only boxes whose
    eyes point the way of the best one's are averaged.
    """
    scores = np.concatenate([faces.scores for faces in found])
    points = np.concatenate([faces.points for faces in found])
    order = np.argsort(-scores, kind="stable")
    scores, points = scores[order], points[order]
    best: list[float] = []
    blended: list[Numbers] = []
    while len(scores):
        same = _shares(points[0], points) >= overlap
        same[0] = True
        eyes = points[:, 3] - points[:, 2]
        alike = same & (eyes @ eyes[0] > 0.0)
        alike[0] = True
        blended.append(np.average(points[alike], axis=0, weights=scores[alike]))
        best.append(float(scores[0]))
        scores, points = scores[~same], points[~same]
    return Faces(scores=np.array(best), points=np.array(blended).reshape(-1, 4, 2))


def _shares(one: Numbers, others: Numbers) -> Numbers:
    """Return intersection over union of the box ``one`` with each of ``others``."""
    left_top = np.maximum(one[0], others[:, 0])
    right_bottom = np.minimum(one[1], others[:, 1])
    common = np.clip(right_bottom - left_top, 0.0, None).prod(axis=1)
    area = np.clip(others[:, 1] - others[:, 0], 0.0, None).prod(axis=1)
    union = area + np.clip(one[1] - one[0], 0.0, None).prod() - common
    shares: Numbers = common / np.maximum(union, np.finfo(np.float64).tiny)
    return shares
