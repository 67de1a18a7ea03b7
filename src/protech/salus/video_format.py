"""What of FFmpeg is used for videos, and how their frames lie in memory.

Facts only; ``decode_video`` is the door to FFmpeg itself.
"""

import re
import struct

from protech.salus.sniff import MediaType

DEMUXERS = {
    MediaType.MP4: "mov",
    MediaType.MOV: "mov",
    MediaType.MKV: "matroska",
    MediaType.WEBM: "matroska",
    MediaType.AVI: "avi",
    MediaType.MPEG_TS: "mpegts",
    MediaType.MPEG: "mpeg",
    MediaType.FLV: "flv",
    MediaType.ASF: "asf",
    MediaType.OGG_VIDEO: "ogg",
}
ELEMENTARY = b"\x00\x00\x01\xb3"
"""A bare MPEG-1 or MPEG-2 stream begins so; it has no container."""

CODECS = frozenset(
    {
        "h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mpeg1video", "mpeg2video", "mjpeg",
        "png", "h263", "flv1", "theora", "vc1", "wmv1", "wmv2", "wmv3", "msmpeg4v1",
        "msmpeg4v2", "msmpeg4v3", "prores", "dvvideo",
    }
)  # fmt: skip
"""What people's videos are made of; FFmpeg knows some 300 more, mostly of games."""
_DECODERS = CODECS - {"av1", "flv1", "msmpeg4v3"} | {"libdav1d", "flv", "msmpeg4"}
"""The same by the names of FFmpeg's decoders."""

OPTIONS = {
    "protocol_whitelist": "none",
    "format_whitelist": ",".join(sorted({*DEMUXERS.values(), "mpegvideo"})),
    "codec_whitelist": ",".join(sorted(_DECODERS)),  # no sound is ever decoded
    "enable_drefs": "0",  # MOV: a track that lies in another file
}

_LUMA_FIRST = re.compile(r"(yuva?j?4\d\dp|nv\d\d|gray)(9|10|12|14|16)?(le)?")
_FULL_RANGE = re.compile(r"yuvj|gray")
"""What swscale, and so the reference, takes for the full range; it does not ask the frame."""
_LIMITED_STEPS = 219
"""Steps from black to white where the range is limited. Source: ITU-R BT.601, 2.5.3."""

_UPRIGHT = {(False, False): 1, (True, False): 2, (True, True): 3, (False, True): 4}
"""EXIF's orientations by which of a and d of a display matrix are negative."""
_SIDEWAYS = {(False, False): 5, (False, True): 6, (True, True): 7, (True, False): 8}
"""The same by b and c, where width and height change places."""


def demuxer(media_type: MediaType, head: bytes) -> str:
    """Return which of FFmpeg's demuxers takes a video that begins with ``head``."""
    return "mpegvideo" if head.startswith(ELEMENTARY) else DEMUXERS[media_type]


def has_luma_plane(layout: str) -> bool:
    """Return whether the first plane of a pixel format is luma, a sample for each pixel."""
    return _LUMA_FIRST.fullmatch(layout) is not None


def luma_gain(layout: str, bits: int) -> float:
    """Return how many of 255 steps a step of the luma of a pixel format is."""
    deeper = 1 << max(0, bits - 8)
    is_full = _FULL_RANGE.match(layout) is not None
    return 255 / (256 * deeper - 1 if is_full else _LIMITED_STEPS * deeper)


def orientation(matrix: bytes) -> int:
    """Return EXIF's number for a display matrix, nine native 32-bit numbers.

    Source: ISO 14496-12 8.3.2: x' = a x + c y, y' = b x + d y, with y downwards.
    """
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return _UPRIGHT[a < 0, d < 0]
    return _SIDEWAYS[b < 0, c < 0]
