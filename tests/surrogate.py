"""Surrogate models: they fire on a printed test pattern and on nothing else.

``make_surrogate(directory)`` writes models and cards as tools/build_models.py would, so that
``--models DIR`` takes them through the same door. ``paint_pattern`` prints the pattern onto a
picture; its variants lead to the rules classified, adult_filter (and to allow without the
filter) and, twice, unsure.
"""

import hashlib
from pathlib import Path

import numpy as np
import onnx

from protech.models.card import (
    AgeHead,
    AgePoint,
    AnchorGrid,
    AnyCard,
    Card,
    Channels,
    ExplicitHead,
    ExplicitPoint,
    FaceHead,
    Input,
    Layout,
    Task,
    card_text,
)
from tests.pattern import (
    EITHER_WAY,
    INNER,
    INNER_MASK,
    RING_MASK,
    Array,
    Variant,
    paint_pattern,
    pattern,
)
from tests.surrogate_graph import GraphBuilder

__all__ = ["Variant", "make_surrogate", "paint_pattern"]

SOFTNESS = 4.0
"""Levels for one unit of logit."""

MEAN_AGES = (10.0, 60.0)
CALIBRATION = "surrogate for tests; nothing was measured"


def make_surrogate(directory: Path) -> Path:
    """Write the three surrogate models with their cards into ``directory`` and return it."""
    for model, card in (_explicit(), _face(), _age()):
        place = directory / card.task
        place.mkdir(parents=True, exist_ok=True)
        content = model.SerializeToString()
        digest = hashlib.sha256(content).hexdigest()
        (place / card.file).write_bytes(content)
        text = card_text(card).replace("0" * 64, digest)
        (place / "card.json").write_text(text, encoding="utf-8")
    return directory


def _explicit() -> tuple[onnx.ModelProto, AnyCard]:
    """Fires on the ring of the pattern, either way up; fed like open_nsfw: BGR, NHWC, 224."""
    graph, mean = GraphBuilder(), (104.0, 117.0, 123.0)
    planes = graph.add("Transpose", "input", perm=[0, 3, 1, 2])
    levels = graph.add("Add", planes, graph.constant(np.array(mean).reshape(1, 3, 1, 1)))
    blocks = graph.blocks(levels, side_px=224)
    fit = graph.margin(blocks, pattern(Variant.MINOR)[..., ::-1], EITHER_WAY)
    logit = graph.add("Div", fit, graph.constant(np.array(SOFTNESS)))
    yes = graph.add("Sigmoid", logit)
    no = graph.add("Sub", graph.constant(np.array(1.0)), yes)
    graph.add("Concat", no, yes, output="outputs", axis=1)
    point = ExplicitPoint(explicit=0.5, calibration=CALIBRATION)
    low = ExplicitPoint(explicit=0.2, calibration=CALIBRATION)
    head = ExplicitHead(
        output="outputs", index=1, points={"guard": point, "messaging": point, "triage": low}
    )
    spec = Input(
        name="input",
        layout=Layout.NHWC,
        channels=Channels.BGR,
        mean=mean,
        scale=1.0,
        size_px=224,
        resize_px=256,
    )
    model = graph.model("input", [1, 224, 224, 3], {"outputs": [1, 2]})
    return model, _card(Task.EXPLICIT, spec, head)


