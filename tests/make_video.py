"""Benign videos for tests: a camera that pans over painted landscapes, one after the other.

They are encoded when a test runs, by the encoders that PyAV's wheel carries; none is committed.

``python -m tests.make_video DIR`` writes one of each kind to look at.
"""

import io
import os
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from protech.salus.frames import Pixels
from tests.make_data import make_photo

av.logging.set_level(None)
os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder is silent about what is no error

QUICK: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "veryfast"},
    "libx264rgb": {"preset": "veryfast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
    "mpeg4": {"qscale": "3"},
}

KINDS: Mapping[str, tuple[str, str, str]] = {
    "h264.mp4": ("mp4", "libx264", "yuv420p"),
    "h264_full_range.mov": ("mov", "libx264", "yuvj420p"),
    "h264_10_bit.mkv": ("matroska", "libx264", "yuv420p10le"),
    "h264_444.mkv": ("matroska", "libx264", "yuv444p"),
    "h264_rgb.mp4": ("mp4", "libx264rgb", "rgb24"),
    "h264.ts": ("mpegts", "libx264", "yuv420p"),
    "h265.mkv": ("matroska", "libx265", "yuv420p"),
    "h265_10_bit.mp4": ("mp4", "libx265", "yuv420p10le"),
    "h265_12_bit.mkv": ("matroska", "libx265", "yuv420p12le"),
    "vp8.webm": ("webm", "libvpx", "yuv420p"),
    "vp9.webm": ("webm", "libvpx-vp9", "yuv420p"),
    "av1.mp4": ("mp4", "libsvtav1", "yuv420p"),
    "av1_10_bit.mkv": ("matroska", "libsvtav1", "yuv420p10le"),
    "mpeg4.avi": ("avi", "mpeg4", "yuv420p"),
    "mpeg2.ts": ("mpegts", "mpeg2video", "yuv420p"),
    "mjpeg.avi": ("avi", "mjpeg", "yuvj420p"),
}
"""Container, encoder and pixel format of each kind of video that is told apart."""


def scenes(
    seeds: Sequence[int], *, frames: int, width: int, height: int, pan: float = 1
) -> Iterator[Pixels]:
    """Give ``frames`` frames, (height, width, 3) uint8, an equal part of them of each seed.

    The camera moves by ``pan`` widths of the picture while it shows one seed.
    """
    each = -(-frames // len(seeds))
    for number in range(frames):
        photo = make_photo(seeds[number // each], 2 * width, height)
        left = int(pan * width * (number % each) / each)
        yield np.ascontiguousarray(photo[:, left : left + width])


def encode(
    pictures: Iterator[Pixels],
    kind: str = "h264.mp4",
    *,
    rate: float = 25,
    times_s: Sequence[float] | None = None,
    has_sound: bool = False,
    options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    extra_tracks: int = 0,
) -> bytes:
    """Return a file of one of ``KINDS``; ``times_s`` makes its rate variable.

    ``extra_tracks`` are further video streams with the same pictures.
    """
    form, codec, pixel_format = KINDS[kind]
    packed = io.BytesIO()
    with av.open(packed, "w", format=form, options=dict(container_options or {})) as container:
        first = next(pictures)
        tracks = [
            _track(container, codec, pixel_format, rate, first, options)
            for _ in range(1 + extra_tracks)
        ]
        if has_sound:
            add_silence(container)
        for number, picture in enumerate(_with(first, pictures)):
            for track in tracks:
                frame = VideoFrame.from_ndarray(picture, format="rgb24")
                if times_s is not None:
                    frame.pts = round(times_s[number] * 1000)
                    frame.time_base = Fraction(1, 1000)
                container.mux(track.encode(frame))
        for track in tracks:
            container.mux(track.encode(None))
    return packed.getvalue()


def add_silence(container: OutputContainer) -> None:
    """Add an audio stream of an eighth of a second."""
    sound = container.add_stream("aac", rate=8000)
    silence = AudioFrame(format="fltp", layout="mono", samples=1024)
    silence.sample_rate = 8000
    for plane in silence.planes:
        plane.update(bytes(plane.buffer_size))
    container.mux(sound.encode(silence))
    container.mux(sound.encode(None))


def _track(
    container: OutputContainer,
    codec: str,
    pixel_format: str,
    rate: float,
    first: Pixels,
    options: Mapping[str, str] | None,
) -> VideoStream:
    stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = pixel_format
    stream.codec_context.thread_count = 1
    stream.options = {**QUICK.get(codec, {}), **(options or {})}
    return stream


def _with(first: Pixels, others: Iterator[Pixels]) -> Iterator[Pixels]:
    yield first
    yield from others


@cache
def make_video(
    kind: str = "h264.mp4",
    *,
    seeds: tuple[int, ...] = (1, 2, 3),
    seconds: float = 4,
    rate: float = 25,
    width: int = 320,
    height: int = 240,
    has_sound: bool = False,
) -> bytes:
    """Return a video of one of ``KINDS`` that shows each of ``seeds`` for an equal time."""
    pictures = scenes(seeds, frames=round(seconds * rate), width=width, height=height)
    return encode(pictures, kind, rate=rate, has_sound=has_sound)


def turned(video: bytes, a: int, b: int, c: int, d: int) -> bytes:
    """Return an MP4 or MOV whose first track's display matrix is another (14496-12 8.3.2)."""
    at = video.index(b"tkhd") + 4
    at += 40 if video[at] == 0 else 52
    one = 1 << 16
    matrix = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    return video[:at] + matrix + video[at + len(matrix) :]


def main(directory: str) -> None:
    """Write one video of each kind into ``directory``."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        (folder / kind).write_bytes(make_video(kind))


if __name__ == "__main__":
    main(sys.argv[1])
