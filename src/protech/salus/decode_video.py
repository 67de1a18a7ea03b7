"""Videos: the door to FFmpeg's demuxers and decoders.

Runs only inside a sandboxed worker. The container is the one that the first bytes tell and no
other; nothing that a file names elsewhere (another file, a playlist, an address) is opened:
there is no protocol to open it with, and the worker's lock has no path and no socket.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import av
import av.subtitles.codeccontext  # PyAV imports these when it first meets any stream
import av.subtitles.stream
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
from protech.salus.video_format import (
    CODECS,
    ELEMENTARY,
    OPTIONS,
    demuxer,
    has_luma_plane,
    luma_gain,
    orientation,
)
from protech.types import Limits, PdqHash, Unscannable

MAX_TRACKS = 16
"""Video streams of one file that are judged; films have one, and a cover."""

SHOWN_SIDE_PX = 512
"""What the models see keeps a shorter side of this, as photos do."""

_BUFFER_BYTES = 1 << 18


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
        """Return the hash of the frame as stored, as vPDQ takes it, then as displayed.

        Raises:
            Undecodable: The frame is in a layout that nothing converts, or too large for it.
        """
        if not has_luma_plane(self._frame.format.name):
            pixels = self._rgb(self._frame.width, self._frame.height)
            return tuple(pdq(form) for form in _turns(pixels, self.orientation))
        levels, gain = _luma(self._frame)
        forms = _turns(levels[..., None], self.orientation)
        return tuple(pdq_luma(form[..., 0], gain=gain) for form in forms)

    def displayed(self) -> Pixels:
        """Return what a player shows, scaled down where it is large, (h, w, 3) uint8 sRGB.

        Raises:
            Undecodable: As ``hashes``.
        """
        width_px, height_px = self._frame.width, self._frame.height
        scale = max(1, min(width_px, height_px) // SHOWN_SIDE_PX)
        return turned(self._rgb(width_px // scale, height_px // scale), self.orientation)

    def _rgb(self, width_px: int, height_px: int) -> Pixels:
        try:
            pixels = self._frame.reformat(
                width=width_px, height=height_px, format="rgb24", interpolation="AREA"
            ).to_ndarray()
        except MemoryError as bomb:
            raise Undecodable(Unscannable.TOO_LARGE) from bomb
        except (FFmpegError, ValueError) as odd:
            raise Undecodable(Unscannable.CORRUPT) from odd
        return np.ascontiguousarray(pixels, dtype=np.uint8)


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
    has_frames = False
    with _opened(raw, media_type) as container:
        tracks, unjudged = _tracks(container, sampling, limits)
        for track, frame in _frames(container, tracks, raw, broken):
            has_frames = True
            require_size(frame.width, frame.height, limits)
            if track.sampler.takes(frame.time):
                turn = _orientation(frame)
                yield Picture(track=track.number, orientation=turn, _frame=frame)
    broken += unjudged
    if tracks and not has_frames:  # a demuxer that finds nothing where a table points is silent
        broken.append(Unscannable.CORRUPT)
    if broken:
        raise Undecodable(broken[0])


@contextmanager
def _opened(raw: Raw, media_type: MediaType) -> Iterator[InputContainer]:
    form = demuxer(media_type, raw.read(len(ELEMENTARY)))
    raw.seek(0)
    try:
        container = av.open(raw, "r", format=form, options=OPTIONS, buffer_size=_BUFFER_BYTES)
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
    known = [stream for stream in container.streams.video if _codec(stream) in CODECS]
    fitting = [stream for stream in known if stream.width * stream.height <= limits.pixels]
    fitting.sort(key=_is_cover)
    tracks = [
        _track(number, stream, sampling, limits)
        for number, stream in enumerate(fitting[:MAX_TRACKS])
    ]
    unjudged = []
    if len(tracks) < len(known):
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
            track = of.get(packet.stream_index)
            if track is None:  # a stream that was not there when the file was opened
                _note(broken, Unscannable.UNKNOWN_TYPE)
            else:
                yield track, packet
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
    except (FFmpegError, ValueError):  # also a decoder that refuses what the head says
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
    return lines[: frame.height, : frame.width], luma_gain(frame.format.name, bits)


def _turns[Level: np.unsignedinteger](
    stored: NDArray[Level], orientation: int
) -> list[NDArray[Level]]:
    """Return a frame as stored and, where a player turns it, as displayed."""
    if orientation == 1:
        return [stored]
    return [stored, turned(stored, orientation)]


def _orientation(frame: VideoFrame) -> int:
    """Return EXIF's number for how a player turns a frame; 1 where it does not."""
    matrix = frame.side_data.get(SideData.DISPLAYMATRIX)
    return 1 if matrix is None else orientation(bytes(matrix))
