"""Whether the converted model gives what TensorFlow.js gives, for a few benign inputs.

Each build compares with values that are kept in tfjs_reference.json. `--verify` has
TensorFlow.js 4.22.0 compute them anew, which needs Node.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protech.models.runtime import Session
from tools.model_sources import TFJS, BuildError, Part, fetch, parts

REFERENCE = Path(__file__).with_name("tfjs_reference.json")
SCRIPT = Path(__file__).with_name("tfjs_outputs.js")
LIBRARY = Part(
    path="package/dist/tf.min.js",
    sha256="300dfae273d20b4046f46a06d735688f03675a807561e9bcb5f664eb2f3d2831",
)

SIDE_PX = 256
TOLERANCE = 1e-3
RELATIVE = 2e-6
"""Logits of noise reach -563; float32 sums in another order differ by a share of that."""

STRIDE = 29
"""Every so many-th value is kept as reference."""

Array = NDArray[np.float32]
Values = dict[str, NDArray[np.float64]]


def inputs() -> dict[str, Array]:
    """Return the inputs of the comparison, (1, 256, 256, 3) in [-1, 1], made by formula.

    Noise, a soft landscape, and a schematic face drawn of ellipses, on which BlazeFace fires.
    """
    y, x = np.indices((SIDE_PX, SIDE_PX)) / (SIDE_PX - 1)
    count = np.arange(1, SIDE_PX**2 * 3 + 1, dtype=np.uint32)
    noise = ((count * np.uint32(2654435761)) >> np.uint32(8)).astype(np.float64) / 2**23 - 1
    hills = 0.55 + 0.1 * np.sin(9 * x) + 0.05 * np.sin(23 * x + 1)
    ground = np.stack([0.3 * y, 0.5 * y, 0.1 + 0.1 * np.sin(40 * x * y)], axis=-1)
    sky = np.stack([0.4 + 0.2 * y, 0.6 + 0.1 * y, 0.9 - 0.1 * x], axis=-1)
    landscape = np.where((y > hills)[..., np.newaxis], ground, sky) * 2 - 1
    made = {
        "noise": noise.reshape(SIDE_PX, SIDE_PX, 3),
        "landscape": landscape,
        "drawing": drawing().astype(np.float64) / 127.5 - 1,
    }
    return {name: values.astype(np.float32)[np.newaxis] for name, values in made.items()}


def drawing() -> NDArray[np.uint8]:
    """Return a schematic face, (256, 256, 3) uint8; the eyes are at (105, 125), (151, 125)."""
    y, x = np.indices((SIDE_PX, SIDE_PX), dtype=np.float64)
    picture = np.empty((SIDE_PX, SIDE_PX, 3))
    picture[:] = 90, 120, 150
    skin, dark, white, lips = (205, 160, 130), (60, 45, 35), (240, 240, 240), (170, 80, 80)
    eyes = [(105, 125), (151, 125)]
    ellipses = [(128, 118, 65, 82, dark), (128, 135, 56, 75, skin), (128, 177, 23, 7, lips)]
    ellipses += [(128, 148, 7, 10, (174, 136, 110))]
    for left, top in eyes:
        ellipses += [(left, top, 13, 7, white), (left, top, 6, 6, dark)]
        ellipses += [(left, top - 15, 15, 3, dark)]
    for left, top, width, height, colour in ellipses:
        edge = 1 - np.hypot((x - left) / width, (y - top) / height)
        cover = np.clip(edge * min(width, height) / 2 + 0.5, 0, 1)[..., np.newaxis]
        picture = picture * (1 - cover) + np.array(colour) * cover
    return picture.round().astype(np.uint8)


def differences(model: bytes, wanted: dict[str, Values], *, stride: int) -> dict[str, float]:
    """Return for each input the largest difference of any output from ``wanted``.

    Raises:
        BuildError: One is beyond the tolerance.
    """
    session = Session(model, where="the converted model")
    found: dict[str, float] = {}
    for name, values in inputs().items():
        given = session.run("input", values, list(wanted[name]))
        for output, expected in zip(given, wanted[name].values(), strict=True):
            off = np.abs(output.reshape(-1)[::stride] - expected)
            if not (off <= TOLERANCE + RELATIVE * np.abs(expected)).all():
                raise BuildError(
                    f"the converted face model is off by {off.max():.2g} from TensorFlow.js: "
                    "tools/tfjs_graph.py or this release of onnxruntime is wrong"
                )
            found[name] = max(found.get(name, 0.0), float(off.max()))
    return found


def check(model: bytes) -> dict[str, float]:
    """Compare with the kept values and return the largest difference for each input.

    Raises:
        BuildError: One is beyond the tolerance.
    """
    kept = json.loads(REFERENCE.read_text(encoding="utf-8"))
    wanted = {
        name: {output: np.array(values) for output, values in outputs.items()}
        for name, outputs in kept["outputs"].items()
    }
    return differences(model, wanted, stride=kept["stride"])


def verify(
    model: bytes, *, description: bytes, weights: bytes, outputs: dict[str, list[str]]
) -> dict[str, float]:
    """Have TensorFlow.js compute the outputs, compare them all, and keep some as reference.

    Raises:
        BuildError: Node is missing or fails, or a difference is beyond the tolerance.
    """
    if shutil.which("node") is None:
        raise BuildError("--verify runs TensorFlow.js: install Node 18 or newer first")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (library,) = parts(TFJS, fetch(TFJS, folder), (LIBRARY,))
        tensors = b"".join(one.tobytes() for one in inputs().values())
        files = {
            "tf.js": library,
            "model.json": description,
            "weights.bin": weights,
            "inputs.bin": tensors,
        }
        for file, content in files.items():
            (folder / file).write_bytes(content)
        nodes = [node for joined in outputs.values() for node in joined]
        command = ["node", str(SCRIPT), *(str(folder / file) for file in files), *nodes]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildError(f"TensorFlow.js failed:\n{done.stderr.strip()}")
    answers = json.loads(done.stdout)
    wanted = {
        name: {output: _joined(answer, joined) for output, joined in outputs.items()}
        for name, answer in zip(inputs(), answers, strict=True)
    }
    found = differences(model, wanted, stride=1)
    _keep(wanted)
    return found


def _joined(answer: dict[str, Any], nodes: list[str]) -> NDArray[np.float64]:
    tensors = [np.array(answer[one]["values"]).reshape(answer[one]["shape"]) for one in nodes]
    return np.concatenate(tensors, axis=1).reshape(-1)


def _keep(wanted: dict[str, Values]) -> None:
    kept = {
        name: {
            output: [float(f"{one:.8g}") for one in values[::STRIDE]]
            for output, values in outputs.items()
        }
        for name, outputs in wanted.items()
    }
    raw = {"made_by": TFJS.address, "stride": STRIDE, "outputs": kept}
    REFERENCE.write_text(json.dumps(raw) + "\n", encoding="utf-8")
