"""Profiles and gammas that make another picture of what is stored, and those that do not."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from protech.salus.colour import brightened, profiled
from tests.make_data import make_photo

PHOTO = make_photo(22, 120, 90)
GRAY = np.repeat(np.asarray(Image.fromarray(PHOTO).convert("L"))[..., None], 3, axis=2)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = SRGB.replace(b"rXYZ", b"bxyz").replace(b"bXYZ", b"rXYZ").replace(b"bxyz", b"bXYZ")
"""A profile that shows red as blue and blue as red."""


def _icc(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return an ICC profile of version 2.4 with ``tags``. Source: ICC.1:2022, section 7."""
    at = 132 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4xI", at + len(body), 0x02400000) + b"prtr" + space + connection
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + table + body


def _negative_gray() -> bytes:
    """Return a profile for gray that shows black as white and white as black."""
    levels = np.linspace(1, 0, 256) ** 2.2 * 65535
    curve = struct.pack(">4s4xI256H", b"curv", 256, *levels.astype(int))
    white = struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)
    return _icc(b"GRAY", b"XYZ ", {b"wtpt": white, b"kTRC": curve})


def _black_inks() -> bytes:
    """Return a profile for four inks that shows every mix of them as black."""
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    black = bytes([0, 128, 128]) * 16
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + bytes(range(256)) * 4 + black
    return _icc(b"CMYK", b"Lab ", {b"A2B0": table + bytes(range(256)) * 3})


def test_swapped_colours_are_swapped_back() -> None:
    shown = profiled(PHOTO, SWAPPED)
    assert shown is not None
    assert np.abs(shown.astype(int) - PHOTO[..., ::-1]).mean() < 10


def test_a_negative_of_gray_is_shown_as_the_photo() -> None:
    shown = profiled(255 - GRAY, _negative_gray())
    assert shown is not None
    assert np.abs(shown.astype(int) - GRAY).mean() < 10


def test_four_inks_are_shown_by_their_profile() -> None:
    inks = Image.fromarray(PHOTO).convert("CMYK")
    shown = profiled(PHOTO, _black_inks(), inks=inks)
    assert shown is not None
    assert shown.shape == PHOTO.shape
    assert shown.max() < 10


def test_a_profile_for_four_inks_is_passed_over_where_there_are_three_colours() -> None:
    assert profiled(PHOTO, _black_inks()) is None


@pytest.mark.parametrize("profile", [None, b"", SRGB, b"no profile", SRGB[:200], bytes(300)])
def test_an_ordinary_or_broken_profile_changes_nothing(profile: bytes | None) -> None:
    assert profiled(PHOTO, profile) is None


@pytest.mark.parametrize("gamma", [0.02, 0.05, 1.0, 2.0, 5.0])
def test_a_gamma_far_from_a_screen_s_is_applied(gamma: float) -> None:
    stored = np.rint(255 * (PHOTO / 255) ** (2.2 * gamma)).astype(np.uint8)
    shown = brightened(stored, gamma)
    assert shown is not None
    is_fine = stored > 40  # few levels are left of the dark where they were pressed together
    assert np.abs(shown.astype(int) - PHOTO)[is_fine].mean() < 10


@pytest.mark.parametrize("gamma", [None, 0.0, -1.0, "x", 0.45455, 1 / 1.8])
def test_no_gamma_or_a_screen_s_changes_nothing(gamma: object) -> None:
    assert brightened(PHOTO, gamma) is None


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_gamma_gives_a_picture_or_none(gamma: float) -> None:
    shown = brightened(PHOTO[:2, :2], gamma)
    assert shown is None or shown.dtype == np.uint8
