"""Whether a video file ends before its container says that it does.

A demuxer plays what is there and says nothing. Runs only inside a sandboxed worker.
"""

from collections.abc import Iterator

from protech.salus.seekable import Seekable
from protech.salus.sniff import MediaType

MAX_PARTS = 100_000
"""Boxes that are looked at; a film in fragments has one pair for every few seconds."""

_BOXES = frozenset(
    {
        b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"sidx", b"ssix", b"prft",
        b"emsg", b"pdin", b"meta", b"free", b"skip", b"wide", b"uuid", b"udta", b"pnot",
    }
)  # fmt: skip
"""Outermost boxes; phones append data of their own behind these, which is none."""

_TS_SYNC, _TS_PACKET_BYTES, _M2TS_PACKET_BYTES = b"G", 188, 192
"""Cameras put four bytes of time before each packet."""
_EBML_HEADER, _SEGMENT = 0x1A45DFA3, 0x18538067


def is_cut(source: Seekable, media_type: MediaType) -> bool:
    """Return whether the outermost parts of a file reach beyond its end.

    Formats without such parts never are, nor is a live recording that does not know its length.
    """
    match media_type:
        case MediaType.MP4 | MediaType.MOV:
            ends = _boxes(source)
        case MediaType.AVI:
            ends = _chunks(source)
        case MediaType.MKV | MediaType.WEBM:
            ends = _elements(source)
        case MediaType.MPEG_TS:
            is_plain = source.at(0, 1) == _TS_SYNC
            packet_bytes = _TS_PACKET_BYTES if is_plain else _M2TS_PACKET_BYTES
            return source.size_bytes % packet_bytes != 0
        case _:
            return False
    return any(end > source.size_bytes for end in ends)


def _boxes(source: Seekable) -> Iterator[int]:
    """Give where each box of ISO 14496-12 ends."""
    at = 0
    for _ in range(MAX_PARTS):
        head = source.at(at, 16)
        length = int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:16])
        if head[4:8] not in _BOXES or length < 8:  # 0: to the end of the file
            return
        at += length
        yield at


def _chunks(source: Seekable) -> Iterator[int]:
    """Give where each RIFF chunk ends; long AVI files have several."""
    at = 0
    for _ in range(MAX_PARTS):
        head = source.at(at, 8)
        if head[:4] != b"RIFF" or len(head) < 8:
            return
        at += 8 + int.from_bytes(head[4:8], "little")
        yield at
        at += at % 2


def _elements(source: Seekable) -> Iterator[int]:
    """Give where the head and the segment of Matroska end (RFC 8794 4 and 6)."""
    at = 0
    for wanted, id_bytes in ((_EBML_HEADER, 4), (_SEGMENT, 4)):
        head = source.at(at, id_bytes + 8).ljust(id_bytes + 8, b"\0")
        first = head[id_bytes]
        size_bytes = 9 - first.bit_length()
        if int.from_bytes(head[:id_bytes]) != wanted or size_bytes > 8:
            return
        bits = 7 * size_bytes
        length = int.from_bytes(head[id_bytes : id_bytes + size_bytes]) & ((1 << bits) - 1)
        if length == (1 << bits) - 1:  # unknown
            return
        at += id_bytes + size_bytes + length
        yield at
