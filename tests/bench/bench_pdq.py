"""PDQ: from JPEG bytes and from pixels, against its peers and against the decoder's floor.

One thread each, as in a worker. The photos are painted from seeds: 4000 x 3000 and 1440 x 1120.
Fidelity is of painted ones, too, or of the photographs below the directory that the environment
variable PROTECH_BENCH_PHOTOS names: each whole, and its regions of 1024 pixels and more.
``floor_12mp`` is the peer's 1/8-scale gray decode of the same file, the least that any hash of
it could cost; the goal is a ratio of 0.714 or more (1.4 times the floor).
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy loads, as workers do

import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import pdqhash
import simplejpeg
from PIL import Image

from protech.salus.decode import decode, preload
from protech.salus.frames import Pixels
from protech.salus.pdq import pdq
from protech.salus.sniff import MediaType
from protech.types import Limits, PdqHash
from tests.bench.frame import Peer, Row, in_turn, main, row
from tests.make_data import encode, make_noise, make_photo

QUALITY_FLOOR = 50
FIDELITY_PHOTOS = 500
MODES = ((1100, 825), (1300, 980), (1280, 1280), (825, 1100), (1600, 1060))
"""Sizes of the fidelity photos; all are decoded at a smaller scale than they are stored in."""
REGION_PX = 1024
"""The shortest side that is decoded at a smaller scale, but for one pixel."""


@cache
def _jpeg(width_px: int, height_px: int) -> bytes:
    return encode(make_photo(1, width_px, height_px), "JPEG", quality=90)


def _ours(data: bytes) -> PdqHash:
    (frame,) = decode(data, media_type=MediaType.JPEG, limits=Limits()).forms
    return pdq(frame.displayed, full_size=frame.full_size)


def _whole(data: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _theirs(data: bytes) -> tuple[np.ndarray, int]:
    """Hash as threatexchange's PDQ signal does: Pillow, then pdqhash of all pixels."""
    return pdqhash.compute(_whole(data))  # type: ignore[no-any-return]


def _threatexchange(data: bytes) -> object:
    from threatexchange.signal_type.pdq.pdq_hasher import pdq_from_bytes

    return pdq_from_bytes(data)


def _against_threatexchange(metric: str, data: bytes, rounds: int) -> Row:
    try:
        _threatexchange(data)
    except ImportError:
        peer = Peer.package("pdqhash", what="after Pillow (threatexchange is not installed)")
        ours, theirs = in_turn(lambda: _ours(data), lambda: _theirs(data), rounds=rounds)
    else:
        peer = Peer.package("threatexchange")
        ours, theirs = in_turn(
            lambda: _ours(data), lambda: _threatexchange(data), rounds=rounds
        )
    return row("pdq", metric, unit="ms", ours=ours, theirs=theirs, peer=peer)


def jpeg_12mp() -> Row:
    """JPEG bytes to hash, 12 megapixels."""
    return _against_threatexchange("jpeg_12mp", _jpeg(4000, 3000), 9)


def jpeg_1_6mp() -> Row:
    """JPEG bytes to hash, 1.6 megapixels."""
    return _against_threatexchange("jpeg_1_6mp", _jpeg(1440, 1120), 25)


def floor_12mp() -> Row:
    """JPEG bytes to hash against the 1/8-scale decode of the same file."""
    data = _jpeg(4000, 3000)
    ours, theirs = in_turn(
        lambda: _ours(data),
        lambda: simplejpeg.decode_jpeg(data, colorspace="GRAY", min_factor=8),
        rounds=25,
    )
    peer = Peer.package("simplejpeg", what="1/8-scale gray decode")
    return row("pdq", "floor_12mp", unit="ms", ours=ours, theirs=theirs, peer=peer)


def array_12mp() -> Row:
    """Pixels to hash, 12 megapixels."""
    pixels = _whole(_jpeg(4000, 3000))
    ours, theirs = in_turn(lambda: pdq(pixels), lambda: pdqhash.compute(pixels), rounds=9)
    peer = Peer.package("pdqhash")
    return row("pdq", "array_12mp", unit="ms", ours=ours, theirs=theirs, peer=peer)


def array_bits_off() -> Row:
    """Bits that differ from the reference on the same pixels, the most of any picture."""
    random = np.random.default_rng(7)
    off = []
    for seed in range(300):
        height_px, width_px = (int(side) for side in random.integers(16, 700, 2))
        make = make_noise if seed % 3 == 0 else make_photo
        off.append(_bits_off(make(seed, width_px, height_px)))
    peer = Peer.package("pdqhash")
    return row("pdq", "array_bits_off", unit="bits", ours=[max(off)], peer=peer)


def _bits_off(pixels: Pixels) -> int:
    vector, _ = pdqhash.compute(pixels)
    return _distance_bits(pdq(pixels), vector)


def _distance_bits(ours: PdqHash, vector: np.ndarray) -> int:
    reference = int.from_bytes(np.packbits(vector).tobytes())
    return (int.from_bytes(ours.bits) ^ reference).bit_count()


@cache
def _fidelity() -> list[float]:
    """Return bits from our hash of the scaled photo to the reference's of all its pixels."""
    distances = []
    for data in map(_encoded, count(), _photos()):
        vector, quality = _theirs(data)
        if quality >= QUALITY_FLOOR:
            distances.append(float(_distance_bits(_ours(data), vector)))
    return distances


def _encoded(at: int, photo: Pixels) -> bytes:
    options = {
        "progressive": bool(at % 4 == 0),
        "subsampling": ("4:2:0", "4:4:4")[at % 2],
    }
    return encode(photo, "JPEG", quality=(70, 85, 95)[at % 3], **options)


def _photos() -> Iterator[Pixels]:
    directory = os.environ.get("PROTECH_BENCH_PHOTOS")
    if directory is None:
        for seed in range(FIDELITY_PHOTOS):
            yield make_photo(seed, *MODES[seed % len(MODES)])
        return
    for path in sorted(Path(directory).rglob("*.jpg")):
        with Image.open(path) as image:
            photo = np.asarray(image.convert("RGB"))
        if min(photo.shape[:2]) >= REGION_PX:
            yield photo
            yield from _regions(photo)


def _regions(photo: Pixels) -> Iterator[Pixels]:
    """Yield parts that do not overlap, where there is more than one."""
    across, down = (side // REGION_PX for side in photo.shape[1::-1])
    if across * down > 1:
        for rows in np.array_split(photo, down, axis=0):
            for part in np.array_split(rows, across, axis=1):
                yield np.ascontiguousarray(part)


def fidelity_p95_bits() -> Row:
    """The 95th percentile of those bits."""
    return _fidelity_row("fidelity_p95_bits", 95)


def fidelity_max_bits() -> Row:
    """The most of those bits."""
    return _fidelity_row("fidelity_max_bits", 100)


def _fidelity_row(metric: str, percentile: float) -> Row:
    peer = Peer.package("pdqhash", what="of all pixels")
    off = _fidelity()
    measured = row("pdq", metric, unit="bits", ours=off, peer=peer)
    return replace(measured, ours=float(np.percentile(off, percentile)), low=None, high=None)


METRICS = {
    metric.__name__: metric
    for metric in (
        jpeg_12mp,
        jpeg_1_6mp,
        floor_12mp,
        array_12mp,
        array_bits_off,
        fidelity_p95_bits,
        fidelity_max_bits,
    )
}

if __name__ == "__main__":
    preload()
    sys.exit(main(METRICS))
