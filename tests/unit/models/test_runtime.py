"""The runtime's door: sessions from bytes, quiet and without threads of their own."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from protech.errors import ModelError
from protech.models.runtime import Session, give_back
from tests.surrogate import make_surrogate


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    directory = make_surrogate(tmp_path_factory.mktemp("models"))
    return (directory / "explicit" / "model.onnx").read_bytes()


def grey() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.zeros((1, 224, 224, 3), dtype=np.float32)


def test_a_model_runs_from_bytes(content: bytes) -> None:
    (output,) = Session(content, where="the model").run("input", grey(), ["outputs"])
    assert output.shape == (1, 2)
    assert output.sum() == pytest.approx(1.0)


def test_one_thread_of_a_run_starts_none(content: bytes) -> None:
    session = Session(content, where="the model")
    session.run("input", grey(), ["outputs"])
    before = len(list(Path("/proc/self/task").iterdir()))
    second = Session(content, where="the model")
    second.run("input", grey(), ["outputs"])
    assert len(list(Path("/proc/self/task").iterdir())) == before


def test_runs_of_several_threads_give_the_same(content: bytes) -> None:
    session = Session(content, where="the model")
    outputs: list[float] = []

    def run() -> None:
        outputs.extend(
            float(session.run("input", grey(), ["outputs"])[0][0, 1]) for _ in range(5)
        )

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outputs) == 20
    assert len(set(outputs)) == 1


@pytest.mark.parametrize(
    ("name", "outputs"),
    [("other", ["outputs"]), ("input", ["other"]), ("input", ["outputs", "x"])],
)
def test_another_name_than_the_cards_is_refused(
    content: bytes, name: str, outputs: list[str]
) -> None:
    with pytest.raises(ModelError, match="inputs or outputs"):
        Session(content, where="the model").run(name, grey(), outputs)


def test_a_shape_that_does_not_fit_is_refused(content: bytes) -> None:
    values = np.zeros((1, 3, 224, 224), dtype=np.float32)
    with pytest.raises(ModelError, match="cannot take the input"):
        Session(content, where="the model").run("input", values, ["outputs"])


@pytest.mark.parametrize("broken", [b"", b"\x00" * 64, b"\x80\x04."])
def test_what_is_no_model_is_refused(broken: bytes) -> None:
    with pytest.raises(ModelError, match="not taken by onnxruntime"):
        Session(broken, where="the model")


def test_an_operator_that_does_not_exist_is_refused() -> None:
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])]
    gives = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])]
    node = helper.make_node("NoSuchOperator", ["x"], ["y"])
    graph = helper.make_graph([node], "graph", given, gives)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    with pytest.raises(ModelError, match="not taken"):
        Session(model.SerializeToString(), where="the model")


def test_nothing_is_logged_even_where_a_model_fails(
    content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError):
        Session(content[:500], where="the model")
    values = np.zeros((1, 3, 224, 224), dtype=np.float32)
    with pytest.raises(ModelError):
        Session(content, where="the model").run("input", values, ["outputs"])
    assert capfd.readouterr() == ("", "")


def test_a_session_does_not_keep_the_file_too(content: bytes) -> None:
    assert Session(content, where="the model")._session._model_bytes is None


def test_memory_is_given_back_and_models_still_run(content: bytes) -> None:
    session = Session(content, where="the model")
    give_back()
    assert session.run("input", grey(), ["outputs"])[0].shape == (1, 2)


def test_importing_the_models_and_the_engine_does_not_import_onnxruntime() -> None:
    code = (
        "import sys; import protech.salus, protech.models.runtime, protech.models.registry; "
        "sys.exit('onnxruntime' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
