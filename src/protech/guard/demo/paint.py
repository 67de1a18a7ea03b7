"""Landscapes that never were, painted from a number: the photos of the demo and of the tests.

The same seed, palette and size give the same picture; another size gives the same scene. Every
scene has its own horizon, light, ridges, clouds, trees and perhaps a lake, so two seeds (and
the two palettes of one seed) are as unlike for PDQ as two photos are.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""(height, width) or (height, width, 3) float32; a side of 1 stands for all of that side."""

Random = np.random.Generator

MIN_SIDE_PX = 16
"""Smaller than this nothing of a scene is left."""


_OCTAVES = 7
"""Levels of detail of the noise; the finest is the grid times 64."""


class Palette(StrEnum):
    """The hour of the scene.

    WARM is a red evening: in every pixel red exceeds green and blue by 40 or more. COOL is a
    clear day: in every pixel green or blue exceeds red. So a count of red pixels on a screen
    tells which of the two was shown.
    """

    WARM = "warm"
    COOL = "cool"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Colours:
    """Ends of the three scales that a scene is coloured with, RGB in [0, 1]."""

    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    sun: tuple[float, float, float]
    far: tuple[float, float, float]
    near: tuple[float, float, float]
    lit: tuple[float, float, float]


_COLOURS = {
    Palette.WARM: _Colours(
        zenith=(0.52, 0.12, 0.14),
        horizon=(1.00, 0.56, 0.30),
        sun=(1.00, 0.74, 0.48),
        far=(0.74, 0.30, 0.22),
        near=(0.34, 0.05, 0.04),
        lit=(0.90, 0.42, 0.16),
    ),
    Palette.COOL: _Colours(
        zenith=(0.10, 0.36, 0.74),
        horizon=(0.62, 0.84, 0.96),
        sun=(0.80, 0.93, 1.00),
        far=(0.34, 0.54, 0.66),
        near=(0.03, 0.17, 0.10),
        lit=(0.34, 0.62, 0.22),
    ),
}


def paint(
    seed: int, width_px: int, height_px: int, *, palette: Palette = Palette.COOL
) -> NDArray[np.uint8]:
    """Return the landscape of ``seed``, (height_px, width_px, 3) uint8 sRGB.

    Raises:
        ValueError: A side is shorter than ``MIN_SIDE_PX``.

    Cost: about 0.5 s for a megapixel.
    """
    if min(width_px, height_px) < MIN_SIDE_PX:
        raise ValueError(f"a landscape needs sides of {MIN_SIDE_PX} pixels or more")
    random = np.random.default_rng((seed, list(Palette).index(palette)))
    colours = _COLOURS[palette]
    scene = _Scene(random, width_px, height_px)
    picture = scene.sky(colours)
    for depth in scene.depths:
        scene.ridge(picture, depth, colours)
    if scene.has_lake:
        scene.lake(picture)
    scene.trees(picture, colours)
    return _developed(picture, random, palette)


class _Scene:
    """One scene while it is painted, far to near; ``x`` and ``y`` run over [0, 1]."""

    def __init__(self, random: Random, width_px: int, height_px: int) -> None:
        self.random = random
        self.shape = height_px, width_px
        self.x = _ramp(width_px)[None, :]
        self.y = _ramp(height_px)[:, None]
        self.horizon = float(random.uniform(0.25, 0.7))
        self.sun = float(random.uniform(0.05, 0.95)), float(random.uniform(0.05, self.horizon))
        self.depths = [float(d) for d in np.linspace(0, 0.85, int(random.integers(2, 5)))]
        self.has_lake = bool(random.random() < 0.5)

    def sky(self, colours: _Colours) -> Field:
        """Return the sky over the whole canvas, (height, width, 3)."""
        height = np.clip(self.y / self.horizon, 0, 1) ** float(self.random.uniform(0.6, 1.8))
        picture = _mix(colours.zenith, colours.horizon, np.broadcast_to(height, self.shape))
        aspect = self.shape[1] / self.shape[0]
        distance = np.hypot((self.x - self.sun[0]) * aspect, self.y - self.sun[1])
        glow = np.exp(-distance * float(self.random.uniform(2.5, 6.0)))
        disc = _step(float(self.random.uniform(0.03, 0.07)) - distance, 0.004)
        _lay(picture, colours.sun, np.maximum(glow * 0.9, disc))
        cover = float(self.random.uniform(-0.1, 0.5))
        clouds = _step(_noise(self.random, self.shape, grid=(5, 3)) - 0.5 + cover * 0.4, 0.25)
        shade = _noise(self.random, self.shape, grid=(6, 5))
        tint = _mix(colours.far, colours.sun, np.clip(shade * 1.6 - 0.3, 0, 1))
        _lay(picture, tint, clouds * 0.85)
        return picture

    def ridge(self, picture: Field, depth: float, colours: _Colours) -> None:
        """Lay one chain of hills over the picture; ``depth`` is 0 far away, 1 at our feet."""
        height_px, width_px = self.shape
        base = self.horizon + (1.02 - self.horizon) * depth**1.3
        swing = float(self.random.uniform(0.18, 0.42)) * (1 - depth * 0.5)
        line = _noise(self.random, (1, width_px), grid=(1, int(self.random.integers(2, 6))))
        crest = base - swing * (line - 0.35)
        body = _step(self.y - crest, 1.5 / height_px)
        reach = 1 + width_px // 40
        slope = (np.roll(line[0], -reach) - np.roll(line[0], reach)) * 1.5
        facing = 1.0 if self.sun[0] > 0.5 else -1.0
        rough = _noise(self.random, self.shape, grid=(7, 8))
        light = 0.45 + np.clip(facing * slope, -0.4, 0.4)[None, :] + (rough - 0.5) * 1.5
        light -= np.clip(self.y - crest, 0, 1) * 0.6
        ground = _mix(_between(colours.far, colours.near, depth), colours.lit, light * 0.8)
        _lay(picture, ground, body)

    def lake(self, picture: Field) -> None:
        """Mirror what lies above the shore in water that ripples."""
        height_px, _ = self.shape
        shore = int(height_px * min(0.9, self.horizon + float(self.random.uniform(0.1, 0.3))))
        depth_px = height_px - shore
        rows = np.clip(shore - 1 - np.arange(depth_px), 0, None)
        ripple = _noise(self.random, (depth_px, self.shape[1]), grid=(24, 4)) - 0.5
        mirrored = picture[rows] * (0.8 + 0.5 * ripple[..., None])
        picture[shore:] = mirrored

    def trees(self, picture: Field, colours: _Colours) -> None:
        """Stand dark firs along the lower edge."""
        height_px, width_px = self.shape
        line = np.full((1, width_px), 1.1, dtype=np.float32)
        for _ in range(int(self.random.integers(0, 14))):
            top = float(self.random.uniform(0.45, 0.95))
            spread = np.abs(self.x - float(self.random.uniform(0, 1))) * width_px / height_px
            jagged = spread * 3.6 + 0.03 * np.abs(np.sin(spread * 180))
            line = np.minimum(line, top + jagged)
        dark = _between(colours.near, colours.far, 0.12)
        _lay(picture, dark, _step(self.y - line, 1.5 / height_px))


