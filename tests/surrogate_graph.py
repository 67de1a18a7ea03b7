"""A small ONNX graph, node by node, for the surrogate models."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.pattern import BLOCKS, CELL_PX, SAMPLE_PX, TOLERANCE, Array

OPSET = 18


class GraphBuilder:
    """Nodes and constants as they are added; each step is named by its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object) -> str:
        name = f"constant{len(self.constants)}"
        values = np.asarray(value)
        values = values.astype(np.float32) if values.dtype.kind == "f" else values
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"step{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def blocks(self, pixels: str, *, side_px: int) -> str:
        """Mean colours of the 4 x 4 blocks of an NCHW input, (1, 3, 4, 4)."""
        start = (side_px - BLOCKS * CELL_PX) // 2 + (CELL_PX - SAMPLE_PX) // 2
        end = start + (BLOCKS - 1) * CELL_PX + SAMPLE_PX
        part = self.add(
            "Slice",
            pixels,
            self.constant(np.array([start, start])),
            self.constant(np.array([end, end])),
            self.constant(np.array([2, 3])),
        )
        kernel, strides = [SAMPLE_PX] * 2, [CELL_PX] * 2
        return self.add("AveragePool", part, kernel_shape=kernel, strides=strides)

    def margin(self, blocks: str, colours: Array, mask: NDArray[np.bool_]) -> str:
        """TOLERANCE less the largest difference where ``mask``, (1, 1): positive fits."""
        wanted = self.constant(colours.transpose(2, 0, 1)[np.newaxis])
        masked = self.constant(mask[np.newaxis, np.newaxis].astype(np.float32))
        difference = self.add("Abs", self.add("Sub", blocks, wanted))
        axes = self.constant(np.array([1, 2, 3]))
        worst = self.add("ReduceMax", self.add("Mul", difference, masked), axes, keepdims=0)
        rest = self.add("Sub", self.constant(np.array([TOLERANCE])), worst)
        return self.add("Reshape", rest, self.constant(np.array([1, 1])))

    def model(
        self, given: str, shape: list[int | str], outputs: dict[str, list[int]]
    ) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "surrogate",
            [helper.make_tensor_value_info(given, TensorProto.FLOAT, shape)],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)
                for name, sizes in outputs.items()
            ],
            self.constants,
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
        onnx.checker.check_model(model)
        return model
