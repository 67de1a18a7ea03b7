"""PDQ against the package ``pdqhash`` 0.2.8 (Meta's C++), same pixels; tolerance: none.

The turned and mirrored hashes are those of its ``compute_dihedral``, in the same order.

The published vectors of ThreatExchange are hashes of photos that no package carries, so they
are not here.
"""

from collections.abc import Callable

import numpy as np
import pdqhash
import pytest

from protech.salus.frames import Pixels
from protech.salus.pdq import dihedral, pdq
from tests.make_data import make_noise, make_photo

SHAPES = [
    *((side, side) for side in (1, 4, 5, 6, 7, 31, 63, 64, 65, 127, 128, 129, 256, 257)),
    (64, 65),
    (63, 64),
    (5, 64),
    (5, 3000),
    (3000, 5),
    (4, 900),
    (12, 8000),
    (8000, 12),
    (480, 640),
    (641, 481),
    (750, 1000),
    (1031, 777),
]


def _photo(seed: int, height_px: int, width_px: int) -> Pixels:
    photo = make_photo(seed, max(width_px, 16), max(height_px, 16))
    return np.ascontiguousarray(photo[:height_px, :width_px])


def _pale(seed: int, height_px: int, width_px: int) -> Pixels:
    """Return a photo with so little contrast that its quality is anywhere in [0, 100]."""
    photo = _photo(seed, height_px, width_px)
    return photo // np.uint8(2 + seed % 17) + np.uint8(90)


def _noise(seed: int, height_px: int, width_px: int) -> Pixels:
    return make_noise(seed, width_px, height_px)


def _flat(seed: int, height_px: int, width_px: int) -> Pixels:
    return np.full((height_px, width_px, 3), make_noise(seed, 1, 1)[0, 0], dtype=np.uint8)


def _wave(seed: int, height_px: int, width_px: int) -> Pixels:
    y, x = np.mgrid[:height_px, :width_px]
    random = np.random.default_rng(seed)
    tones = 127.5 + 127 * np.sin(x / random.uniform(3, 90) + y / random.uniform(3, 90))
    return np.repeat(tones[..., None], 3, axis=2).astype(np.uint8)


def _ramp(seed: int, height_px: int, width_px: int) -> Pixels:
    tones = np.linspace(0, 255, width_px)[None, :, None] * np.ones((height_px, 1, 3))
    return tones.astype(np.uint8)


Make = Callable[[int, int, int], Pixels]
KINDS: list[Make] = [_photo, _pale, _noise, _flat, _wave, _ramp]


def _reference(pixels: Pixels) -> tuple[str, int]:
    vector, quality = pdqhash.compute(pixels)
    return np.packbits(vector).tobytes().hex(), int(quality)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")
@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__.strip("_"))
def test_every_shape_of_every_kind_has_the_reference_hash(
    make: Make, shape: tuple[int, int]
) -> None:
    pixels = make(sum(shape), *shape)
    ours = pdq(pixels)
    assert (ours.bits.hex(), ours.quality) == _reference(pixels)


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__.strip("_"))
def test_many_random_shapes_have_the_reference_hash(make: Make) -> None:
    random = np.random.default_rng(2026)
    wrong = []
    for seed in range(40):
        height_px, width_px = (int(side) for side in random.integers(5, 420, 2))
        pixels = make(seed, height_px, width_px)
        ours = pdq(pixels)
        if (ours.bits.hex(), ours.quality) != _reference(pixels):
            wrong.append((seed, height_px, width_px))
    assert wrong == []


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__.strip("_"))
def test_every_turned_hash_is_the_reference_one(make: Make) -> None:
    random = np.random.default_rng(2027)
    shapes = [(4, 90), (5, 64), (64, 64), (127, 129), (1031, 777)]
    shapes += [(int(random.integers(5, 420)), int(random.integers(5, 420))) for _ in range(20)]
    wrong = []
    for seed, (height_px, width_px) in enumerate(shapes):
        pixels = make(seed, height_px, width_px)
        vectors, quality = pdqhash.compute_dihedral(pixels)
        reference = [(np.packbits(vector).tobytes(), int(quality)) for vector in vectors]
        if [(one.bits, one.quality) for one in dihedral(pixels)] != reference:
            wrong.append((seed, height_px, width_px))
    assert wrong == []