def _developed(picture: Field, random: Random, palette: Palette) -> NDArray[np.uint8]:
    """Add film grain and hold every pixel to what ``palette`` promises."""
    grain = random.standard_normal(picture.shape[:2], dtype=np.float32)[..., None] * 0.012
    red, green, blue = np.moveaxis(np.clip(picture + grain, 0, 1), -1, 0)
    if palette is Palette.WARM:
        red = np.maximum(red, 0.3)
        green, blue = np.minimum(green, red - 0.18), np.minimum(blue, red - 0.22)
    else:
        red = np.minimum(red, np.maximum(green, blue) - 0.06)
    developed = np.stack([red, green, blue], axis=-1)
    levels: NDArray[np.uint8] = (np.clip(developed, 0, 1) * 255 + 0.5).astype(np.uint8)
    return levels


def _noise(random: Random, shape: tuple[int, int], *, grid: tuple[int, int]) -> Field:
    """Return fractal noise in [0, 1]: ever finer smooth random grids of ever less weight."""
    total = np.zeros(shape, dtype=np.float32)
    rows, columns = grid
    for octave in range(_OCTAVES):
        knots = random.random((rows + 1, columns + 1), dtype=np.float32) - np.float32(0.5)
        if columns <= shape[1]:  # what is finer than a pixel is drawn and left out
            down, across = _spread(rows, shape[0]), _spread(columns, shape[1])
            total += np.float32(0.55**octave) * (down @ knots @ across.T)
        rows, columns = rows * 2 if rows > 1 else 1, columns * 2
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def _spread(knots: int, side_px: int) -> Field:
    """Return the (side_px, knots + 1) matrix of smooth interpolation between knots."""
    at = _ramp(side_px) * knots
    left = np.minimum(at.astype(int), knots - 1)
    step = at - left
    smooth = step * step * (3 - 2 * step)
    matrix = np.zeros((side_px, knots + 1), dtype=np.float32)
    matrix[np.arange(side_px), left] = 1 - smooth
    matrix[np.arange(side_px), left + 1] = smooth
    return matrix


def _ramp(side_px: int) -> Field:
    return ((np.arange(side_px, dtype=np.float32) + 0.5) / side_px).astype(np.float32)


def _step(field: Field, softness: float) -> Field:
    """Return 0 below zero, 1 above ``softness``, smooth between."""
    stepped: Field = np.clip(field / np.float32(softness), 0, 1)
    return stepped


def _between(
    start: tuple[float, float, float], end: tuple[float, float, float], share: float
) -> tuple[float, float, float]:
    red, green, blue = (a + (b - a) * share for a, b in zip(start, end, strict=True))
    return red, green, blue


def _mix(
    start: tuple[float, float, float], end: tuple[float, float, float], share: Field
) -> Field:
    """Return the (height, width, 3) picture that runs from ``start`` to ``end``."""
    ends = np.asarray([start, end], dtype=np.float32)
    mixed: Field = ends[0] + np.clip(share, 0, 1)[..., None] * (ends[1] - ends[0])
    return mixed


def _lay(picture: Field, colour: tuple[float, float, float] | Field, cover: Field) -> None:
    """Lay ``colour`` over ``picture`` in place, as thick as ``cover`` in [0, 1] says."""
    picture += cover[..., None] * (np.asarray(colour, dtype=np.float32) - picture)
