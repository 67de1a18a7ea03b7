"""A look at an ONNX file: what is plain passes, everything else is refused."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import OperatorSetIdProto, TensorProto, helper, numpy_helper

from protech.errors import ModelError
from protech.models import graph
from protech.models.graph import check_graph


def model(
    *, nodes: list[onnx.NodeProto] | None = None, opsets: list[OperatorSetIdProto] | None = None
) -> onnx.ModelProto:
    """Return a model of one addition, with a constant beside it."""
    given_ = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])]
    gives = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])]
    constant = numpy_helper.from_array(np.ones(1, dtype=np.float32), "c")
    if nodes is None:
        nodes = [helper.make_node("Add", ["x", "c"], ["y"])]
    body = helper.make_graph(nodes, "body", given_, gives, [constant])
    if opsets is None:
        opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(body, opset_imports=opsets, ir_version=9)


def check(one: onnx.ModelProto) -> None:
    check_graph(one.SerializeToString(), where="the model")


def external(tensor: TensorProto) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "weights.bin"


def inside(*nodes: onnx.NodeProto, depth: int = 1) -> list[onnx.NodeProto]:
    """Return an If whose branches hold ``nodes``, nested ``depth`` times."""
    found = list(nodes)
    for _ in range(depth):
        gives = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])]
        branch = helper.make_graph(found, "branch", [], gives)
        found = [helper.make_node("If", ["b"], ["y"], then_branch=branch, else_branch=branch)]
    return found


def test_a_plain_model_passes() -> None:
    check(model())
    check(model(opsets=[helper.make_opsetid("ai.onnx", 9)]))
    check(model(nodes=inside(helper.make_node("Add", ["x", "c"], ["y"]))))


@pytest.mark.parametrize("version", [graph.OPSETS.start, graph.OPSETS.stop - 1])
def test_operator_sets_at_the_limits_pass(version: int) -> None:
    check(model(opsets=[helper.make_opsetid("", version)]))


@pytest.mark.parametrize("version", [0, graph.OPSETS.start - 1, graph.OPSETS.stop])
def test_operator_sets_beyond_the_limits_are_refused(version: int) -> None:
    with pytest.raises(ModelError, match="operator set"):
        check(model(opsets=[helper.make_opsetid("", version)]))


@pytest.mark.parametrize("count", [0, 2])
def test_no_operator_set_or_two_are_refused(count: int) -> None:
    with pytest.raises(ModelError):
        check(model(opsets=[helper.make_opsetid("", 18)] * count))


def test_operators_that_are_not_onnx_own_are_refused() -> None:
    alien = helper.make_node("Add", ["x", "c"], ["y"], domain="com.example")
    for one in (
        model(opsets=[helper.make_opsetid("com.example", 1)]),
        model(nodes=[alien]),
        model(nodes=inside(alien)),
        model(nodes=inside(alien, depth=3)),
    ):
        with pytest.raises(ModelError, match="not ONNX's own"):
            check(one)


def test_weights_in_another_file_are_refused() -> None:
    beside = model()
    external(beside.graph.initializer[0])
    location_only = model()
    location_only.graph.initializer[0].data_location = TensorProto.EXTERNAL
    constant = numpy_helper.from_array(np.ones(1, dtype=np.float32), "v")
    external(constant)
    as_attribute = model(nodes=[helper.make_node("Constant", [], ["y"], value=constant)])
    nested = model(nodes=inside(helper.make_node("Constant", [], ["y"], value=constant)))
    sparse = model()
    part = sparse.graph.sparse_initializer.add()
    part.values.CopyFrom(constant)
    for one in (beside, location_only, as_attribute, nested, sparse):
        with pytest.raises(ModelError, match="another file"):
            check(one)


def test_functions_of_its_own_are_refused() -> None:
    one = model()
    one.functions.add().name = "f"
    with pytest.raises(ModelError, match="functions"):
        check(one)


def test_a_model_without_a_graph_or_a_node_is_refused() -> None:
    bare = model()
    bare.ClearField("graph")
    for one in (bare, model(nodes=[])):
        with pytest.raises(ModelError):
            check(one)


def test_nesting_at_the_limit_passes_and_beyond_it_is_refused() -> None:
    node = helper.make_node("Add", ["x", "c"], ["y"])
    check(model(nodes=inside(node, depth=graph.DEPTH)))
    with pytest.raises(ModelError, match="nested"):
        check(model(nodes=inside(node, depth=graph.DEPTH + 1)))


def test_nodes_at_the_limit_pass_and_beyond_it_are_refused() -> None:
    node = helper.make_node("Add", ["x", "c"], ["y"])
    check(model(nodes=[node] * graph.NODES))
    with pytest.raises(ModelError, match="nodes"):
        check(model(nodes=[node] * (graph.NODES + 1)))


def test_a_file_beyond_the_size_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = model().SerializeToString()
    monkeypatch.setattr(graph, "MODEL_BYTES", len(content))
    check_graph(content, where="the model")
    monkeypatch.setattr(graph, "MODEL_BYTES", len(content) - 1)
    with pytest.raises(ModelError, match="larger"):
        check_graph(content, where="the model")


def test_every_truncation_is_refused_or_still_whole() -> None:
    content = model().SerializeToString()
    for end in range(len(content)):
        with pytest.raises(ModelError):
            check_graph(content[:end], where="the model")


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_nothing_else_happens(content: bytes) -> None:
    with pytest.raises(ModelError):
        check_graph(content, where="the model")


@given(st.data())
def test_a_changed_byte_is_refused_or_harmless(data: st.DataObject) -> None:
    content = bytearray(model().SerializeToString())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    try:
        check_graph(bytes(content), where="the model")
    except ModelError as error:
        assert "take a self-contained ONNX file" in str(error)  # noqa: PT017 - either is right
