"""A look at an ONNX file before a runtime gets it: plain operators, nothing outside the file.

Reads the protobuf wire format just far enough; tensors are stepped over, not read.
Source: onnx/onnx.proto of IR version 12; protobuf.dev, programming-guides/encoding.
"""

from collections.abc import Iterator

from protech.errors import ModelError

MODEL_BYTES = 512 * 1024 * 1024
"""The largest model looked at so far is a twentieth of it."""

OPSETS = range(7, 24)
"""Versions of the default operator set that onnxruntime 1.20 to 1.32 run."""

NODES = 20_000
DEPTH = 8
"""Graphs within graphs (If, Loop) more deeply nested than this are refused."""

DEFAULT_DOMAINS = frozenset({b"", b"ai.onnx"})

# Field numbers of onnx.proto.
MODEL_GRAPH, MODEL_OPSET, MODEL_FUNCTIONS = 7, 8, 25
OPSET_DOMAIN, OPSET_VERSION = 1, 2
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE = 1, 5, 15
NODE_ATTRIBUTE, NODE_DOMAIN = 5, 7
ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPH, ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS = 5, 6, 10, 11
ATTRIBUTE_SPARSE, ATTRIBUTE_SPARSES = 22, 23
SPARSE_VALUES, SPARSE_INDICES = 1, 2
TENSOR_EXTERNAL, TENSOR_LOCATION = 13, 14

Value = int | memoryview


class _RefusedError(ValueError):
    """What is wrong with the file."""


def check_graph(content: bytes, *, where: str) -> None:
    """Refuse a model that is not self-contained ONNX of plain operators within bounds.

    Raises:
        ModelError: Not ONNX, too large, an unknown operator set, operators of another domain,
            functions of its own, or weights kept in another file.
    """
    try:
        if len(content) > MODEL_BYTES:
            raise _RefusedError(f"it is larger than {MODEL_BYTES} bytes")
        _check_model(memoryview(content))
    except _RefusedError as refused:
        raise ModelError(
            f"{where} cannot be used: {refused}; take a self-contained ONNX file"
        ) from refused


def _check_model(model: memoryview) -> None:
    graphs, versions = 0, 0
    for number, value in _fields(model):
        if number == MODEL_FUNCTIONS:
            raise _RefusedError("it defines functions of its own")
        if number == MODEL_OPSET:
            _check_opset(_message(value))
            versions += 1
        if number == MODEL_GRAPH:
            graphs += 1
            if _check_graph(_message(value), depth=0) == 0:
                raise _RefusedError("its graph has no node")
    if (graphs, versions) != (1, 1):
        raise _RefusedError("it does not hold one graph and one operator set")


def _check_opset(opset: memoryview) -> None:
    parts = dict(_fields(opset))
    if bytes(_message(parts.get(OPSET_DOMAIN, memoryview(b"")))) not in DEFAULT_DOMAINS:
        raise _RefusedError("it uses operators that are not ONNX's own")
    if parts.get(OPSET_VERSION) not in OPSETS:
        raise _RefusedError(f"its operator set is not {OPSETS.start} to {OPSETS.stop - 1}")


def _check_graph(graph: memoryview, *, depth: int) -> int:
    if depth > DEPTH:
        raise _RefusedError("its graphs are nested too deeply")
    nodes = 0
    for number, value in _fields(graph):
        if number == GRAPH_NODE:
            nodes += 1 + _check_node(_message(value), depth=depth)
        if number == GRAPH_INITIALIZER:
            _check_tensor(_message(value))
        if number == GRAPH_SPARSE:
            _check_sparse(_message(value))
        if nodes > NODES:
            raise _RefusedError(f"it has more than {NODES} nodes")
    return nodes


def _check_node(node: memoryview, *, depth: int) -> int:
    nodes = 0
    for number, value in _fields(node):
        if number == NODE_DOMAIN and bytes(_message(value)) not in DEFAULT_DOMAINS:
            raise _RefusedError("it uses operators that are not ONNX's own")
        if number == NODE_ATTRIBUTE:
            nodes += _check_attribute(_message(value), depth=depth)
    return nodes


def _check_attribute(attribute: memoryview, *, depth: int) -> int:
    nodes = 0
    for number, value in _fields(attribute):
        if number in (ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS):
            nodes += _check_graph(_message(value), depth=depth + 1)
        if number in (ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS):
            _check_tensor(_message(value))
        if number in (ATTRIBUTE_SPARSE, ATTRIBUTE_SPARSES):
            _check_sparse(_message(value))
    return nodes


def _check_sparse(sparse: memoryview) -> None:
    for number, value in _fields(sparse):
        if number in (SPARSE_VALUES, SPARSE_INDICES):
            _check_tensor(_message(value))


def _check_tensor(tensor: memoryview) -> None:
    for number, value in _fields(tensor):
        if number == TENSOR_EXTERNAL or (number == TENSOR_LOCATION and value != 0):
            raise _RefusedError("its weights are in another file")


def _message(value: Value) -> memoryview:
    if isinstance(value, int):
        raise _RefusedError("it is not an ONNX file")
    return value


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield the fields of one protobuf message: numbers as int, everything longer as bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            size, at = _varint(message, at)
        if size is None or at + size > len(message):
            raise _RefusedError("it is not an ONNX file, or it is cut off")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise _RefusedError("it is not an ONNX file, or it is cut off")
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise _RefusedError("it is not an ONNX file")
