"""One ONNX model in ONNX Runtime, on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnxruntime

from opdeploy.serving.protocol import InferRequest, Signature
from opdeploy.serving.tensors import BY_ONNX, TensorSpec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_ERRORS_ONLY = 3


class ModelError(Exception):
    """A model file that cannot be served, or inputs on which the model fails."""


class Model:
    """A loaded model; `run` may be called from several threads at once."""

    def __init__(self, path: Path) -> None:
        """Load the model file.

        Raises ModelError where there is no such file, ONNX Runtime refuses it, or the protocol cannot carry one of
        its tensors.
        """
        if not path.is_file():
            raise ModelError(f"there is no model file {path}")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - the runtime's errors have no base class of their own
            raise ModelError(f"ONNX Runtime cannot load {path}: {_one_line(error)}") from None
        self.signature = Signature(
            tuple(map(_spec, self._session.get_inputs())), tuple(map(_spec, self._session.get_outputs()))
        )

    def run(self, request: InferRequest) -> list[NDArray[Any]]:
        """Return an array for each output of the request.

        Raises ModelError where the model fails on these inputs.
        """
        try:
            arrays: list[NDArray[Any]] = self._session.run([spec.name for spec in request.outputs], request.inputs)
        except Exception as error:  # noqa: BLE001 - the runtime's errors have no base class of their own
            raise ModelError(_one_line(error)) from None
        return arrays


def _spec(node: Any) -> TensorSpec:  # noqa: ANN401 - ONNX Runtime has no type stubs
    if node.type not in BY_ONNX:
        raise ModelError(f"tensor {node.name!r} is of type {node.type}, which the Open Inference Protocol cannot carry")
    return TensorSpec(node.name, BY_ONNX[node.type], tuple(node.shape))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
