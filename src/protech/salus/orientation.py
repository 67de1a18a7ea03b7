"""Which way up a picture is: what its EXIF block says, and what else is said anywhere in it.

Readers disagree: of two blocks one takes the first, another the last, and a third takes none
where a tag beside it is broken. So whatever is stated counts, beside what is displayed.
"""

from typing import Literal

_UPRIGHT = 1
_TURNS = range(2, 9)

_BEGINNINGS = (b"\x12\x01\x03\x00\x01\x00\x00\x00", b"\x01\x12\x00\x03\x00\x00\x00\x01\x00")
"""The entry for the orientation, one 16-bit number, little-endian and big; its value follows.
Source: EXIF 2.32, 4.6.4 A; TIFF 6.0, section 2."""

_EXIF = b"Exif\0\0"
_ENTRY_BYTES = 12


def orientation(exif: object) -> int:
    """Return what the first directory of an EXIF block says, 1 to 8; 1 where it is silent."""
    if not isinstance(exif, bytes):
        return _UPRIGHT
    block = exif.removeprefix(_EXIF)
    order: Literal["little", "big"] = "little" if block[:2] == b"II" else "big"
    beginning = _BEGINNINGS[order == "big"]
    at = int.from_bytes(block[4:8], order)
    count = int.from_bytes(block[at : at + 2], order)
    for entry in range(at + 2, at + 2 + _ENTRY_BYTES * count, _ENTRY_BYTES):
        if block.startswith(beginning, entry):
            value = block[entry + len(beginning) : entry + len(beginning) + 1]
            return value[0] if value and value[0] in _TURNS else _UPRIGHT
    return _UPRIGHT


def stated(data: bytes) -> tuple[int, ...]:
    """Return every orientation but upright that ``data`` states in an entry of EXIF, once each.

    Eleven bytes must fit, so compressed pixels say nothing by chance.
    """
    found: dict[int, None] = {}
    for beginning in _BEGINNINGS:
        at = data.find(beginning)
        while at >= 0:
            value = data[at + len(beginning) : at + len(beginning) + 1]
            if value and value[0] in _TURNS:
                found[value[0]] = None
            at = data.find(beginning, at + 1)
    return tuple(found)
