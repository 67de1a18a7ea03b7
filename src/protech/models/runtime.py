"""The only door to onnxruntime: a model's bytes in, a function on arrays out.

onnxruntime is imported when the first session is opened, not before. It speaks to nobody, logs
nothing and starts no thread of its own unless asked for more than one.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protech.errors import ModelError
from protech.models.card import REPAIR

Array = NDArray[np.float32]

FATAL_ONLY = 4
"""onnxruntime's highest log severity. What a model says of an image is in no log."""


class Session:
    """One model, ready to run; safe to call from several threads."""

    def __init__(self, content: bytes, *, where: str, threads: int = 1) -> None:
        """Open the model held in ``content``.

        Args:
            content: A self-contained ONNX file, already checked.
            where: How a message calls the model.
            threads: Threads of one run; 1 starts none.

        Raises:
            ModelError: onnxruntime does not take it.
        """
        self._where = where
        self._session = _open(content, where=where, threads=threads)
        self._outputs = {one.name for one in self._session.get_outputs()}
        self._inputs = {one.name for one in self._session.get_inputs()}

    def run(self, name: str, values: Array, outputs: Sequence[str]) -> list[Array]:
        """Return the tensors named ``outputs`` for ``values`` at the input ``name``.

        Raises:
            ModelError: The model has no such input or output, or cannot take the shape.
        """
        if {name} != self._inputs or not set(outputs) <= self._outputs:
            raise ModelError(
                f"{self._where} has other inputs or outputs than its card says; {REPAIR}"
            )
        try:
            return list(self._session.run(list(outputs), {name: values}))
        except _failures() as error:
            raise ModelError(
                f"{self._where} cannot take the input that its card describes; {REPAIR}"
            ) from error


def _open(content: bytes, *, where: str, threads: int) -> Any:  # noqa: ANN401  # an untyped library
    import onnxruntime  # `import protech.salus` stays fast and free of it

    onnxruntime.disable_telemetry_events()
    onnxruntime.set_default_logger_severity(FATAL_ONLY)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL_ONLY
    # The arena keeps what the largest run took; without it a run takes no longer and
    # the memory returns.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            content, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except _failures() as error:
        raise ModelError(
            f"{where} is not taken by onnxruntime {onnxruntime.__version__}; {REPAIR}"
        ) from error
    # It keeps the whole file, for a second try with another provider; there is no other.
    session._model_bytes = None  # noqa: SLF001 - a third of what a session costs
    return session


def give_back() -> None:
    """Return to the system what opening models took only for a while; glibc would keep it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _failures() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # as above

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoSuchFile,
        state.NotImplemented,
        state.RuntimeException,
        RuntimeError,
    )
