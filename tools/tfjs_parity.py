"""Whether the converted model gives what TensorFlow.js gives, for one fixed input.

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

INPUT_SHAPE = (1, 256, 256, 3)
TOLERANCE = 1e-3
"""Of values up to 563; float32 sums in another order differ by up to 6e-4."""

STRIDE = 29
"""Every so many-th value is kept as reference."""

Values = dict[str, NDArray[np.float64]]


def fixed_input() -> NDArray[np.float32]:
    """Return the input of the comparison, in [-1, 1); tfjs_outputs.js makes the same."""
    count = np.arange(1, np.prod(INPUT_SHAPE) + 1, dtype=np.uint32)
    mixed = (count * np.uint32(2654435761)) >> np.uint32(8)
    return (mixed.astype(np.float64) / 2**23 - 1).astype(np.float32).reshape(INPUT_SHAPE)


def largest_difference(model: bytes, wanted: Values, *, stride: int) -> float:
    """Return the largest difference of the model's outputs, flattened, from ``wanted``."""
    session = Session(model, where="the converted model")
    given = session.run("input", fixed_input(), list(wanted))
    differences = [
        np.abs(output.reshape(-1)[::stride].astype(np.float64) - values).max()
        for output, values in zip(given, wanted.values(), strict=True)
    ]
    return float(max(differences))


def check(model: bytes) -> float:
    """Compare with the kept values and return the largest difference.

    Raises:
        BuildError: It is above the tolerance.
    """
    kept = json.loads(REFERENCE.read_text(encoding="utf-8"))
    wanted = {name: np.array(values) for name, values in kept["outputs"].items()}
    return _require(largest_difference(model, wanted, stride=kept["stride"]))


def verify(
    model: bytes, *, description: bytes, weights: bytes, outputs: dict[str, list[str]]
) -> tuple[float, Values]:
    """Have TensorFlow.js compute the outputs; return the largest difference and the outputs.

    Raises:
        BuildError: Node is missing or fails, or the difference is above the tolerance.
    """
    if shutil.which("node") is None:
        raise BuildError("--verify runs TensorFlow.js: install Node 18 or newer first")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (library,) = parts(TFJS, fetch(TFJS, folder), (LIBRARY,))
        files = {"tf.js": library, "model.json": description, "weights.bin": weights}
        for file, content in files.items():
            (folder / file).write_bytes(content)
        nodes = [node for joined in outputs.values() for node in joined]
        command = ["node", str(SCRIPT), *(str(folder / file) for file in files), *nodes]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildError(f"TensorFlow.js failed:\n{done.stderr.strip()}")
    given: dict[str, Any] = json.loads(done.stdout)["outputs"]
    wanted = {
        output: np.concatenate(
            [np.array(given[one]["values"]).reshape(given[one]["shape"]) for one in joined],
            axis=1,
        ).reshape(-1)
        for output, joined in outputs.items()
    }
    return _require(largest_difference(model, wanted, stride=1)), wanted


def keep(outputs: Values) -> None:
    """Write the reference that later builds compare with."""
    kept = {
        name: [float(f"{one:.7g}") for one in values[::STRIDE]]
        for name, values in outputs.items()
    }
    raw = {"made_by": TFJS.address, "stride": STRIDE, "outputs": kept}
    REFERENCE.write_text(json.dumps(raw) + "\n", encoding="utf-8")


def _require(difference: float) -> float:
    if not difference <= TOLERANCE:
        raise BuildError(
            f"the converted face model is off by {difference:.2g} from TensorFlow.js "
            f"(at most {TOLERANCE:g}): tools/tfjs_graph.py or an onnxruntime release is wrong"
        )
    return difference
