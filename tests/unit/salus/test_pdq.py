import numpy as np
import pytest

from protech.salus import pdq as module
from protech.salus.pdq import GRID, MIN_SIDE_PX, dihedral, pdq
from protech.types import PdqHash
from tests.make_data import make_noise, make_photo


def _distance_bits(one: PdqHash, other: PdqHash) -> int:
    return (int.from_bytes(one.bits) ^ int.from_bytes(other.bits)).bit_count()


@pytest.mark.parametrize("shape", [(MIN_SIDE_PX - 1, 100), (100, MIN_SIDE_PX - 1), (1, 1)])
def test_a_side_too_short_has_no_hash(shape: tuple[int, int]) -> None:
    assert pdq(make_noise(1, shape[1], shape[0])) == PdqHash(bits=bytes(32), quality=0)


def test_the_shortest_side_has_a_hash() -> None:
    assert pdq(make_noise(1, MIN_SIDE_PX, MIN_SIDE_PX)).bits != bytes(32)


@pytest.mark.parametrize("seed", range(4))
def test_half_of_the_bits_are_set(seed: int) -> None:
    assert int.from_bytes(pdq(make_photo(seed, 320, 240)).bits).bit_count() == 128


def test_a_photo_has_full_quality() -> None:
    assert pdq(make_photo(2, 320, 240)).quality == 100


def test_a_flat_picture_has_no_quality() -> None:
    assert pdq(np.full((80, 90, 3), 77, dtype=np.uint8)).quality == 0


def test_half_the_size_keeps_the_hash() -> None:
    photo = make_photo(3, 640, 480)
    half = photo.reshape(240, 2, 320, 2, 3).mean(axis=(1, 3)).astype(np.uint8)
    assert _distance_bits(pdq(photo), pdq(half)) <= 8


def test_noise_is_far_from_a_photo() -> None:
    assert _distance_bits(pdq(make_photo(3, 320, 240)), pdq(make_noise(3, 320, 240))) > 62


def test_an_array_that_is_not_contiguous_has_the_same_hash() -> None:
    photo = make_photo(4, 320, 240)
    assert pdq(photo[::2, ::2]) == pdq(np.ascontiguousarray(photo[::2, ::2]))


@pytest.mark.parametrize("seed", range(3))
def test_turned_hashes_are_near_those_of_the_turned_picture(seed: int) -> None:
    photo = make_photo(seed, 480, 360)
    half_turn = photo[::-1, ::-1]
    pictures = [*(np.rot90(photo, turns) for turns in range(4)), photo[::-1], photo[:, ::-1]]
    pictures += [photo.transpose(1, 0, 2), half_turn.transpose(1, 0, 2)]
    hashes = dihedral(photo)
    assert hashes[0] == pdq(photo)
    for picture, one in zip(pictures, hashes, strict=True):
        assert _distance_bits(pdq(np.ascontiguousarray(picture)), one) <= 20


def test_a_side_too_short_has_no_turned_hash() -> None:
    assert dihedral(make_noise(1, 4, 90)) == (PdqHash(bits=bytes(32), quality=0),) * 8


@pytest.mark.parametrize(
    "shape", [(5, 5), (64, 64), (64, 200), (127, 129), (128, 128), (300, 5), (700, 1000)]
)
def test_the_quick_points_are_within_the_noise_that_is_allowed_for(
    shape: tuple[int, int],
) -> None:
    pixels = make_noise(7, shape[1], shape[0])
    quick, exact = module._quick_grid(pixels, shape), module._exact_grid(pixels)
    assert np.abs(quick - exact).max() <= module._noise(max(shape))


@pytest.mark.parametrize("shape", [(64, 64), (300, 90), (700, 1000)])
def test_the_quick_frequencies_are_within_twice_that_noise(shape: tuple[int, int]) -> None:
    pixels = make_noise(8, shape[1], shape[0])
    quick = module._waves(module._quick_grid(pixels, shape))
    exact = module._exact_waves(module._exact_grid(pixels))
    assert np.abs(quick - exact).max() <= 2 * module._noise(max(shape))


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize("side_px", [5, 64, 65, 129, 1000, 4001])
def test_the_weights_of_a_point_add_up_to_one(side_px: int, scale: int) -> None:
    points = module._weights(side_px, scale)
    assert len(points) == GRID
    for near, weights in points:
        assert len(weights) == near.stop - near.start
        assert 0 <= near.start < near.stop <= -(-side_px // scale)
        assert weights.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("shape", [(130, 170), (65, 64), (200, 90)])
def test_pixels_that_stand_for_equal_ones_have_the_hash_of_these(
    shape: tuple[int, int], scale: int
) -> None:
    pixels = make_noise(5, shape[1], shape[0])
    whole = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    for lost in (0, scale - 1):  # the last pixel stands for fewer
        full = np.ascontiguousarray(whole[: len(whole) - lost, lost:][:, ::-1])
        small = np.ascontiguousarray(pixels[:, ::-1])
        quick = module._quick_grid(small, full.shape[:2])
        exact = module._exact_grid(full)
        assert np.abs(quick - exact).max() <= module._noise(max(full.shape))
        assert _distance_bits(pdq(small, full_size=full.shape[:2]), pdq(full)) <= 2


@pytest.mark.parametrize("size", [(1030, 1024), (1279, 1101), (1025, 1450)])
def test_a_scaled_photo_is_hashed_as_all_its_pixels_would_be(size: tuple[int, int]) -> None:
    photo = make_photo(3, *size)
    edge = [(0, -side % 2) for side in photo.shape[:2]]
    even = np.pad(photo, (*edge, (0, 0)), mode="edge").astype(np.float32)
    half = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    scaled = pdq(np.rint(half).astype(np.uint8), full_size=photo.shape[:2])
    assert _distance_bits(scaled, pdq(photo)) <= 2


def test_a_bit_at_the_median_is_doubtful() -> None:
    waves = np.arange(256, dtype=np.float32).reshape(16, 16)
    assert not module._has_doubtful_bit(waves, 0.4)
    assert module._has_doubtful_bit(waves, 0.5)


def test_quality_is_doubtful_only_where_a_step_could_tip_it() -> None:
    grid = np.zeros((GRID, GRID), dtype=np.float32)
    assert not module._has_doubtful_quality(grid, 0.01)
    grid[::2] = 2.55 * 1.0001  # 63 x 64 steps of hardly more than one percent
    assert module._has_doubtful_quality(grid, 0.01)


def test_quality_beyond_the_cap_is_not_doubtful() -> None:
    grid = np.zeros((GRID, GRID), dtype=np.float32)
    grid[::2] = 255
    assert not module._has_doubtful_quality(grid, 0.01)


def test_a_picture_beyond_the_bound_keeps_the_quick_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flat = np.full((100, 100, 3), 99, dtype=np.uint8)
    exact = pdq(flat)
    monkeypatch.setattr(module, "EXACT_PIXELS", 100 * 100)
    assert pdq(flat) == exact
    monkeypatch.setattr(module, "EXACT_PIXELS", 100 * 100 - 1)
    quick = pdq(flat)
    assert quick.quality == exact.quality == 0
    assert quick.bits != exact.bits
