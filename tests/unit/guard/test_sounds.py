"""Sound is told from pictures, and a container of both is not taken for either."""

import pytest

from protech.guard.gate import media_type_of
from protech.guard.sounds import is_boxed_sound, is_sound
from protech.salus.sniff import MediaType

WAVE = b"RIFF\x00\x00\x00\x00WAVEfmt " + bytes(64)
MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(64)


@pytest.mark.parametrize(
    ("head", "is_one"),
    [
        (b"ID3\x04", True),
        (b"\xff\xfb\x90", True),
        (b"\xff\xd8\xff", False),
        (b"\xff", False),
        (WAVE, True),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", False),
        (b"OggS" + bytes(24) + b"\x01vorbis", True),
        (b"OggS" + bytes(24) + b"\x80theora", False),
        (b"\x00\x00\x00\x20ftypM4A ", True),
        (MP4, False),
        (b"\xff\xfe<\x00h\x00", False),
    ],
)
def test_sound_is_told_from_pictures(head: bytes, is_one: bool) -> None:
    assert is_sound(head) is is_one
    if is_one:
        assert media_type_of(head) is MediaType.OTHER


def test_a_picture_under_the_brand_of_a_sound_is_a_picture() -> None:
    head = b"\x00\x00\x00\x1cftypM4A \x00\x00\x00\x00avifmif1"
    assert not is_boxed_sound(head)
    assert media_type_of(head) is MediaType.AVIF