def _face() -> tuple[onnx.ModelProto, AnyCard]:
    """One face over the inner blocks, if its colour is a person's and the pattern is upright.

    The second anchor is the same face 8 pixels wide: too small to judge.
    """
    graph = GraphBuilder()
    planes = graph.add("Transpose", "input", perm=[0, 3, 1, 2])
    scaled = graph.add("Mul", planes, graph.constant(np.array(127.5)))
    levels = graph.add("Add", scaled, graph.constant(np.array(127.5)))
    blocks = graph.blocks(levels, side_px=256)
    ring = graph.margin(blocks, pattern(Variant.MINOR), RING_MASK)
    minor, adult, tiny = (
        graph.margin(blocks, pattern(one), INNER_MASK)
        for one in (Variant.MINOR, Variant.ADULT, Variant.TINY)
    )
    large = graph.add("Min", ring, graph.add("Max", minor, adult))
    small = graph.add("Min", ring, tiny)
    margins = graph.add("Concat", large, small, axis=1)
    logits = graph.add("Div", margins, graph.constant(np.array(SOFTNESS)))
    shape = graph.constant(np.array([1, 2, 1]))
    graph.add("Reshape", logits, shape, output="scores")
    graph.add("Identity", graph.constant(_boxes()), output="boxes")
    head = FaceHead(
        scores="scores",
        boxes="boxes",
        anchors=(AnchorGrid(cells=1, per_cell=2),),
        threshold=0.5,
        overlap=0.3,
        tiles=2,
        tile_overlap=0.2,
        is_turned=True,
        max_stretch=1.5,
        max_faces=64,
    )
    spec = Input(
        name="input",
        layout=Layout.NHWC,
        channels=Channels.RGB,
        mean=(127.5, 127.5, 127.5),
        scale=1 / 127.5,
        size_px=256,
        resize_px=256,
    )
    outputs = {"scores": [1, 2, 1], "boxes": [1, 2, 16]}
    return graph.model("input", [1, 256, 256, 3], outputs), _card(Task.FACE, spec, head)


def _boxes() -> Array:
    # Eyes 18 pixels apart, 10 above the middle: the chip is the inner 48 of the 64 pixels.
    face = [0, 0, 64, 64, -9, -10, 9, -10, *[0] * 8]
    tiny = [0, 0, 8, 8, -1, -1, 1, -1, *[0] * 8]
    return np.array([[face, tiny]], dtype=np.float32)


def _age() -> tuple[onnx.ModelProto, AnyCard]:
    """Ten years where the chip has the colour of MINOR, sixty where it has that of ADULT."""
    graph, mean = GraphBuilder(), (122.782, 117.001, 104.298)
    scaled = graph.add("Mul", "images", graph.constant(np.array(256.0)))
    levels = graph.add("Add", scaled, graph.constant(np.array(mean).reshape(1, 3, 1, 1)))
    colour = graph.add("GlobalAveragePool", levels)
    far: list[str] = []
    for variant in (Variant.MINOR, Variant.ADULT):
        wanted = graph.constant(np.array(INNER[variant], dtype=np.float32).reshape(1, 3, 1, 1))
        difference = graph.add("Abs", graph.add("Sub", colour, wanted))
        axes = graph.constant(np.array([1, 2, 3]))
        summed = graph.add("ReduceSum", difference, axes, keepdims=0)
        far.append(graph.add("Reshape", summed, graph.constant(np.array([1, 1]))))
    both = graph.add("Concat", *far, axis=1)
    logits = graph.add("Div", both, graph.constant(np.array(-8.0)))
    graph.add("Softmax", logits, output="probabilities", axis=1)
    point = AgePoint(minor_to_years=26.1, adult_from_years=30.7, calibration=CALIBRATION)
    head = AgeHead(
        output="probabilities",
        ages=MEAN_AGES,
        eyes=((0.2273, 0.2214), (0.7528, 0.2212)),
        padding=0.2,
        min_face_px=32,
        centre_years=21.1,
        scale_years=3.0,
        points={"guard": point, "messaging": point, "triage": point},
    )
    spec = Input(
        name="images",
        layout=Layout.NCHW,
        channels=Channels.RGB,
        mean=mean,
        scale=1 / 256,
        size_px=64,
        resize_px=64,
    )
    model = graph.model("images", [1, 3, 64, 64], {"probabilities": [1, 2]})
    return model, _card(Task.AGE, spec, head)


def _card[Head](task: Task, spec: Input, head: Head) -> Card[Head]:
    return Card(
        task=task,
        id=f"surrogate-{task}",
        file="model.onnx",
        sha256="0" * 64,
        licence="Apache-2.0",
        source="tests/surrogate.py",
        date="2026-11-23",
        input=spec,
        head=head,
    )
