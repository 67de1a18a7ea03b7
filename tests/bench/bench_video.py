"""Videos: hashing against vpdq, and what looking at keyframes alone would miss.

Ours runs on one thread, as in a worker; vpdq as it comes, with a hashing thread for each
processor. Both are timed inside their own process, from the open file to the last hash, in
turn.

``vpdq_max_bits`` is of all frames of quality >= 50 of every kind of video that can be encoded
here. ``keyframe_recall`` is the share of edited films that are still told: the list holds what
vpdq gives for the film at one frame a second, the query is what keyframes give for its edited
copy; told is what meets the policy's percentages. ``theirs`` is the same with vpdq's frames of
the copy. The films are painted, their cameras move between not at all and by a whole picture a
scene; what share of real films moves how fast is not known here.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy loads, as workers do

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from protech.salus.frames import Pixels
from protech.salus.measure import Meter
from protech.salus.policy import TRIAGE
from protech.salus.sampling import Sampling
from protech.salus.seekable import OnDisk
from protech.salus.sniff import sniff
from protech.salus.vpdq import percentages
from protech.types import Frame, Limits, PdqHash
from tests import peers
from tests.bench.frame import Peer, Row, main, row, share
from tests.make_video import KINDS, encode, make_video, scenes
from tests.peers import VPDQ_VERSION, VpdqFrame
from tools.peers import main as make_peers

QUALITY_FLOOR = 50
ROUNDS = 5
FILM_SECONDS, FILM_RATE = 20, 25
"""At 1920 x 1080, 5 Mbit/s; a keyframe at least every ten seconds, as x264 does."""
GRAIN = 4
"""Deviation of the noise of a camera, in levels."""

PANS = (0.0, 0.05, 0.2, 1.0)
FILMS_OF_EACH = 5
EDITED_SECONDS = 12

VPDQ = Peer(name="vpdq", version=VPDQ_VERSION)
METER = Meter(limits=Limits())
FOLDER = tempfile.TemporaryDirectory(prefix="protech-bench-")

Edit = Callable[[Iterator[Pixels]], bytes]


def _grainy(pictures: Iterator[Pixels]) -> Iterator[Pixels]:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, GRAIN, (1200, 2200, 1)).astype(np.int16)
    for picture in pictures:
        height, width = picture.shape[:2]
        down, left = rng.integers(0, 100, 2)
        grain = noise[down : down + height, left : left + width]
        yield np.clip(picture + grain, 0, 255).astype(np.uint8)


@cache
def _film() -> Path:
    frames = FILM_SECONDS * FILM_RATE
    pictures = scenes((1, 2, 3, 4), frames=frames, width=1920, height=1080, pan=0.3)
    options = {"b": "5000000", "preset": "veryfast"}
    path = Path(FOLDER.name, "film.mp4")
    path.write_bytes(encode(_grainy(pictures), rate=FILM_RATE, options=options))
    return path


def _ours(path: Path, sampling: Sampling) -> tuple[float, tuple[Frame, ...]]:
    begin = time.perf_counter()
    with path.open("rb") as file:
        size_bytes = path.stat().st_size
        source = OnDisk(file.fileno(), size_bytes=size_bytes)
        head = source.at(0, min(4096, size_bytes))
        frames = METER.video(source, media_type=sniff(head), sampling=sampling).frames
    return time.perf_counter() - begin, frames


def _speed(metric: str, sampling: Sampling, seconds_per_hash: float) -> Row:
    path = _film()
    ours: list[float] = []
    theirs: list[float] = []
    for turn in range(ROUNDS + 1):
        for is_ours in (True, False) if turn % 2 else (False, True):
            if is_ours:
                seconds, _ = _ours(path, sampling)
            else:
                ((seconds, _),) = peers.vpdq([path], seconds_per_hash=seconds_per_hash)
            if turn:  # the first warms up
                (ours if is_ours else theirs).append(FILM_SECONDS / seconds)
    return row(
        "video",
        metric,
        unit="x realtime",
        ours=ours,
        theirs=theirs,
        peer=VPDQ,
        is_less_better=False,
    )


def vpdq_every_frame() -> Row:
    """Hash every frame of a film of 1920 x 1080."""
    return _speed("vpdq_every_frame", Sampling.EVERY_FRAME, 0)


def vpdq_1fps() -> Row:
    """Hash one frame a second of the same film."""
    return _speed("vpdq_1fps", Sampling.PER_SECOND, 1)


def vpdq_max_bits() -> Row:
    """Compare hashes with those of vpdq, frame by frame, of every kind of video."""
    paths = [_film(), *(_written(kind, make_video(kind, seeds=(1, 4, 9))) for kind in KINDS)]
    bits: list[float] = []
    for path, (_, theirs) in zip(paths, peers.vpdq(paths, seconds_per_hash=0), strict=True):
        _, frames = _ours(path, Sampling.EVERY_FRAME)
        for frame, (_, quality, hashed) in zip(frames, theirs, strict=True):
            if quality >= QUALITY_FLOOR:
                differing = int.from_bytes(frame.hashes[0].bits) ^ int(hashed, 16)
                bits.append(differing.bit_count())
    measured = row("video", "vpdq_max_bits", unit="bits", ours=bits, peer=VPDQ)
    return replace(measured, ours=max(bits), low=None, high=None)


def _written(name: str, video: bytes) -> Path:
    path = Path(FOLDER.name, name)
    path.write_bytes(video)
    return path


# ---- keyframes -------------------------------------------------------------------------------


def _half(pictures: Iterator[Pixels]) -> Iterator[Pixels]:
    for picture in pictures:
        quarters = picture.reshape(picture.shape[0] // 2, 2, picture.shape[1] // 2, 2, 3)
        yield quarters.mean(axis=(1, 3)).astype(np.uint8)


def _slower(pictures: Iterator[Pixels]) -> Iterator[Pixels]:
    return (picture for number, picture in enumerate(pictures) if number % 2 == 0)


EDITS: Mapping[str, Edit] = {
    "the same film": lambda film: encode(film, "h264.mp4"),
    "encoded again, poorer": lambda film: encode(film, "h264.mp4", options={"crf": "36"}),
    "in another codec": lambda film: encode(film, "vp9.webm"),
    "with keyframes every two seconds": lambda film: encode(
        film, "h264.ts", options={"g": "50", "sc_threshold": "0"}
    ),
    "half the size": lambda film: encode(_half(film), "h264.mp4"),
    "without its first seconds": lambda film: encode(_without(film, 40), "h264.mp4"),
    "half the rate": lambda film: encode(_slower(film), "mpeg4.avi", rate=FILM_RATE / 2),
}
"""Everyday edits; the list is fixed."""


def _without(pictures: Iterator[Pixels], count: int) -> Iterator[Pixels]:
    for _ in range(count):
        next(pictures)
    return pictures


def _pictures(film: int, pan: float) -> Iterator[Pixels]:
    rng = np.random.default_rng(film)
    seeds = [int(seed) for seed in rng.integers(0, 1000, 4 + film % 3)]
    frames = EDITED_SECONDS * FILM_RATE
    return scenes(seeds, frames=frames, width=320, height=240, pan=pan)


def _hashes(frames: list[VpdqFrame]) -> list[PdqHash]:
    return [
        PdqHash(bits=bytes.fromhex(hashed), quality=quality) for _, quality, hashed in frames
    ]


def _is_told(query: list[PdqHash], known: list[PdqHash]) -> bool:
    query_percent, known_percent = percentages(query, known)
    return query_percent >= TRIAGE.vpdq_query_percent and (
        known_percent > TRIAGE.vpdq_known_percent
    )


def keyframe_recall() -> Row:
    """Look for edited films in a list of the films themselves, by their keyframes alone."""
    films = [(film, pan) for pan in PANS for film in range(FILMS_OF_EACH)]
    originals = [
        _written(f"{film}-{pan}.mp4", encode(_pictures(film, pan), options={"crf": "20"}))
        for film, pan in films
    ]
    listed = [_hashes(frames) for _, frames in peers.vpdq(originals, seconds_per_hash=1)]
    ours = theirs = 0
    for edit, change in EDITS.items():
        copies = [
            _written(f"{edit}-{film}-{pan}", change(_pictures(film, pan)))
            for film, pan in films
        ]
        answers = peers.vpdq(copies, seconds_per_hash=1)
        told = [0, 0]
        for copy, known, (_, frames) in zip(copies, listed, answers, strict=True):
            _, keyframes = _ours(copy, Sampling.KEYFRAMES)
            told[0] += _is_told([frame.hashes[0] for frame in keyframes], known)
            told[1] += _is_told(_hashes(frames), known)
        _say(f"{edit}: keyframes {told[0]}, one a second {told[1]}, of {len(films)}")
        ours, theirs = ours + told[0], theirs + told[1]
    count = len(films) * len(EDITS)
    return share(
        "video", "keyframe_recall", hits=ours, of=count, theirs=theirs / count, peer=VPDQ
    )


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


METRICS = {
    metric.__name__: metric
    for metric in (vpdq_every_frame, vpdq_1fps, vpdq_max_bits, keyframe_recall)
}

if __name__ == "__main__":
    sys.exit(make_peers() or main(METRICS))
