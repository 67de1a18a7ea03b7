"""What holds sound and no picture, by its first bytes."""

from protech.salus.sniff import MediaType, sniff
from protech.types import Kind

_SOUND_MAGIC = (b"ID3", b"fLaC", b"OggS", b"MThd", b"#!AMR", b".snd")
_SOUND_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P ", b"F4A "})
_LAYER_3_SYNC = frozenset({0xF1, 0xF9, 0xFA, 0xFB, 0xF2, 0xF3, 0xE2, 0xE3})


def is_sound(head: bytes) -> bool:
    """Return whether ``head`` begins a container that holds sound and no picture."""
    if head.startswith(_SOUND_MAGIC):
        return not (head.startswith(b"OggS") and sniff(head) is MediaType.OGG_VIDEO)
    if head[:4] == b"RIFF":
        return head[8:12] == b"WAVE"
    if is_boxed_sound(head):
        return True
    return len(head) > 1 and head[0] == 0xFF and head[1] in _LAYER_3_SYNC


def is_boxed_sound(head: bytes) -> bool:
    """Return whether ``head`` says sound in a container that may hold pictures all the same."""
    is_said = head[4:8] == b"ftyp" and head[8:12] in _SOUND_BRANDS
    return is_said and sniff(head).kind is not Kind.IMAGE
