"""Videos: the door to FFmpeg's demuxers and decoders.

Runs only inside a sandboxed worker. The container is the one that the first bytes tell and no
other; nothing that a file names elsewhere (another file, a playlist, an address) is opened:
there is no protocol to open it with, and the worker's lock has no path and no socket.
"""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.sidedata.sidedata import Type as SideData
from av.stream import Discard, Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from protech.salus.frames import Pixels, Undecodable, require_size, turned, turned_size
from protech.salus.pdq import pdq, pdq_luma
from protech.salus.sampling import Sampler, Sampling
from protech.salus.seekable import Raw
from protech.salus.sniff import MediaType
from protech.types import Limits, PdqHash, Unscannable

MAX_TRACKS = 16
"""Video streams of one file that are judged; films have one, and a cover."""

SHOWN_SIDE_PX = 512
"""What the models see keeps a shorter side of this, as photos do."""

_DEMUXERS = {
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
_ELEMENTARY = b"\x00\x00\x01\xb3"
"""A bare MPEG-1 or MPEG-2 stream begins so; it has no container."""

_CODECS = frozenset(
    {
        "h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mpeg1video", "mpeg2video", "mjpeg",
        "png", "h263", "flv1", "theora", "vc1", "wmv1", "wmv2", "wmv3", "msmpeg4v1",
        "msmpeg4v2", "msmpeg4v3", "prores", "dvvideo",
    }
)  # fmt: skip
"""What people's videos are made of; FFmpeg knows some 300 more, mostly of games."""
_DECODERS = _CODECS - {"av1", "flv1", "msmpeg4v3"} | {"libdav1d", "flv", "msmpeg4"}
"""The same by the names of FFmpeg's decoders."""

_OPTIONS = {
    "protocol_whitelist": "none",
    "format_whitelist": ",".join(sorted({*_DEMUXERS.values(), "mpegvideo"})),
    "codec_whitelist": ",".join(sorted(_DECODERS)),  # no sound is ever decoded
    "enable_drefs": "0",  # MOV: a track that lies in another file
}

_BUFFER_BYTES = 1 << 18

_LUMA_FIRST = re.compile(r"(yuva?j?4\d\dp|nv\d\d|gray)(9|10|12|14|16)?(le)?")
"""Layouts whose first plane is luma, one sample for each pixel."""
_FULL_RANGE = re.compile(r"yuvj|gray")
"""What swscale, and so the reference, takes for the full range; it does not ask the frame."""
_LIMITED_STEPS = 219
"""Steps from black to white where the range is limited. Source: ITU-R BT.601, 2.5.3."""

_UPRIGHT = {(False, False): 1, (True, False): 2, (True, True): 3, (False, True): 4}
"""EXIF's orientations by which of a and d of a display matrix are negative."""
_SIDEWAYS = {(False, False): 5, (False, True): 6, (True, True): 7, (True, False): 8}
"""The same by b and c, where width and height change places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One frame that is hashed; ``track`` counts the video streams of the file.

    ``orientation`` is EXIF's number for how a player turns it.
    """

    track: int
    orientation: int
    _frame: VideoFrame = field(repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as displayed."""
        return turned_size((self._frame.width, self._frame.height), self.orientation)

    def hashes(self) -> tuple[PdqHash, ...]:
        """Return the hash of the frame as stored, as vPDQ takes it, then as displayed."""
        if _LUMA_FIRST.fullmatch(self._frame.format.name) is None:
            pixels: Pixels = self._frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
            return tuple(pdq(form) for form in _turns(pixels, self.orientation))
        levels, gain = _luma(self._frame)
        forms = _turns(levels[..., None], self.orientation)
        return tuple(pdq_luma(form[..., 0], gain=gain) for form in forms)

    def displayed(self) -> Pixels:
        """Return what a player shows, scaled down where it is large, (h, w, 3) uint8 sRGB."""
        scale = max(1, min(self._frame.width, self._frame.height) // SHOWN_SIDE_PX)
        pixels = self._frame.reformat(
            width=max(1, self._frame.width // scale),
            height=max(1, self._frame.height // scale),
            format="rgb24",
            interpolation="AREA",
        ).to_ndarray()
        return turned(np.ascontiguousarray(pixels, dtype=np.uint8), self.orientation)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Track:
    """A video stream that is decoded, and which of its frames are wanted."""

    number: int
    stream: VideoStream
    sampler: Sampler


def preload() -> None:
    """Load every library of FFmpeg, and run once what is common to all codecs."""
    av.logging.set_level(None)
    blank = VideoFrame(16, 16, "yuv420p")
    blank.reformat(width=8, height=8, format="rgb24", interpolation="AREA").to_ndarray()
    pdq_luma(_luma(blank)[0])


def decode(
    raw: Raw, *, media_type: MediaType, sampling: Sampling, limits: Limits
) -> Iterator[Picture]:
    """Give the frames of every video stream that are to be hashed, in the order of the file.

    What cannot be decoded is passed over, as players do; whatever there was of that is raised
    at the end, so that frames before and behind a break still count.

    Raises:
        Undecodable: CORRUPT, TOO_LARGE, UNKNOWN_TYPE where a stream has a codec that nothing
            here decodes, TIMED_OUT, or CHANGED and UNREADABLE as ``raw`` finds it.
    """
    broken: list[Unscannable] = []
    with _opened(raw, media_type) as container:
        tracks, unjudged = _tracks(container, sampling, limits)
        for track, frame in _frames(container, tracks, raw, broken):
            require_size(frame.width, frame.height, limits)
            if track.sampler.takes(frame.time):
                turn = _orientation(frame)
                yield Picture(track=track.number, orientation=turn, _frame=frame)
    broken += unjudged
    if broken:
        raise Undecodable(broken[0])


@contextmanager
def _opened(raw: Raw, media_type: MediaType) -> Iterator[InputContainer]:
    demuxer = _DEMUXERS[media_type]
    if raw.read(len(_ELEMENTARY)) == _ELEMENTARY:
        demuxer = "mpegvideo"
    raw.seek(0)
    try:
        container = av.open(
            raw, "r", format=demuxer, options=_OPTIONS, buffer_size=_BUFFER_BYTES
        )
    except MemoryError as bomb:
        raise Undecodable(raw.failure or Unscannable.TOO_LARGE) from bomb
    except (FFmpegError, ValueError) as broken:
        raise Undecodable(raw.failure or Unscannable.CORRUPT) from broken
    with container:
        yield container


def _tracks(
    container: InputContainer, sampling: Sampling, limits: Limits
) -> tuple[list[_Track], list[Unscannable]]:
    """Return what is decoded, films before covers, and why other video streams are not."""
    for stream in container.streams:
        stream.discard = Discard.all
    known = [stream for stream in container.streams.video if _codec(stream) in _CODECS]
    known.sort(key=_is_cover)
    tracks = [_track(number, stream, sampling, limits) for number, stream in enumerate(known)][
        :MAX_TRACKS
    ]
    unjudged = []
    if len(known) > MAX_TRACKS:
        unjudged.append(Unscannable.TOO_LARGE)
    if len(known) < len(container.streams.video) or not (known or container.streams.audio):
        unjudged.append(Unscannable.UNKNOWN_TYPE)
    return tracks, unjudged


def _track(number: int, stream: VideoStream, sampling: Sampling, limits: Limits) -> _Track:
    stream.discard = Discard.default
    context = stream.codec_context
    context.thread_count = 1  # workers are the parallelism
    context.options = {"max_pixels": str(limits.pixels)}
    if sampling is Sampling.KEYFRAMES:
        context.skip_frame = "NONKEY"
    rate = stream.average_rate or stream.base_rate
    sampling = Sampling.EVERY_FRAME if _is_cover(stream) else sampling
    return _Track(
        number=number,
        stream=stream,
        sampler=Sampler(sampling, rate=float(rate) if rate else None),
    )


def _codec(stream: VideoStream) -> str | None:
    # PyAV has no context for a stream whose codec nothing here decodes.
    context = getattr(stream, "codec_context", None)
    return context.codec.canonical_name if context is not None else None


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _frames(
    container: InputContainer, tracks: list[_Track], raw: Raw, broken: list[Unscannable]
) -> Iterator[tuple[_Track, VideoFrame]]:
    """Give every frame that can be decoded; ``broken`` gets why others could not be.

    Raises:
        Undecodable: Nothing further can be had.
    """
    for track, packet in _packets(container, tracks, broken):
        for frame in _decoded(track, packet, broken):
            if frame.is_corrupt:
                _note(broken, Unscannable.CORRUPT)
            yield track, frame
        raw.require()
    raw.require()


def _packets(
    container: InputContainer, tracks: list[_Track], broken: list[Unscannable]
) -> Iterator["tuple[_Track, Packet[Stream] | None]"]:
    """Give the packets of all tracks; None where a decoder shall give what it holds back."""
    of = {track.stream.index: track for track in tracks}
    if not tracks:  # PyAV would take none for all
        return
    packets = container.demux([track.stream for track in tracks])
    try:
        # An own loop: what is thrown into this generator is no fault of the demuxer.
        while (packet := next(packets, None)) is not None:
            yield of[packet.stream_index], packet
    except MemoryError as bomb:
        raise Undecodable(Unscannable.TOO_LARGE) from bomb
    except FFmpegError:
        _note(broken, Unscannable.CORRUPT)
        yield from ((track, None) for track in tracks)


def _decoded(
    track: _Track, packet: "Packet[Stream] | None", broken: list[Unscannable]
) -> list[VideoFrame]:
    try:
        return track.stream.codec_context.decode(packet)
    except MemoryError as bomb:
        raise Undecodable(Unscannable.TOO_LARGE) from bomb
    except EOFError:  # it was asked before for what it holds back
        return []
    except FFmpegError:
        _note(broken, Unscannable.CORRUPT)
        return []


def _note(broken: list[Unscannable], reason: Unscannable) -> None:
    if reason not in broken:
        broken.append(reason)


def _luma(frame: VideoFrame) -> tuple[NDArray[np.unsignedinteger], float]:
    """Return the luma plane as it lies in memory, and what makes its steps those of 255."""
    bits = frame.format.components[0].bits
    plane = frame.planes[0]
    kind = np.uint8 if bits <= 8 else np.uint16
    lines: NDArray[np.uint8 | np.uint16] = np.frombuffer(plane, kind)
    lines = lines.reshape(-1, plane.line_size // lines.itemsize)
    deeper = 1 << max(0, bits - 8)
    is_full = _FULL_RANGE.match(frame.format.name) is not None
    steps = 256 * deeper - 1 if is_full else _LIMITED_STEPS * deeper
    return lines[: frame.height, : frame.width], 255 / steps


def _turns[Level: np.unsignedinteger](
    stored: NDArray[Level], orientation: int
) -> list[NDArray[Level]]:
    """Return a frame as stored and, where a player turns it, as displayed."""
    if orientation == 1:
        return [stored]
    return [stored, turned(stored, orientation)]


def _orientation(frame: VideoFrame) -> int:
    """Return EXIF's number for the display matrix of a frame; 1 where it has none.

    Source: ISO 14496-12 8.3.2: x' = a x + c y, y' = b x + d y, with y downwards.
    """
    matrix = frame.side_data.get(SideData.DISPLAYMATRIX)
    if matrix is None:
        return 1
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return _UPRIGHT[a < 0, d < 0]
    return _SIDEWAYS[b < 0, c < 0]
