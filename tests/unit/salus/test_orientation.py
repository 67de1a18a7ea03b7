"""What a file says of which way up it is, however oddly it says so."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.salus.orientation import orientation, stated


def block(value: int, order: str = "<") -> bytes:
    """Return an EXIF block of one entry, the orientation; ``order`` as in ``struct``."""
    begin = b"II*\0" if order == "<" else b"MM\0*"
    return begin + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, value, 0, 0)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", range(1, 9))
def test_every_orientation_is_read_in_both_byte_orders(value: int, order: str) -> None:
    assert orientation(block(value, order)) == value
    assert stated(b"before" + block(value, order) + b"behind") == (
        (value,) if value > 1 else ()
    )


@pytest.mark.parametrize("exif", [None, b"", b"II*\0", block(9), block(0), b"no block", 6])
def test_what_says_nothing_is_upright(exif: object) -> None:
    assert orientation(exif) == 1


def test_all_that_is_stated_is_found_once() -> None:
    assert set(stated(block(6) + block(3, ">") + block(6) + block(1))) == {6, 3}


@given(st.binary(max_size=200))
def test_any_bytes_give_an_orientation(exif: bytes) -> None:
    assert orientation(exif) in range(1, 9)
    assert set(stated(exif)) <= set(range(2, 9))
    assert orientation(block(6)[:8] + exif) in range(1, 9)


@given(st.integers(0, 24))
def test_a_block_that_breaks_off_states_nothing_wrong(length: int) -> None:
    assert stated(block(6)[:length]) in {(), (6,)}
