"""A TensorFlow.js graph model into ONNX, for the few operators that BlazeFace is made of.

Needs numpy and onnx only. TensorFlow keeps images as NHWC, ONNX convolutions take NCHW: every
tensor of four axes is held as NCHW in between, and a Reshape turns it back first.
Source: the tfjs-converter's model.json; tensorflow/core/ops/nn_ops.cc for the attributes.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
IR_VERSION = 9
TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
TYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "int32": np.dtype("<i4")}

Node = dict[str, Any]


class UnknownGraphError(ValueError):
    """The graph has something that this converter was not made for."""


def read_weights(model: dict[str, Any], content: bytes) -> dict[str, NDArray[Any]]:
    """Return the tensors of a weights file by name.

    Raises:
        UnknownGraphError: They are quantised to another type, or the file has another length.
    """
    weights: dict[str, NDArray[Any]] = {}
    at = 0
    for group in model["weightsManifest"]:
        for entry in group["weights"]:
            kept = TYPES[entry["dtype"]]
            stored: np.dtype[Any] = kept
            if "quantization" in entry:
                if entry["quantization"]["dtype"] != "float16":
                    raise UnknownGraphError(
                        "weights are quantised to another type than float16"
                    )
                stored = np.dtype("<f2")
            count = int(np.prod(entry["shape"], dtype=np.int64))
            values = np.frombuffer(content, dtype=stored, count=count, offset=at)
            weights[entry["name"]] = values.astype(kept).reshape(entry["shape"])
            at += values.nbytes
    if at != len(content):
        raise UnknownGraphError("the weights file has another length than its description")
    return weights


class Converter:
    """Turns one graph into ONNX; ``convert`` is called once."""

    def __init__(self, model: dict[str, Any], weights: dict[str, NDArray[Any]]) -> None:
        """Take the parsed model.json and its weights."""
        self._graph: list[Node] = model["modelTopology"]["node"]
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._sizes: dict[str, tuple[int, ...]] = {}
        self._names: dict[str, str] = {}
        self._given = ""

    def convert(self, outputs: dict[str, list[str]]) -> bytes:
        """Return the ONNX file; each of ``outputs`` joins nodes of the graph along axis 1.

        Raises:
            UnknownGraphError: An operator or attribute is not one of BlazeFace's.
        """
        steps: dict[str, Callable[[Node], None]] = {
            "Placeholder": self._placeholder,
            "_FusedConv2D": self._convolution,
            "DepthwiseConv2dNative": self._convolution,
            "AddV2": self._sum,
            "Relu": self._relu,
            "MaxPool": self._pool,
            "Pad": self._pad,
            "Reshape": self._reshape,
            "Identity": self._identity,
        }
        for node in self._graph:
            operator = node["op"]
            if operator == "Const":
                continue
            if operator not in steps:
                raise UnknownGraphError(f"operator {operator} is not known")
            steps[operator](node)
        return self._model(outputs)

    def _placeholder(self, node: Node) -> None:
        dims = node["attr"]["shape"]["shape"]["dim"]
        size = tuple(int(one["size"]) for one in dims)
        planes = self._emit("Transpose", [node["name"]], perm=TO_NCHW)
        self._keep(node, planes, tuple(size[axis] for axis in TO_NCHW))
        self._given = str(node["name"])

    def _convolution(self, node: Node) -> None:
        """Weights are (height, width, in, out), depthwise (height, width, in, multiplier)."""
        is_depthwise = node["op"] == "DepthwiseConv2dNative"
        source, kernel, *rest = node["input"]
        size = self._sizes[source]
        values = self._weights[kernel]
        height, width, inner, outer = values.shape
        if is_depthwise:
            values = values.transpose(2, 3, 0, 1).reshape(inner * outer, 1, height, width)
        else:
            values = values.transpose(3, 2, 0, 1)
        if size[1] != inner:
            raise UnknownGraphError("a convolution does not fit its input")
        steps, pads, after = _windows(node, size, (height, width))
        inputs = [self._names[source], self._constant(values)]
        inputs += [self._constant(self._weights[name]) for name in rest]
        out = self._emit(
            "Conv",
            inputs,
            group=inner if is_depthwise else 1,
            kernel_shape=[height, width],
            strides=steps,
            pads=pads,
        )
        fused = _texts(node, "fused_ops")
        if fused not in ([], ["BiasAdd"], ["BiasAdd", "Relu"]) or len(rest) != bool(fused):
            raise UnknownGraphError("a convolution is fused with an operator that is not known")
        if "Relu" in fused:
            out = self._emit("Relu", [out])
        self._keep(node, out, (1, len(values), *after))

    def _pool(self, node: Node) -> None:
        source = node["input"][0]
        size = self._sizes[source]
        kernel = _numbers(node, "ksize")[1:3]
        steps, pads, after = _windows(node, size, (kernel[0], kernel[1]))
        out = self._emit(
            "MaxPool", [self._names[source]], kernel_shape=kernel, strides=steps, pads=pads
        )
        self._keep(node, out, (1, size[1], *after))

    def _pad(self, node: Node) -> None:
        """Paddings are (axis, before and after), axes as NHWC."""
        source, paddings = node["input"]
        wanted = self._weights[paddings][TO_NCHW]
        size = self._sizes[source]
        pads = self._constant(wanted.T.reshape(-1).astype(np.int64))
        out = self._emit("Pad", [self._names[source], pads])
        self._keep(node, out, tuple(int(one) for one in np.add(size, wanted.sum(axis=1))))

    def _reshape(self, node: Node) -> None:
        source, shape = node["input"]
        flat = self._names[source]
        if len(self._sizes[source]) == 4:
            flat = self._emit("Transpose", [flat], perm=TO_NHWC)
        wanted = self._weights[shape].astype(np.int64)
        out = self._emit("Reshape", [flat, self._constant(wanted)])
        self._keep(node, out, tuple(int(one) for one in wanted))

    def _sum(self, node: Node) -> None:
        out = self._emit("Add", [self._names[name] for name in node["input"]])
        self._keep(node, out, self._sizes[node["input"][0]])

    def _relu(self, node: Node) -> None:
        source = node["input"][0]
        self._keep(node, self._emit("Relu", [self._names[source]]), self._sizes[source])

    def _identity(self, node: Node) -> None:
        source = node["input"][0]
        self._keep(node, self._names[source], self._sizes[source])

    def _emit(self, operator: str, inputs: list[str], **attributes: Any) -> str:  # noqa: ANN401 - as ONNX takes them
        name = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def _constant(self, values: NDArray[Any]) -> str:
        name = f"w{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _keep(self, node: Node, name: str, size: tuple[int, ...]) -> None:
        self._names[node["name"]], self._sizes[node["name"]] = name, size

    def _model(self, outputs: dict[str, list[str]]) -> bytes:
        float32 = TensorProto.FLOAT
        gives = []
        for output, parts in outputs.items():
            sizes = [self._sizes[part] for part in parts]
            names = [self._names[part] for part in parts]
            self._nodes.append(helper.make_node("Concat", names, [output], axis=1))
            joined = [sizes[0][0], sum(size[1] for size in sizes), *sizes[0][2:]]
            gives.append(helper.make_tensor_value_info(output, float32, joined))
        planes = self._sizes[self._given]
        size = [planes[axis] for axis in TO_NHWC]
        takes = [helper.make_tensor_value_info(self._given, float32, size)]
        graph = helper.make_graph(self._nodes, "graph", takes, gives, self._constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def convert(model_json: bytes, weights: bytes, *, outputs: dict[str, list[str]]) -> bytes:
    """Return the ONNX file of a graph model, given its model.json and its one weights file."""
    model = json.loads(model_json)
    return Converter(model, read_weights(model, weights)).convert(outputs)


def _windows(
    node: Node, size: tuple[int, ...], kernel: tuple[int, int]
) -> tuple[list[int], list[int], tuple[int, int]]:
    """Return strides, ONNX pads and the size after a window slid over ``size``, NCHW."""
    if "dilations" in node["attr"] and _numbers(node, "dilations") != [1, 1, 1, 1]:
        raise UnknownGraphError("a window is dilated")
    if base64.b64decode(node["attr"]["data_format"]["s"]) != b"NHWC":
        raise UnknownGraphError("a window does not slide over NHWC")
    steps = _numbers(node, "strides")[1:3]
    before, behind, after = [], [], []
    is_same = base64.b64decode(node["attr"]["padding"]["s"]) == b"SAME"
    for length, window, step in zip(size[2:], kernel, steps, strict=True):
        count = -(-length // step) if is_same else (length - window) // step + 1
        padding = max((count - 1) * step + window - length, 0) if is_same else 0
        before.append(padding // 2)
        behind.append(padding - padding // 2)
        after.append(count)
    return steps, before + behind, (after[0], after[1])


def _numbers(node: Node, name: str) -> list[int]:
    return [int(one) for one in node["attr"][name]["list"]["i"]]


def _texts(node: Node, name: str) -> list[str]:
    listed = node["attr"].get(name, {}).get("list", {}).get("s", [])
    return [base64.b64decode(one).decode() for one in listed]
